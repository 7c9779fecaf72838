with sides as (
    select
        date,
        currency,
        mark_spent,
        cast(null as decimal(18, 4)) as purchase_revenue,
        is_final,
        lineage_ids
    from {{ ref('kpi_daily') }}
    union all
    select
        purchase_date as date,
        currency,
        cast(null as decimal(18, 4)) as mark_spent,
        revenue as purchase_revenue,
        cast(null as boolean) as is_final,
        lineage_ids
    from {{ ref('fct_purchases') }}
),

sums as (
    select
        date,
        count(distinct currency) as currencies,
        min(currency) as currency,
        cast(sum(mark_spent) as decimal(18, 4)) as mark_spent,
        cast(sum(purchase_revenue) as decimal(18, 4)) as purchase_revenue,
        min(is_final) as is_final,
        {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids
    from sides
    group by date
)

select
    date,
    case when currencies = 1 then currency end as currency,
    mark_spent,
    purchase_revenue,
    case when currencies <= 1 then {{ kpi('mer') }} end as mer,
    is_final,
    lineage_ids
from sums
order by date
