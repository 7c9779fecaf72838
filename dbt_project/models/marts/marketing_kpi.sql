with campaigns as (
    select * from {{ ref('marketing_clean') }}
)

select
    date,
    channel,
    campaign,
    campaign_id,
    currency,
    impressions,
    clicks,
    leads,
    conversions,
    mark_spent,
    revenue,
    {{ kpi_columns() }},
    is_final,
    lineage_id
from campaigns
order by date, channel, campaign
