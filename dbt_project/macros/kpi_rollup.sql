{# marketing_clean summed to `grain` (a list of columns), every KPI as a ratio of those sums, over the rows that report
   both parts of it. Over channels, what may not be added is null and a flag says so. #}
{% macro kpi_rollup(grain) -%}
    {%- set keys = grain | join(', ') -%}
    {%- set over_channels = 'channel' not in grain -%}
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
        {{- comparable_columns() }}
        min(is_final) as is_final,
        {{ lineage_list('lineage_id') }} as lineage_ids
        {%- if over_channels %},
        {{ has_mixed_windows('conversions', 'revenue') }} as has_mixed_windows,
        {{ has_mixed_time_zones() }} as has_mixed_time_zones
        {%- endif %}
    from campaigns
    group by {{ keys }}
){% if over_channels %},

comparable as (
    select
        {{ keys }},
        currency,
        impressions,
        clicks,
        leads,
        {{ unless_mixed('conversions') }} as conversions,
        mark_spent,
        {{ unless_mixed('revenue') }} as revenue,
        {%- for name in comparable_measures() %}
        {{ unless_mixed(name) ~ ' as ' ~ name if name.startswith(('conversions', 'revenue')) else name }},
        {%- endfor %}
        is_final,
        lineage_ids,
        has_mixed_windows,
        has_mixed_time_zones
    from sums
){% endif %}

select
    {{ keys }},
    currency,
    impressions,
    clicks,
    leads,
    conversions,
    mark_spent,
    revenue,
    {%- for name in comparable_measures() %}
    {{ name }},
    {%- endfor %}
    {{ kpi_columns() }},
    is_final,
    lineage_ids
    {%- if over_channels %},
    has_mixed_windows,
    has_mixed_time_zones
    {%- endif %}
from {{ "comparable" if over_channels else "sums" }}
order by {{ keys }}
{%- endmacro %}
