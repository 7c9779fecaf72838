with sessions as (
    select * from {{ ref('int_sessions') }}
),

source_categories as (
    select * from {{ ref('ga4_source_categories') }}
),

purchases as (
    select
        session_key,
        count(*) as purchases,
        sum(revenue) as revenue
    from {{ ref('fct_purchases') }}
    where session_key is not null
    group by session_key
)

select
    sessions.session_key,
    sessions.session_date,
    sessions.started_at,
    sessions.user_key,
    sessions.session_source,
    sessions.session_medium,
    sessions.session_campaign,
    {{ channel_group(
        'sessions.session_source', 'sessions.session_medium', 'sessions.session_campaign',
        'source_categories.category'
    ) }} as channel_group,
    sessions.landing_page,
    sessions.device_category,
    sessions.country,
    sessions.is_engaged,
    sessions.events,
    sessions.page_views,
    sessions.key_events,
    cast(coalesce(purchases.purchases, 0) as bigint) as purchases,
    cast(coalesce(purchases.revenue, 0) as decimal(18, 4)) as revenue,
    sessions.lineage_ids
from sessions
left join source_categories on lower(trim(sessions.session_source)) = source_categories.source
left join purchases on sessions.session_key = purchases.session_key
order by sessions.session_date, sessions.session_key
