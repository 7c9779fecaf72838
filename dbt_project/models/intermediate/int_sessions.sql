-- One row per session: what its own events say of it. Purchases and the channel group come later.
with events as (
    select
        *,
        {{ tuple(['event_timestamp', 'event_key']) }} as event_order,
        -- source, medium and campaign are taken together from one place, never mixed
        coalesce(collected_source, param_source) as event_source,
        case when collected_source is null then param_medium else collected_medium end as event_medium,
        case when collected_source is null then param_campaign else collected_campaign end as event_campaign
    from {{ ref('stg_events') }}
    where session_key is not null
),

touches as (
    select
        *,
        coalesce({{ click_id_says('source') }}, event_source) as touch_source,
        coalesce({{ click_id_says('medium') }}, event_medium, '(not set)') as touch_medium,
        coalesce(event_campaign, '(not set)') as touch_campaign
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
),

sessions as (
    select
        session_key,
        min(user_key) as user_key,
        min(event_date) as session_date,
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
        sum(engagement_time_msec) as engagement_time_msec,
        max(case when is_session_engaged then 1 else 0 end) as engaged_flag,
        count(*) as events,
        sum(case when is_page_view then 1 else 0 end) as page_views,
        sum(case when is_key_event then 1 else 0 end) as key_events,
        {{ lineage_list('lineage_id') }} as lineage_ids
    from flagged
    group by session_key
)

select
    session_key,
    session_date,
    started_at,
    user_key,
    coalesce(last_click_source, touch_source, '(direct)') as session_source,
    case
        when last_click_source = '(direct)' and last_click_medium = '(not set)' then '(none)'
        when last_click_source is not null then last_click_medium
        when touch_source is not null then touch_medium
        else '(none)'
    end as session_medium,
    case
        when last_click_source is not null then last_click_campaign
        when touch_source is not null then touch_campaign
        else '(direct)'
    end as session_campaign,
    landing_page,
    device_category,
    country,
    engagement_time_msec > 10000
    or key_events > 0
    or page_views >= 2
    or engaged_flag = 1 as is_engaged,
    cast(events as bigint) as events,
    cast(page_views as bigint) as page_views,
    cast(key_events as bigint) as key_events,
    lineage_ids
from sessions
