-- What one unit of each currency was worth in the property's, on each day: the latest rate on or before the day, no
-- older than so many days. Computed whole, and compared day by day, so that a new rate rebuilds its own days alone.
{{ config(
    materialized=by_days(),
    meta={'dates': {'column': 'date', 'follows': {}}}
) }}

with quotes as (
    select
        date,
        currency,
        rate
    from {{ ref('currency_rates') }}
    union all
    select distinct
        date,
        reference as currency,
        cast(1 as decimal(20, 10)) as rate
    from {{ ref('currency_rates') }}
),

ages as (
    {%- for age in range(var('exchange_rate_days') + 1) %}
        select {{ age }} as age
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

candidates as (
    select
        {{ plus_days('quotes.date', 'ages.age') }} as date,
        quotes.currency,
        quotes.rate,
        row_number() over (
            partition by {{ plus_days('quotes.date', 'ages.age') }}, quotes.currency order by ages.age
        ) as preference
    from quotes
    cross join ages
),

known as (
    select
        date,
        currency,
        cast(rate as double) as rate
    from candidates
    where preference = 1
)

select
    foreign_rates.date,
    foreign_rates.currency,
    property_rates.rate / foreign_rates.rate as rate
from known as foreign_rates
inner join known as property_rates on foreign_rates.date = property_rates.date
where
    property_rates.currency = '{{ property_currency() }}'
    and foreign_rates.currency != '{{ property_currency() }}'
