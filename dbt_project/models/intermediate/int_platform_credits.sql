-- What GA4 says of each campaign on each day with sessions or credits of it, under the ad platform's
-- channel and name where there are ones.
with ads as (
    select * from {{ ref('marketing_clean') }}
),

platform_keys as (
    -- links are tagged with the campaign's name, or with its id
    select distinct
        channel,
        campaign,
        lower(trim(campaign)) as campaign_key,
        1 as preference
    from ads
    union all
    select distinct
        channel,
        campaign,
        lower(trim(campaign_id)) as campaign_key,
        2 as preference
    from ads
    where campaign_id is not null
),

matches as (
    select
        channel,
        campaign,
        campaign_key,
        rank() over (partition by campaign_key order by preference) as preference
    from platform_keys
    -- GA4's words for what is no campaign: (direct), (organic), (not set) ...
    where campaign_key not like '(%)'
),

touched as (
    select
        date,
        campaign,
        lower(trim(campaign)) as campaign_key,
        0 as attributed_conversions,
        0 as attributed_revenue,
        lineage_ids
    from {{ ref('int_campaign_days') }}
    union all
    select
        date,
        campaign,
        lower(trim(campaign)) as campaign_key,
        attributed_conversions,
        attributed_revenue,
        lineage_ids
    from {{ ref('fct_attribution') }}
    where model = '{{ var("platform_claims_model") }}'
),

spellings as (
    {{ prevailing_spelling('touched', 'campaign_key', 'campaign') }}
),

days as (
    select
        date,
        campaign_key,
        cast(sum(attributed_conversions) as decimal(24, 12)) as conversions,
        cast(sum(attributed_revenue) as decimal(24, 12)) as revenue,
        {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids
    from touched
    group by date, campaign_key
),

matched as (
    select
        days.*,
        matches.channel,
        coalesce(matches.campaign, spellings.campaign) as campaign,
        -- of a name that several channels use, each has its part of the day's clicks
        coalesce(ads.clicks, 0) as clicks,
        sum(coalesce(ads.clicks, 0)) over (partition by days.date, days.campaign_key) as all_clicks
    from days
    inner join spellings on days.campaign_key = spellings.campaign_key
    left join matches on days.campaign_key = matches.campaign_key and matches.preference = 1
    left join ads
        on
            days.date = ads.date
            and matches.channel = ads.channel
            and matches.campaign = ads.campaign
),

weighted as (
    select
        *,
        case when all_clicks > 0 then clicks else 1 end as weight
    from matched
),

parts as (
    select
        date,
        channel,
        campaign,
        {{ exact_part('conversions', 'weight', 'date, campaign_key', 'channel, campaign', 'decimal(24, 12)') }}
            as conversions,
        {{ exact_part('revenue', 'weight', 'date, campaign_key', 'channel, campaign', 'decimal(24, 12)') }}
            as revenue,
        lineage_ids
    from weighted
)

select
    date,
    channel,
    campaign,
    cast(sum(conversions) as decimal(24, 12)) as attributed_conversions,
    cast(sum(revenue) as decimal(28, 12)) as attributed_revenue,
    {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids
from parts
group by date, channel, campaign
