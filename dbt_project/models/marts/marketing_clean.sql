with ads as (
    select * from {{ ref('int_ad_days') }}
),

campaign_spellings as (
    {{ prevailing_spelling('ads', 'campaign_key', 'campaign') }}
),

channel_spellings as (
    {{ prevailing_spelling('ads', 'channel_key', 'channel') }}
),

ad_sources as (
    select * from {{ ref('ad_sources') }}
),

newest as (
    -- of the data, not of the clock: the same input must give the same rows on any day
    select max(date) as newest_date from ads
),

merged as (
    select
        date,
        channel_key,
        campaign_key,
        max(campaign_id) as campaign_id,
        -- the property's in every row, whatever the source's was
        min(currency) as currency,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        sum(leads) as leads,
        sum(conversions) as conversions,
        sum(mark_spent) as mark_spent,
        sum(revenue) as revenue,
        {{- comparable_columns(of_rows=true) }}
        -- a day's ad rows come from one source object, so merged rows share their lineage
        min(lineage_id) as lineage_id
    from ads
    group by date, channel_key, campaign_key
)

select
    merged.date,
    channel_spellings.channel,
    campaign_spellings.campaign,
    merged.campaign_id,
    merged.currency,
    cast(merged.impressions as bigint) as impressions,
    cast(merged.clicks as bigint) as clicks,
    cast(merged.leads as bigint) as leads,
    cast(merged.conversions as decimal(18, 4)) as conversions,
    cast(merged.mark_spent as decimal(18, 4)) as mark_spent,
    cast(merged.revenue as decimal(18, 4)) as revenue,
    {%- for name in comparable_measures() %}
        merged.{{ name }},
    {%- endfor %}
    merged.date < {{ minus_days('newest.newest_date', final_after_days()) }} as is_final,
    merged.lineage_id,
    ad_sources.time_zone,
    ad_sources.click_window_days,
    ad_sources.view_window_days
from merged
inner join campaign_spellings on merged.campaign_key = campaign_spellings.campaign_key
inner join channel_spellings on merged.channel_key = channel_spellings.channel_key
left join ad_sources on merged.channel_key = ad_sources.channel
cross join newest
order by merged.date, channel_spellings.channel, campaign_spellings.campaign
