-- The counts of each day; whether it is final depends on the newest day and is told later.
{{ config(
    materialized=by_days(),
    meta={'dates': {
        'column': 'date',
        'follows': {
            'int_user_days': [0, 0],
            'lake.cookieless_daily': [0, 0],
            'int_sessions': [0, 0],
            'int_purchases': [0, 0],
        },
    }}
) }}

{%- set stale = stale_dates() %}

with user_days as (
    select
        event_date as date,
        sum(events) as events,
        count(*) as users,
        sum(key_events) as key_events,
        sum(refunds_without_id) as refunds_without_id,
        {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids
    from {{ ref('int_user_days') }}
    where {{ among('event_date', stale) }}
    group by event_date
),

cookieless as (
    select
        event_date as date,
        sum(events) as cookieless_events,
        {{ lineage_list('lineage_id') }} as lineage_ids
    from {{ ref('stg_cookieless_daily') }}
    where {{ among('event_date', stale) }}
    group by event_date
),

sessions as (
    select
        session_date as date,
        count(*) as sessions,
        sum(case when is_engaged then 1 else 0 end) as engaged_sessions
    from {{ ref('int_sessions') }}
    where {{ among('session_date', stale) }}
    group by session_date
),

purchases as (
    select
        purchase_date as date,
        count(*) as purchases,
        sum(revenue) as revenue,
        sum(case when is_transaction_id_derived then 1 else 0 end) as purchases_without_id,
        sum(duplicate_events) as duplicate_purchase_events
    from {{ ref('int_purchases') }}
    where {{ among('purchase_date', stale) }}
    group by purchase_date
),

days as (
    select date from user_days
    union distinct
    select date from cookieless
)

select
    days.date,
    cast(coalesce(user_days.events, 0) as bigint) as events,
    cast(coalesce(user_days.users, 0) as bigint) as users,
    cast(coalesce(sessions.sessions, 0) as bigint) as sessions,
    cast(coalesce(sessions.engaged_sessions, 0) as bigint) as engaged_sessions,
    cast(coalesce(user_days.key_events, 0) as bigint) as key_events,
    cast(coalesce(purchases.purchases, 0) as bigint) as purchases,
    cast(coalesce(purchases.revenue, 0) as decimal(18, 4)) as revenue,
    cast(coalesce(purchases.purchases_without_id, 0) as bigint) as purchases_without_id,
    cast(coalesce(purchases.duplicate_purchase_events, 0) as bigint) as duplicate_purchase_events,
    cast(coalesce(user_days.refunds_without_id, 0) as bigint) as refunds_without_id,
    cast(coalesce(cookieless.cookieless_events, 0) as bigint) as cookieless_events,
    {{ union_of_lists('user_days.lineage_ids', 'cookieless.lineage_ids') }} as lineage_ids
from days
left join user_days on days.date = user_days.date
left join cookieless on days.date = cookieless.date
left join sessions on days.date = sessions.date
left join purchases on days.date = purchases.date
