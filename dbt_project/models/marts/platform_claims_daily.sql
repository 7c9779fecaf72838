with sums as (
    select
        date,
        cast(sum(reported_conversions) as decimal(18, 4)) as reported_conversions,
        cast(sum(reported_revenue) as decimal(18, 4)) as reported_revenue,
        -- of the platforms' campaigns; what no platform knows is among the purchases
        cast(sum(case when channel is not null then attributed_conversions end) as decimal(24, 12))
            as attributed_conversions,
        cast(sum(case when channel is not null then attributed_revenue end) as decimal(28, 12))
            as attributed_revenue,
        cast(sum(comparable_conversions) as decimal(18, 4)) as comparable_conversions,
        cast(sum(comparable_revenue) as decimal(18, 4)) as comparable_revenue,
        cast(sum(comparable_attributed_conversions) as decimal(24, 12)) as comparable_attributed_conversions,
        cast(sum(comparable_attributed_revenue) as decimal(28, 12)) as comparable_attributed_revenue,
        {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids,
        {{ has_mixed_windows('reported_conversions', 'reported_revenue') }} as has_mixed_windows,
        {{ has_mixed_time_zones() }} as has_mixed_time_zones
    from {{ ref('platform_claims') }}
    group by date
),

claims as (
    select
        date,
        {{ unless_mixed('reported_conversions') }} as reported_conversions,
        {{ unless_mixed('reported_revenue') }} as reported_revenue,
        attributed_conversions,
        attributed_revenue,
        {{ unless_mixed('comparable_conversions') }} as comparable_conversions,
        {{ unless_mixed('comparable_revenue') }} as comparable_revenue,
        comparable_attributed_conversions,
        comparable_attributed_revenue,
        lineage_ids,
        has_mixed_windows,
        has_mixed_time_zones
    from sums
),

compared as (
    select
        claims.date,
        claims.reported_conversions,
        claims.reported_revenue,
        claims.attributed_conversions,
        claims.attributed_revenue,
        claims.comparable_conversions,
        claims.comparable_revenue,
        claims.comparable_attributed_conversions,
        claims.comparable_attributed_revenue,
        totals.purchases,
        totals.revenue as purchase_revenue,
        claims.lineage_ids,
        claims.has_mixed_windows,
        claims.has_mixed_time_zones
    from claims
    left join {{ ref('ga4_daily') }} as totals on claims.date = totals.date
)

select
    date,
    reported_conversions,
    reported_revenue,
    attributed_conversions,
    attributed_revenue,
    comparable_conversions,
    comparable_revenue,
    comparable_attributed_conversions,
    comparable_attributed_revenue,
    purchases,
    purchase_revenue,
    {{ kpi('over_claim_factor') }} as over_claim_factor,
    {{ kpi('revenue_over_claim_factor') }} as revenue_over_claim_factor,
    {{ kpi('claims_per_purchase') }} as claims_per_purchase,
    lineage_ids,
    has_mixed_windows,
    has_mixed_time_zones
from compared
order by date
