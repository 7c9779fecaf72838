-- depends_on: {{ ref('int_user_days') }}
-- A user's row is computed anew where a day or the consent of theirs changed; how long ago they were last seen changes
-- with every new day, for all.
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
{%- if stale is not none and stale is not string %}
where
    users.user_key in ({{ touched_keys(stale) }})
    or users.user_key in (
        select built.user_key
        from {{ this }} as built
        left join consent as today on built.user_key = today.user_key
        where built.ads_eligible is distinct from coalesce(today.is_ads_eligible, false)
    )
{%- endif %}
order by users.user_key
