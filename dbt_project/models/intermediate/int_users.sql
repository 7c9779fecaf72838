-- What is known of each user from all days, except what a new day or a new consent changes for everybody.
{{ config(
    materialized=by_days(),
    incremental_strategy='replace_keys',
    meta={'dates': {
        'column': 'last_seen_date',
        'follows': {'int_user_days': [0, 0], 'fct_sessions': [0, 0], 'fct_purchases': [0, 0]},
        'keys': {
            'key': 'user_key',
            'rows': 'int_user_days',
            'date': 'event_date',
            'first': 'first_seen_date',
            'last': 'last_seen_date',
        },
    }}
) }}

{%- set stale = stale_dates() %}

with touched as (
    select distinct user_key
    from {{ ref('int_user_days') }}
    {%- if stale is not none and stale is not string %}
    where user_key in ({{ touched_keys(stale) }})
    {%- endif %}
),

users as (
    select
        user_key,
        min(event_date) as first_seen_date,
        max(event_date) as last_seen_date,
        sum(item_views) as item_views,
        sum(cart_additions) as cart_additions,
        {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids
    from {{ ref('int_user_days') }}
    where user_key in (select touched.user_key from touched)
    group by user_key
),

channels as (
    select
        user_key,
        channel_group,
        count(*) as sessions,
        sum(case when is_engaged then 1 else 0 end) as engaged_sessions,
        row_number() over (partition by user_key order by count(*) desc, channel_group asc) as preference
    from {{ ref('fct_sessions') }}
    where user_key in (select touched.user_key from touched)
    group by user_key, channel_group
),

sessions as (
    select
        user_key,
        sum(sessions) as sessions,
        sum(engaged_sessions) as engaged_sessions,
        max(case when preference = 1 then channel_group end) as top_channel_group
    from channels
    group by user_key
),

purchases as (
    select
        user_key,
        count(*) as purchases,
        sum(revenue) as revenue
    from {{ ref('fct_purchases') }}
    where user_key in (select touched.user_key from touched)
    group by user_key
)

select
    users.user_key,
    users.first_seen_date,
    users.last_seen_date,
    cast(users.item_views as bigint) as item_views,
    cast(users.cart_additions as bigint) as cart_additions,
    cast(coalesce(sessions.sessions, 0) as bigint) as sessions,
    cast(coalesce(sessions.engaged_sessions, 0) as bigint) as engaged_sessions,
    sessions.top_channel_group,
    cast(coalesce(purchases.purchases, 0) as bigint) as purchases,
    cast(coalesce(purchases.revenue, 0) as decimal(18, 4)) as revenue,
    users.lineage_ids
from users
left join sessions on users.user_key = sessions.user_key
left join purchases on users.user_key = purchases.user_key
