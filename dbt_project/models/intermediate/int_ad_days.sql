-- The ad platforms' rows, day by day, so that the marts need not open every file of the lake.
{{ config(
    materialized=by_days(),
    meta={'dates': {'column': 'date', 'follows': {'lake.ad_performance': [0, 0]}}}
) }}

{%- set stale = stale_dates() %}

select
    date,
    channel,
    campaign,
    channel_key,
    campaign_key,
    campaign_id,
    currency,
    impressions,
    clicks,
    leads,
    conversions,
    mark_spent,
    revenue,
    lineage_id
from {{ ref('stg_ad_performance') }}
where {{ among('date', stale) }}
