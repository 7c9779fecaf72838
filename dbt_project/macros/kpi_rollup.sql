{# marketing_clean summed to `grain` (a list of columns), every KPI as a ratio of those sums. #}
{% macro kpi_rollup(grain) -%}
    {%- set keys = grain | join(', ') -%}
with campaigns as (
    select * from {{ ref('marketing_clean') }}
),

sums as (
    select
        {{ keys }},
        min(currency) as currency,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(leads) as bigint) as leads,
        cast(sum(conversions) as decimal(18, 4)) as conversions,
        cast(sum(mark_spent) as decimal(18, 4)) as mark_spent,
        cast(sum(revenue) as decimal(18, 4)) as revenue,
        min(is_final) as is_final,
        {{ lineage_list('lineage_id') }} as lineage_ids
    from campaigns
    group by {{ keys }}
)

select
    {{ keys }},
    currency,
    impressions,
    clicks,
    leads,
    conversions,
    mark_spent,
    revenue,
    {{ kpi_columns() }},
    is_final,
    lineage_ids
from sums
order by {{ keys }}
{%- endmacro %}
