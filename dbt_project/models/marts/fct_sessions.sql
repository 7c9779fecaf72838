-- A direct session is also credited to the user's latest session before it that was not direct, within the
-- look-back; the look-back counts from that session itself and is not handed on. Days are those of the property and
-- times are UTC, so a day more is read.
{%- set look_back = var('last_non_direct_lookback_days') %}
{{ config(
    materialized=by_days(),
    meta={'dates': {
        'column': 'session_date',
        'follows': {'int_sessions': [0, look_back + 1], 'int_purchases': [0, 0]},
        'spans': ['last_event_date'],
    }}
) }}

{%- set stale = stale_dates() %}

with sessions as (
    select
        *,
        lower(trim(session_source)) = '(direct)' as is_direct
    from {{ ref('int_sessions') }}
    where {{ around('session_date', stale, back=look_back + 1) }}
),

source_categories as (
    select * from {{ ref('ga4_source_categories') }}
),

grouped as (
    select
        sessions.*,
        {{ channel_group(
            'sessions.session_source', 'sessions.session_medium', 'sessions.session_campaign',
            'source_categories.category'
        ) }} as channel_group,
        max(
            case when not sessions.is_direct then {{ tuple(['sessions.started_at', 'sessions.session_key']) }} end
        ) over (
            partition by sessions.user_key order by sessions.started_at
            range between {{ look_back_frame(look_back) }}
        ) as last_non_direct
    from sessions
    left join source_categories on lower(trim(sessions.session_source)) = source_categories.source
),

purchases as (
    select
        session_key,
        count(*) as purchases,
        sum(revenue) as revenue
    from {{ ref('int_purchases') }}
    where
        session_key is not null
        and session_key in (
            select picked.session_key from {{ ref('int_sessions') }} as picked
            where {{ among('picked.session_date', stale) }}
        )
    group by session_key
)

select
    sessions.session_key,
    sessions.session_date,
    sessions.last_event_date,
    sessions.started_at,
    sessions.user_key,
    sessions.session_source,
    sessions.session_medium,
    sessions.session_campaign,
    sessions.channel_group,
    coalesce(touches.session_source, sessions.session_source) as last_non_direct_source,
    coalesce(touches.session_medium, sessions.session_medium) as last_non_direct_medium,
    coalesce(touches.session_campaign, sessions.session_campaign) as last_non_direct_campaign,
    coalesce(touches.channel_group, sessions.channel_group) as last_non_direct_channel_group,
    sessions.landing_page,
    sessions.device_category,
    sessions.country,
    sessions.region,
    sessions.is_engaged,
    sessions.engagement_time_msec,
    sessions.events,
    sessions.page_views,
    sessions.key_events,
    cast(coalesce(purchases.purchases, 0) as bigint) as purchases,
    cast(coalesce(purchases.revenue, 0) as decimal(18, 4)) as revenue,
    sessions.lineage_ids
from grouped as sessions
left join grouped as touches
    on
        sessions.is_direct
        and {{ tuple_part('sessions.last_non_direct', 2) }} = touches.session_key
left join purchases on sessions.session_key = purchases.session_key
where {{ among('sessions.session_date', stale) }}
order by sessions.session_date, sessions.session_key
