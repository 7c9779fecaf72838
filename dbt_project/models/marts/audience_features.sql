with users as (
    select
        user_key,
        min(event_date) as first_seen_date,
        max(event_date) as last_seen_date,
        sum(item_views) as item_views,
        sum(cart_additions) as cart_additions,
        {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids
    from {{ ref('int_user_days') }}
    group by user_key
),

newest as (
    select max(last_seen_date) as newest_date from users
),

sessions as (
    select
        user_key,
        count(*) as sessions,
        sum(case when is_engaged then 1 else 0 end) as engaged_sessions
    from {{ ref('fct_sessions') }}
    group by user_key
),

channel_groups as (
    select
        user_key,
        channel_group,
        row_number() over (partition by user_key order by count(*) desc, channel_group asc) as preference
    from {{ ref('fct_sessions') }}
    group by user_key, channel_group
),

purchases as (
    select
        user_key,
        count(*) as purchases,
        sum(revenue) as revenue
    from {{ ref('fct_purchases') }}
    group by user_key
),

consent as (
    select
        user_key,
        {{ ads_consent() }} as is_ads_eligible
    from {{ ref('consent_current') }}
    -- somebody who signed in on the device said no
    where user_key not in (select refusals.user_key from {{ ref('stg_ad_refusals') }} as refusals)
)

select
    users.user_key,
    cast(coalesce(sessions.sessions, 0) as bigint) as sessions,
    cast(coalesce(sessions.engaged_sessions, 0) as bigint) as engaged_sessions,
    cast(users.item_views as bigint) as item_views,
    cast(users.cart_additions as bigint) as cart_additions,
    cast(coalesce(purchases.purchases, 0) as bigint) as purchases,
    cast(coalesce(purchases.revenue, 0) as decimal(18, 4)) as revenue,
    users.first_seen_date,
    users.last_seen_date,
    cast({{ days_between('users.last_seen_date', 'newest.newest_date') }} as bigint) as days_since_last_seen,
    channel_groups.channel_group as top_channel_group,
    -- no entry in the consent log is not consent
    coalesce(consent.is_ads_eligible, false) as ads_eligible,
    users.lineage_ids
from users
cross join newest
left join sessions on users.user_key = sessions.user_key
left join channel_groups on users.user_key = channel_groups.user_key and channel_groups.preference = 1
left join purchases on users.user_key = purchases.user_key
left join consent on users.user_key = consent.user_key
order by users.user_key
