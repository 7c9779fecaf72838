with reported as (
    select * from {{ ref('marketing_clean') }}
),

credited as (
    select * from {{ ref('int_platform_credits') }}
),

known_to_ga4 as (
    select
        channel,
        campaign,
        min(date) as first_date
    from credited
    where channel is not null
    group by channel, campaign
),

observed as (
    select date from {{ ref('ga4_daily') }}
),

ad_sources as (
    select * from {{ ref('ad_sources') }}
),

reports as (
    select
        date,
        channel,
        max(conversions) is not null as has_conversions,
        max(revenue) is not null as has_revenue
    from reported
    group by date, channel
),

claims as (
    select
        coalesce(reported.date, credited.date) as date,
        coalesce(reported.channel, credited.channel) as channel,
        coalesce(reported.campaign, credited.campaign) as campaign,
        case
            when credited.date is not null and credited.channel is null then 'ga4'
            when known_to_ga4.campaign is null then 'platform'
            else 'both'
        end as known_to,
        reported.conversions as reported_conversions,
        reported.revenue as reported_revenue,
        -- a row says what it says; for a campaign without one, its channel's other rows of the day say whether the
        -- platform reported the number at all
        case
            when reported.date is not null then reported.conversions is not null
            else coalesce(reports.has_conversions, false)
        end as says_conversions,
        case
            when reported.date is not null then reported.revenue is not null
            else coalesce(reports.has_revenue, false)
        end as says_revenue,
        credited.attributed_conversions,
        credited.attributed_revenue,
        reported.lineage_id,
        credited.lineage_ids
    from reported
    full outer join credited
        on
            reported.date = credited.date
            and reported.channel = credited.channel
            and reported.campaign = credited.campaign
    left join reports
        on
            credited.date = reports.date
            and credited.channel = reports.channel
    left join known_to_ga4
        on
            coalesce(reported.channel, credited.channel) = known_to_ga4.channel
            and coalesce(reported.campaign, credited.campaign) = known_to_ga4.campaign
            and {{ known_in_time('known_to_ga4.first_date', 'coalesce(reported.date, credited.date)') }}
),

compared as (
    select
        claims.date,
        claims.channel,
        claims.campaign,
        claims.known_to,
        claims.reported_conversions,
        claims.reported_revenue,
        claims.says_conversions,
        claims.says_revenue,
        -- a day without GA4 data says nothing, which is not zero
        case
            when claims.known_to != 'platform' and observed.date is not null
                then coalesce(claims.attributed_conversions, 0)
        end as attributed_conversions,
        case
            when claims.known_to != 'platform' and observed.date is not null
                then coalesce(claims.attributed_revenue, 0)
        end as attributed_revenue,
        {{ lineage_list_with('claims.lineage_ids', 'claims.lineage_id') }} as lineage_ids,
        ad_sources.time_zone,
        ad_sources.click_window_days,
        ad_sources.view_window_days,
        ad_sources.attribution_model as platform_attribution_model
    from claims
    left join observed on claims.date = observed.date
    left join ad_sources on lower(claims.channel) = ad_sources.channel
),

comparable as (
    select
        *,
        -- a claim of which GA4 knows nothing is held against nothing
        case when attributed_conversions is not null then reported_conversions end as comparable_conversions,
        case when attributed_revenue is not null then reported_revenue end as comparable_revenue,
        -- a platform that did not report the number that day says nothing, which is not that it claims nothing
        case when says_conversions then attributed_conversions end as comparable_attributed_conversions,
        case when says_revenue then attributed_revenue end as comparable_attributed_revenue
    from compared
)

select
    date,
    channel,
    campaign,
    known_to,
    reported_conversions,
    reported_revenue,
    cast(attributed_conversions as decimal(24, 12)) as attributed_conversions,
    cast(attributed_revenue as decimal(28, 12)) as attributed_revenue,
    comparable_conversions,
    comparable_revenue,
    cast(comparable_attributed_conversions as decimal(24, 12)) as comparable_attributed_conversions,
    cast(comparable_attributed_revenue as decimal(28, 12)) as comparable_attributed_revenue,
    {{ kpi('over_claim_factor') }} as over_claim_factor,
    {{ kpi('revenue_over_claim_factor') }} as revenue_over_claim_factor,
    lineage_ids,
    time_zone,
    click_window_days,
    view_window_days,
    platform_attribution_model
from comparable
order by date, channel, campaign
