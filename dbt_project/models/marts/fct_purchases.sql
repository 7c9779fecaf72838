{{ config(
    materialized=by_days(),
    meta={'dates': {
        'column': 'purchase_date',
        'follows': {'int_purchases': [0, 0], 'int_purchase_events': [0, 0]},
        'spans': ['first_refund_date', 'last_refund_date'],
        'entity': {'rows': 'int_purchase_events', 'key': 'transaction_id', 'date': 'event_date'},
    }}
) }}

{%- set stale = stale_dates() %}
{%- set repeated_within = var('repeated_refund_seconds') * 1000000 %}

with purchases as (
    select * from {{ ref('int_purchases') }}
    where {{ among('purchase_date', stale) }}
),

refund_events as (
    select
        *,
        -- microseconds since the same amount and items of the same transaction were last refunded
        event_timestamp - lag(event_timestamp) over (
            partition by transaction_id, refund_value, items order by event_timestamp, event_key
        ) as since_the_same
    from {{ ref('int_purchase_events') }}
    where event_name = 'refund' and transaction_id in (select picked.transaction_id from purchases as picked)
),

refunds as (
    select
        transaction_id,
        sum(
            case when since_the_same is null or since_the_same > {{ repeated_within }} then refund_value end
        ) as refund_value,
        sum(case when since_the_same <= {{ repeated_within }} then 1 else 0 end) as duplicate_refund_events,
        min(event_date) as first_refund_date,
        max(event_date) as last_refund_date,
        {{ lineage_list('lineage_id') }} as lineage_ids
    from refund_events
    group by transaction_id
)

select
    purchases.transaction_id,
    purchases.purchased_at,
    purchases.purchase_date,
    purchases.user_key,
    purchases.session_key,
    purchases.revenue,
    purchases.tax,
    purchases.shipping,
    purchases.currency,
    purchases.original_currency,
    purchases.original_revenue,
    purchases.quantity,
    purchases.items,
    refunds.transaction_id is not null as is_refunded,
    cast(refunds.refund_value as decimal(18, 4)) as refund_value,
    refunds.first_refund_date,
    refunds.last_refund_date,
    purchases.is_transaction_id_derived,
    purchases.is_revenue_from_items,
    purchases.duplicate_events,
    cast(coalesce(refunds.duplicate_refund_events, 0) as bigint) as duplicate_refund_events,
    {{ union_of_lists('purchases.lineage_ids', 'refunds.lineage_ids') }} as lineage_ids
from purchases
left join refunds on purchases.transaction_id = refunds.transaction_id
order by purchases.purchase_date, purchases.transaction_id
