-- The ad platforms' rows, day by day, so that the marts need not open every file of the lake.
{{ config(
    materialized='incremental',
    meta={'dates': {'column': 'date', 'follows': {'lake.ad_performance': [0, 0]}}}
) }}

select *
from {{ ref('stg_ad_performance') }}
{%- if is_incremental() %}
where {{ among('date', stale_dates()) }}
{%- endif %}
