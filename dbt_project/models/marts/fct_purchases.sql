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

with purchases as (
    select * from {{ ref('int_purchases') }}
    where {{ among('purchase_date', stale) }}
),

refunds as (
    select
        transaction_id,
        sum(refund_value) as refund_value,
        min(event_date) as first_refund_date,
        max(event_date) as last_refund_date,
        {{ lineage_list('lineage_id') }} as lineage_ids
    from {{ ref('int_purchase_events') }}
    where event_name = 'refund' and transaction_id in (select picked.transaction_id from purchases as picked)
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
    {{ union_of_lists('purchases.lineage_ids', 'refunds.lineage_ids') }} as lineage_ids
from purchases
left join refunds on purchases.transaction_id = refunds.transaction_id
order by purchases.purchase_date, purchases.transaction_id
