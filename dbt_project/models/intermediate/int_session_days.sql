-- What the events of one day say of a session: a session that crosses midnight has two rows here.
{{ config(
    materialized=by_days(),
    meta={'dates': {'column': 'event_date', 'follows': {'lake.events': [0, 0]}}}
) }}

{%- set stale = stale_dates() %}

with events as (
    select
        *,
        {{ tuple(['event_timestamp', 'event_key']) }} as event_order,
        -- source, medium and campaign are taken together from one place, never mixed
        coalesce(collected_source, param_source) as event_source,
        case when collected_source is null then param_medium else collected_medium end as event_medium,
        case
            when collected_source is not null then collected_campaign
            when param_source is not null then param_campaign
            -- where neither names a source only a click id can, which names no campaign
            else coalesce(collected_campaign, param_campaign)
        end as event_campaign
    from {{ ref('stg_events') }}
    where
        session_key is not null
        and {{ among('event_date', stale) }}
),

touches as (
    select
        *,
        coalesce({{ click_id_says('source') }}, event_source) as touch_source,
        coalesce({{ click_id_says('medium') }}, event_medium, '(not set)') as touch_medium,
        coalesce({{ click_id_says('campaign') }}, event_campaign, '(not set)') as touch_campaign
    from events
),

flagged as (
    select
        *,
        coalesce(
            lower(touch_source) != '(direct)'
            and event_name not in ('session_start', 'first_visit'), false
        ) as is_touch
    from touches
)

select
    {{ surrogate_key(['session_key', 'event_date']) }} as session_day_key,
    session_key,
    event_date,
    min(user_key) as user_key,
    min(occurred_at) as started_at,
    {{ first_by('session_source', 'event_order') }} as last_click_source,
    {{ first_by("coalesce(session_medium, '(not set)')", 'event_order', 'session_source is not null') }}
        as last_click_medium,
    {{ first_by("coalesce(session_campaign, '(not set)')", 'event_order', 'session_source is not null') }}
        as last_click_campaign,
    {{ first_by('touch_source', 'event_order', 'is_touch') }} as touch_source,
    {{ first_by('touch_medium', 'event_order', 'is_touch') }} as touch_medium,
    {{ first_by('touch_campaign', 'event_order', 'is_touch') }} as touch_campaign,
    {{ first_by('page_location', 'event_order') }} as landing_page,
    {{ first_by('device_category', 'event_order') }} as device_category,
    {{ first_by('country', 'event_order') }} as country,
    {{ first_by('region', 'event_order') }} as region,
    cast(sum(engagement_time_msec) as bigint) as engagement_time_msec,
    max(case when is_session_engaged then 1 else 0 end) as engaged_flag,
    cast(count(*) as bigint) as events,
    cast(sum(case when is_page_view then 1 else 0 end) as bigint) as page_views,
    cast(sum(case when is_key_event then 1 else 0 end) as bigint) as key_events,
    {{ lineage_list('lineage_id') }} as lineage_ids
from flagged
group by session_key, event_date
