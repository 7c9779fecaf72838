-- The ad platforms' rows in the property's currency, day by day, so that the marts need not open every file of the
-- lake.
{{ config(
    materialized=by_days(),
    meta={'dates': {'column': 'date', 'follows': {'lake.ad_performance': [0, 0], 'int_exchange_rates': [0, 0]}}}
) }}

{%- set stale = stale_dates() %}

with ads as (
    select
        *,
        {{ stated_currency('currency') }} as original_currency
    from {{ ref('stg_ad_performance') }}
    where {{ among('date', stale) }}
),

priced as (
    {{ with_exchange_rate('ads', 'date') }}
)

select
    date,
    channel,
    campaign,
    channel_key,
    campaign_key,
    campaign_id,
    '{{ property_currency() }}' as currency,
    impressions,
    clicks,
    leads,
    conversions,
    {{ at_rate('mark_spent', 'exchange_rate') }} as mark_spent,
    {{ at_rate('revenue', 'exchange_rate') }} as revenue,
    original_currency,
    mark_spent as original_mark_spent,
    revenue as original_revenue,
    exchange_rate,
    lineage_id
from priced
