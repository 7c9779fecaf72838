-- One row per session: what its own events say of it. Purchases, the channel group and the look-back come later.
{{ config(
    materialized=by_days(),
    meta={'dates': {
        'column': 'session_date',
        'follows': {'int_session_days': [0, 0]},
        'spans': ['last_event_date'],
        'entity': {'rows': 'int_session_days', 'key': 'session_key', 'date': 'event_date'},
    }}
) }}

{%- set stale = stale_dates() %}

with days as (
    select * from {{ ref('int_session_days') }}
    where session_key in (
        select picked.session_key from {{ ref('int_session_days') }} as picked
        where {{ among('picked.event_date', stale) }}
    )
),

sessions as (
    select
        session_key,
        min(user_key) as user_key,
        min(event_date) as session_date,
        max(event_date) as last_event_date,
        min(started_at) as started_at,
        {{ first_by('last_click_source', 'event_date') }} as last_click_source,
        {{ first_by('last_click_medium', 'event_date', 'last_click_source is not null') }} as last_click_medium,
        {{ first_by('last_click_campaign', 'event_date', 'last_click_source is not null') }} as last_click_campaign,
        {{ first_by('touch_source', 'event_date') }} as touch_source,
        {{ first_by('touch_medium', 'event_date', 'touch_source is not null') }} as touch_medium,
        {{ first_by('touch_campaign', 'event_date', 'touch_source is not null') }} as touch_campaign,
        {{ first_by('landing_page', 'event_date') }} as landing_page,
        {{ first_by('device_category', 'event_date') }} as device_category,
        {{ first_by('country', 'event_date') }} as country,
        {{ first_by('region', 'event_date') }} as region,
        sum(engagement_time_msec) as engagement_time_msec,
        max(engaged_flag) as engaged_flag,
        sum(events) as events,
        sum(page_views) as page_views,
        sum(key_events) as key_events,
        {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids
    from days
    group by session_key
)

select
    session_key,
    session_date,
    last_event_date,
    started_at,
    user_key,
    coalesce(last_click_source, touch_source, '(direct)') as session_source,
    case
        when lower(last_click_source) = '(direct)' and last_click_medium = '(not set)' then '(none)'
        when last_click_source is not null then last_click_medium
        when touch_source is not null then touch_medium
        else '(none)'
    end as session_medium,
    case
        when lower(last_click_source) = '(direct)' and last_click_campaign = '(not set)' then '(direct)'
        when last_click_source is not null then last_click_campaign
        when touch_source is not null then touch_campaign
        else '(direct)'
    end as session_campaign,
    landing_page,
    device_category,
    country,
    region,
    cast(engagement_time_msec as bigint) as engagement_time_msec,
    engagement_time_msec > 10000
    or key_events > 0
    or page_views >= 2
    or engaged_flag = 1 as is_engaged,
    cast(events as bigint) as events,
    cast(page_views as bigint) as page_views,
    cast(key_events as bigint) as key_events,
    lineage_ids
from sessions
where {{ among('session_date', stale) }}
