-- The purchase and refund events, each with the id of its purchase.
{{ config(
    materialized=by_days(),
    meta={'dates': {'column': 'event_date', 'follows': {'lake.events': [0, 0]}}}
) }}

{%- set stale = stale_dates() %}

select
    events.event_date,
    events.event_timestamp,
    events.event_key,
    events.event_name,
    events.occurred_at,
    events.user_key,
    events.session_key,
    coalesce(
        events.transaction_id,
        'txn_' || {{ surrogate_key(['events.user_key', 'events.event_timestamp']) }}
    ) as transaction_id,
    events.transaction_id is null as is_transaction_id_derived,
    events.currency,
    events.purchase_revenue,
    events.refund_value,
    events.shipping_value,
    events.tax_value,
    events.items,
    events.lineage_id
from {{ ref('stg_events') }} as events
where
    -- a refund that names no transaction refunds none that we know
    (events.event_name = 'purchase' or (events.event_name = 'refund' and events.transaction_id is not null))
    and {{ among('events.event_date', stale) }}
