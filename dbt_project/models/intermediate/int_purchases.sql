-- One row per purchase; of several purchase events with one id the earliest counts. Refunds come later.
{{ config(
    materialized=by_days(),
    meta={'dates': {
        'column': 'purchase_date',
        'follows': {'int_purchase_events': [0, 0]},
        'spans': ['last_event_date'],
        'entity': {'rows': 'int_purchase_events', 'key': 'transaction_id', 'date': 'event_date'},
    }}
) }}

{%- set stale = stale_dates() %}

with events as (
    select * from {{ ref('int_purchase_events') }}
    where
        event_name = 'purchase'
        and transaction_id in (
            select picked.transaction_id from {{ ref('int_purchase_events') }} as picked
            where picked.event_name = 'purchase' and {{ among('picked.event_date', stale) }}
        )
),

ranked as (
    select
        *,
        row_number() over (partition by transaction_id order by event_date, event_timestamp, event_key) as occurrence
    from events
),

totals as (
    select
        transaction_id,
        max(event_date) as last_event_date,
        count(*) as purchase_events,
        {{ lineage_list('lineage_id') }} as lineage_ids
    from events
    group by transaction_id
)

select
    ranked.transaction_id,
    ranked.occurred_at as purchased_at,
    ranked.event_date as purchase_date,
    totals.last_event_date,
    ranked.user_key,
    ranked.session_key,
    cast(
        coalesce(ranked.purchase_revenue, {{ sum_of_items('ranked.items', 'item_revenue') }}) as decimal(18, 4)
    ) as revenue,
    ranked.tax_value as tax,
    ranked.shipping_value as shipping,
    ranked.currency,
    ranked.original_currency,
    ranked.original_revenue,
    cast({{ sum_of_items('ranked.items', 'quantity') }} as bigint) as quantity,
    ranked.items,
    ranked.is_transaction_id_derived,
    ranked.purchase_revenue is null as is_revenue_from_items,
    cast(totals.purchase_events - 1 as bigint) as duplicate_events,
    totals.lineage_ids
from ranked
inner join totals on ranked.transaction_id = totals.transaction_id
where
    ranked.occurrence = 1
    and {{ among('ranked.event_date', stale) }}
