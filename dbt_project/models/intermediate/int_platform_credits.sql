-- What GA4 says of each campaign on each day with sessions or credits of it, under the ad platform's
-- channel and name where there are ones by the time that the day is final.
with ads as (
    select * from {{ ref('marketing_clean') }}
),

platform_keys as (
    -- links are tagged with the campaign's name, or with its id
    select
        channel,
        campaign,
        lower(trim(campaign)) as campaign_key,
        1 as preference,
        min(date) as first_date
    from ads
    group by channel, campaign
    union all
    select
        channel,
        campaign,
        lower(trim(campaign_id)) as campaign_key,
        2 as preference,
        min(date) as first_date
    from ads
    where campaign_id is not null
    group by channel, campaign, lower(trim(campaign_id))
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

matches as (
    select
        days.date,
        platform_keys.channel,
        platform_keys.campaign,
        platform_keys.campaign_key,
        rank() over (
            partition by days.date, days.campaign_key order by platform_keys.preference
        ) as preference
    from days
    inner join platform_keys
        on
            days.campaign_key = platform_keys.campaign_key
            and {{ known_in_time('platform_keys.first_date', 'days.date') }}
    where not {{ names_no_campaign('platform_keys.campaign_key') }}
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
    left join matches
        on
            days.date = matches.date
            and days.campaign_key = matches.campaign_key
            and matches.preference = 1
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
