-- The purchase and refund events, each with the id of its purchase, in the property's currency.
{{ config(
    materialized=by_days(),
    meta={'dates': {'column': 'event_date', 'follows': {'lake.events': [0, 0], 'int_exchange_rates': [0, 0]}}}
) }}

{%- set stale = stale_dates() %}

with events as (
    select
        told.*,
        -- what has no amount needs no rate
        case
            when
                coalesce(told.purchase_revenue, told.refund_value, told.shipping_value, told.tax_value) is null
                and {{ sum_of_items('told.items', 'item_revenue') }} is null
                and {{ sum_of_items('told.items', 'price') }} is null
                then '{{ property_currency() }}'
            else {{ stated_currency('told.currency') }}
        end as original_currency
    from {{ ref('stg_events') }} as told
    where
        -- a refund that names no transaction refunds none that we know
        (told.event_name = 'purchase' or (told.event_name = 'refund' and told.transaction_id is not null))
        and {{ among('told.event_date', stale) }}
),

priced as (
    {{ with_exchange_rate('events', 'event_date') }}
)

select
    priced.event_date,
    priced.event_timestamp,
    priced.event_key,
    priced.event_name,
    priced.occurred_at,
    priced.user_key,
    priced.session_key,
    coalesce(
        priced.transaction_id,
        'txn_' || {{ surrogate_key(['priced.user_key', 'priced.event_timestamp']) }}
    ) as transaction_id,
    priced.transaction_id is null as is_transaction_id_derived,
    '{{ property_currency() }}' as currency,
    {{ at_rate('priced.purchase_revenue', 'priced.exchange_rate') }} as purchase_revenue,
    {{ at_rate('priced.refund_value', 'priced.exchange_rate') }} as refund_value,
    {{ at_rate('priced.shipping_value', 'priced.exchange_rate') }} as shipping_value,
    {{ at_rate('priced.tax_value', 'priced.exchange_rate') }} as tax_value,
    {{ items_at_rate('priced.items', 'priced.exchange_rate') }} as items,
    priced.original_currency,
    cast(
        coalesce(priced.purchase_revenue, {{ sum_of_items('priced.items', 'item_revenue') }}) as decimal(18, 4)
    ) as original_revenue,
    priced.exchange_rate,
    priced.lineage_id
from priced
