with events as (
    select
        *,
        transaction_id is null as is_transaction_id_derived,
        coalesce(
            transaction_id, 'txn_' || {{ surrogate_key(['user_key', 'event_timestamp']) }}
        ) as purchase_id
    from {{ ref('stg_events') }}
    -- a refund that names no transaction refunds none that we know
    where event_name = 'purchase' or (event_name = 'refund' and transaction_id is not null)
),

ranked as (
    select
        *,
        row_number() over (partition by purchase_id order by event_timestamp, event_key) as occurrence
    from events
    where event_name = 'purchase'
),

totals as (
    select
        purchase_id,
        sum(case when event_name = 'purchase' then 1 else 0 end) as purchase_events,
        sum(case when event_name = 'refund' then 1 else 0 end) as refund_events,
        sum(case when event_name = 'refund' then refund_value end) as refund_value,
        {{ lineage_list('lineage_id') }} as lineage_ids
    from events
    group by purchase_id
)

select
    ranked.purchase_id as transaction_id,
    ranked.occurred_at as purchased_at,
    ranked.event_date as purchase_date,
    ranked.user_key,
    ranked.session_key,
    cast(
        coalesce(ranked.purchase_revenue, {{ sum_of_items('ranked.items', 'item_revenue') }}) as decimal(18, 4)
    ) as revenue,
    ranked.tax_value as tax,
    ranked.shipping_value as shipping,
    ranked.currency,
    cast({{ sum_of_items('ranked.items', 'quantity') }} as bigint) as quantity,
    ranked.items,
    totals.refund_events > 0 as is_refunded,
    cast(totals.refund_value as decimal(18, 4)) as refund_value,
    ranked.is_transaction_id_derived,
    ranked.purchase_revenue is null as is_revenue_from_items,
    cast(totals.purchase_events - 1 as bigint) as duplicate_events,
    totals.lineage_ids
from ranked
inner join totals on ranked.purchase_id = totals.purchase_id
where ranked.occurrence = 1
order by ranked.event_date, ranked.purchase_id
