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
        reported.date is not null as is_reported,
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
        claims.is_reported,
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
        -- no row of the platform claims nothing, a row without the number says nothing; where no platform knows the
        -- campaign there is none to hold it against
        case
            when
                channel is not null
                and (not is_reported or reported_conversions is not null)
                then attributed_conversions
        end as comparable_attributed_conversions,
        case
            when
                channel is not null
                and (not is_reported or reported_revenue is not null)
                then attributed_revenue
        end as comparable_attributed_revenue
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
