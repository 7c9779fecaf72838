-- The credits of each model by day, channel and campaign; a campaign of a path that gets none has zero.
{{ config(
    materialized=by_days(),
    meta={'dates': {
        'column': 'date',
        'follows': {
            'int_attribution_shares': [0, 0],
            'int_conversion_paths': [0, 0],
        },
    }}
) }}

{%- set stale = stale_dates() %}

with credits as (
    select
        model,
        purchase_date as date,
        channel_group,
        campaign,
        sum(credited_conversions) as attributed_conversions,
        sum(credited_revenue) as attributed_revenue
    from {{ ref('int_attribution_shares') }}
    where {{ among('purchase_date', stale) }}
    group by model, purchase_date, channel_group, campaign
),

lineage as (
    select
        purchase_date as date,
        channel_group,
        campaign,
        {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids
    from {{ ref('int_conversion_paths') }}
    where {{ among('purchase_date', stale) }}
    group by purchase_date, channel_group, campaign
)

select
    credits.model,
    credits.date,
    credits.channel_group,
    credits.campaign,
    cast(credits.attributed_conversions as decimal(24, 12)) as attributed_conversions,
    cast(credits.attributed_revenue as decimal(28, 12)) as attributed_revenue,
    lineage.lineage_ids
from credits
inner join lineage
    on
        credits.date = lineage.date
        and credits.channel_group = lineage.channel_group
        and credits.campaign = lineage.campaign
