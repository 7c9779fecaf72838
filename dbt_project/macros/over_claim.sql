{# What ad platforms report per unit that GA4 attributes to their campaigns: a ratio of sums at the
   grain of the row, NULL where nothing is attributed. `of` is conversions or revenue. #}
{% macro over_claim(of) -%}
    cast(reported_{{ of }} as double) / nullif(cast(attributed_{{ of }} as double), 0)
{%- endmacro %}


{# What ad platforms report per purchase of the property, whoever brought it. #}
{% macro claims_per_purchase() -%}
    cast(reported_conversions as double) / nullif(cast(purchases as double), 0)
{%- endmacro %}
