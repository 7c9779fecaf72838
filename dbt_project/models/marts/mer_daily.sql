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
),

divided as (
    select
        *,
        case when currencies <= 1 then {{ kpi('mer') }} end as mer
    from sums
),

ga4 as (
    select
        date,
        is_final
    from {{ ref('ga4_daily') }}
)

select
    divided.date,
    case when divided.currencies = 1 then divided.currency end as currency,
    divided.mark_spent,
    divided.purchase_revenue,
    divided.mer,
    coalesce(divided.is_final, true) and coalesce(ga4.is_final, true) as is_final,
    divided.lineage_ids
from divided
left join ga4 on divided.date = ga4.date
order by divided.date
