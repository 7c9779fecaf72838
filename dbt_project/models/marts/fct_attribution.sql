{{ config(
    materialized=by_days(),
    meta={'dates': {
        'column': 'date',
        'follows': {
            'int_attribution_credits': [0, 0],
        },
    }}
) }}

{%- set stale = stale_dates() %}

{{ attribution_rollup('campaign', among('date', stale)) }}
