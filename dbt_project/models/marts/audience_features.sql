with users as (
    select * from {{ ref('int_users') }}
),

newest as (
    select max(last_seen_date) as newest_date from users
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
    users.sessions,
    users.engaged_sessions,
    users.item_views,
    users.cart_additions,
    users.purchases,
    users.revenue,
    users.first_seen_date,
    users.last_seen_date,
    cast({{ days_between('users.last_seen_date', 'newest.newest_date') }} as bigint) as days_since_last_seen,
    users.top_channel_group,
    -- no entry in the consent log is not consent
    coalesce(consent.is_ads_eligible, false) as ads_eligible,
    users.lineage_ids
from users
cross join newest
left join consent on users.user_key = consent.user_key
order by users.user_key
