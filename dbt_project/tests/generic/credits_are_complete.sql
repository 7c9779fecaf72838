{# On every day with purchases every attribution model is there, no other is, and its credits sum
   exactly to the day's purchases and to their revenue. #}
{% test credits_are_complete(model, purchases) %}
with bought as (
    select
        purchase_date as date,
        count(*) as conversions,
        sum(coalesce(revenue, 0)) as revenue
    from {{ purchases }}
    group by purchase_date
),

expected as (
    select
        models.model,
        bought.date,
        bought.conversions,
        bought.revenue
    from bought
    cross join (
        {%- for name in var('attribution_models') %}
        select '{{ name }}' as model
        {{ "union all" if not loop.last }}
        {%- endfor %}
    ) as models
),

found as (
    select
        model,
        date,
        sum(attributed_conversions) as conversions,
        sum(attributed_revenue) as revenue
    from {{ model }}
    group by model, date
)

select
    coalesce(expected.model, found.model) as model,
    coalesce(expected.date, found.date) as date,
    expected.conversions,
    found.conversions as credited_conversions,
    expected.revenue,
    found.revenue as credited_revenue
from expected
full outer join found on expected.model = found.model and expected.date = found.date
where
    expected.conversions is distinct from found.conversions
    or expected.revenue is distinct from found.revenue
{% endtest %}
