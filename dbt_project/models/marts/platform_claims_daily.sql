with claims as (
    select
        date,
        cast(sum(reported_conversions) as decimal(18, 4)) as reported_conversions,
        cast(sum(reported_revenue) as decimal(18, 4)) as reported_revenue,
        -- of the platforms' campaigns; what no platform knows is among the purchases
        cast(sum(case when channel is not null then attributed_conversions end) as decimal(24, 12))
            as attributed_conversions,
        cast(sum(case when channel is not null then attributed_revenue end) as decimal(28, 12))
            as attributed_revenue,
        {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids
    from {{ ref('platform_claims') }}
    group by date
),

compared as (
    select
        claims.date,
        claims.reported_conversions,
        claims.reported_revenue,
        claims.attributed_conversions,
        claims.attributed_revenue,
        totals.purchases,
        totals.revenue as purchase_revenue,
        claims.lineage_ids
    from claims
    left join {{ ref('ga4_daily') }} as totals on claims.date = totals.date
)

select
    date,
    reported_conversions,
    reported_revenue,
    attributed_conversions,
    attributed_revenue,
    purchases,
    purchase_revenue,
    {{ over_claim('conversions') }} as over_claim_factor,
    {{ over_claim('revenue') }} as revenue_over_claim_factor,
    {{ claims_per_purchase() }} as claims_per_purchase,
    lineage_ids
from compared
order by date
