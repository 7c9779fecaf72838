{# A row's part of `amount` when it is split by `weight` over the rows of `partition_by`. The rows
   are rounded as running sums, so the parts are never negative (where the amount is not) and sum to
   the amount exactly. `amount` is a decimal of 24 digits, so that the product fits into 38; `weight`
   is no double, since sums must be exact, and its sum is above zero. #}
{% macro exact_part(amount, weight, partition_by, order_by, type) -%}
    {%- set running = "sum(" ~ weight ~ ") over (partition by " ~ partition_by ~ " order by " ~ order_by
        ~ " rows between unbounded preceding and current row)" -%}
    {%- set whole = "sum(" ~ weight ~ ") over (partition by " ~ partition_by ~ ")" -%}
    cast(
        cast({{ amount }} * {{ exact_ratio(running, whole) }} as {{ type }})
        - cast({{ amount }} * {{ exact_ratio(running ~ " - " ~ weight, whole) }} as {{ type }}) as {{ type }}
    )
{%- endmacro %}


{% macro exact_ratio(part, whole) -%}
    cast(cast({{ part }} as double) / cast({{ whole }} as double) as decimal(13, 12))
{%- endmacro %}
{# The credits of every attribution model summed to model, date and `dimension`. #}
{% macro attribution_rollup(dimension, where) -%}
with credits as (
    select * from {{ ref('int_attribution_credits') }}
    where {{ where }}
)

select
    model,
    date,
    {{ dimension }},
    cast(sum(attributed_conversions) as decimal(24, 12)) as attributed_conversions,
    cast(sum(attributed_revenue) as decimal(28, 12)) as attributed_revenue,
    {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids
from credits
group by model, date, {{ dimension }}
order by model, date, {{ dimension }}
{%- endmacro %}


{# The rules' weights, a row for each attribution model and touch. #}
{% macro attribution_weights(rules, where) -%}
    {%- for name in var('attribution_models') %}
    select
        '{{ name }}' as model,
        transaction_id,
        touch_number,
        purchase_date,
        channel_group,
        campaign,
        cast({{ name }} as decimal(24, 15)) as weight,
        cast(1 as decimal(24, 4)) as one,
        cast(coalesce(revenue, 0) as decimal(24, 4)) as amount
    from {{ rules }}
    where {{ where }}
    {{ "union all" if not loop.last }}
    {%- endfor %}
{%- endmacro %}
