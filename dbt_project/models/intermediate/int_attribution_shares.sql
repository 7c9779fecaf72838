-- What each touch of a purchase is credited with by each attribution model.
{{ config(
    materialized=by_days(),
    meta={'dates': {
        'column': 'purchase_date',
        'follows': {
            'int_attribution_rules': [0, 0],
        },
    }}
) }}

{%- set stale = stale_dates() %}

with weights as (
    {{ attribution_weights(ref('int_attribution_rules'), among('purchase_date', stale)) }}
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
