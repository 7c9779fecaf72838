with sums as (
    select
        date,
        channel,
        cast(sum(reported_conversions) as decimal(18, 4)) as reported_conversions,
        cast(sum(reported_revenue) as decimal(18, 4)) as reported_revenue,
        cast(sum(attributed_conversions) as decimal(24, 12)) as attributed_conversions,
        cast(sum(attributed_revenue) as decimal(28, 12)) as attributed_revenue,
        cast(sum(comparable_conversions) as decimal(18, 4)) as comparable_conversions,
        cast(sum(comparable_revenue) as decimal(18, 4)) as comparable_revenue,
        cast(sum(comparable_attributed_conversions) as decimal(24, 12)) as comparable_attributed_conversions,
        cast(sum(comparable_attributed_revenue) as decimal(28, 12)) as comparable_attributed_revenue,
        {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids
    from {{ ref('platform_claims') }}
    group by date, channel
)

select
    date,
    channel,
    reported_conversions,
    reported_revenue,
    attributed_conversions,
    attributed_revenue,
    comparable_conversions,
    comparable_revenue,
    comparable_attributed_conversions,
    comparable_attributed_revenue,
    {{ kpi('over_claim_factor') }} as over_claim_factor,
    {{ kpi('revenue_over_claim_factor') }} as revenue_over_claim_factor,
    lineage_ids
from sums
order by date, channel
