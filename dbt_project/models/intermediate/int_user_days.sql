-- What each user did on each day, of which visitors' features and the day's counts are sums.
{{ config(
    materialized=by_days(),
    meta={'dates': {'column': 'event_date', 'follows': {'lake.events': [0, 0]}}}
) }}

{%- set stale = stale_dates() %}

select
    event_date,
    user_key,
    cast(count(*) as bigint) as events,
    cast(sum(case when is_key_event then 1 else 0 end) as bigint) as key_events,
    cast(sum(case when event_name = 'view_item' then 1 else 0 end) as bigint) as item_views,
    cast(sum(case when event_name = 'add_to_cart' then 1 else 0 end) as bigint) as cart_additions,
    cast(sum(case when event_name = 'refund' and transaction_id is null then 1 else 0 end) as bigint)
        as refunds_without_id,
    {{ lineage_list('lineage_id') }} as lineage_ids
from {{ ref('stg_events') }}
where {{ among('event_date', stale) }}
group by event_date, user_key
