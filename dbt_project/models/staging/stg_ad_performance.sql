-- the columns are qualified since only so can their lineage be read off the SQL
select
    ads.date,
    trim(ads.channel) as channel,
    trim(ads.campaign) as campaign,
    lower(trim(ads.channel)) as channel_key,
    lower(trim(ads.campaign)) as campaign_key,
    ads.campaign_id,
    ads.currency,
    ads.impressions,
    ads.clicks,
    ads.leads,
    ads.conversions,
    ads.spend as mark_spent,
    ads.revenue,
    ads.lineage_id
from {{ lake_table('ad_performance') }} as ads
