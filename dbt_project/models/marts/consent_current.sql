with changes as (
    select
        *,
        rank() over (partition by user_key order by changed_at desc) as recency
    from {{ ref('stg_consent_log') }}
    -- a grant counts once its time has come
    where changed_at <= current_timestamp
)

select
    user_key,
    changed_at,
    {{ strictest('ad_storage') }} as ad_storage,
    {{ strictest('analytics_storage') }} as analytics_storage,
    {{ strictest('ad_user_data') }} as ad_user_data,
    {{ strictest('ad_personalization') }} as ad_personalization
from changes
where recency = 1
group by user_key, changed_at
order by user_key
