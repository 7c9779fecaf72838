-- What each touch of a purchase is credited with by each attribution model.
with weights as (
    {{ attribution_weights(ref('int_attribution_rules')) }}
)

select
    model,
    transaction_id,
    touch_number,
    purchase_date,
    channel_group,
    campaign,
    {{ exact_part('one', 'weight', 'model, transaction_id', 'touch_number', 'decimal(13, 12)') }}
        as credited_conversions,
    {{ exact_part('amount', 'weight', 'model, transaction_id', 'touch_number', 'decimal(28, 12)') }}
        as credited_revenue
from weights
