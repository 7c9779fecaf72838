with events as (
    select
        event_date as date,
        count(*) as events,
        count(distinct user_key) as users,
        sum(case when is_key_event then 1 else 0 end) as key_events
    from {{ ref('stg_events') }}
    group by event_date
),

cookieless as (
    select
        event_date as date,
        sum(events) as cookieless_events
    from {{ ref('stg_cookieless_daily') }}
    group by event_date
),

sessions as (
    select
        session_date as date,
        count(*) as sessions
    from {{ ref('fct_sessions') }}
    group by session_date
),

purchases as (
    select
        purchase_date as date,
        count(*) as purchases,
        sum(revenue) as revenue
    from {{ ref('fct_purchases') }}
    group by purchase_date
),

lineage as (
    select
        sources.date,
        {{ lineage_list('sources.lineage_id') }} as lineage_ids
    from (
        select
            event_date as date,
            lineage_id
        from {{ ref('stg_events') }}
        union all
        select
            event_date as date,
            lineage_id
        from {{ ref('stg_cookieless_daily') }}
    ) as sources
    group by sources.date
)

select
    lineage.date,
    cast(coalesce(events.events, 0) as bigint) as events,
    cast(coalesce(events.users, 0) as bigint) as users,
    cast(coalesce(sessions.sessions, 0) as bigint) as sessions,
    cast(coalesce(events.key_events, 0) as bigint) as key_events,
    cast(coalesce(purchases.purchases, 0) as bigint) as purchases,
    cast(coalesce(purchases.revenue, 0) as decimal(18, 4)) as revenue,
    cast(coalesce(cookieless.cookieless_events, 0) as bigint) as cookieless_events,
    lineage.lineage_ids
from lineage
left join events on lineage.date = events.date
left join cookieless on lineage.date = cookieless.date
left join sessions on lineage.date = sessions.date
left join purchases on lineage.date = purchases.date
order by lineage.date
