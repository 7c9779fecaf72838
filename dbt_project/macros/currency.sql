{# One currency for every amount: the property's. An amount in another is multiplied by the rate of its day. #}


{# The property's currency; MKT_DBT_CURRENCY comes from the platform's settings. #}
{% macro property_currency() -%}
    {%- set currency = env_var('MKT_DBT_CURRENCY', 'USD') -%}
    {%- if not is_currency_code(currency) -%}
        {{ exceptions.raise_compiler_error("MKT_DBT_CURRENCY is no ISO 4217 code: " ~ currency) }}
    {%- endif -%}
    {{ return(currency) }}
{%- endmacro %}


{% macro is_currency_code(text) -%}
    {{ return(text | length == 3 and text.isascii() and text.isalpha() and text.isupper()) }}
{%- endmacro %}


{# The currency of a row that may not state one: then it is the property's. #}
{% macro stated_currency(column) -%}
    coalesce(upper({{ blank_to_null(column) }}), '{{ property_currency() }}')
{%- endmacro %}


{# `rows` with the rate of each on its `day` as exchange_rate: 1 for the property's currency, null where none is known.
   The rows have original_currency. #}
{% macro with_exchange_rate(rows, day) -%}
    select
        {{ rows }}.*,
        case
            when {{ rows }}.original_currency = '{{ property_currency() }}' then cast(1 as double)
            else rates.rate
        end as exchange_rate
    from {{ rows }}
    left join {{ ref('int_exchange_rates') }} as rates
        on {{ rows }}.{{ day }} = rates.date and {{ rows }}.original_currency = rates.currency
{%- endmacro %}


{# An amount in the property's currency, to four decimals; what is in it already stays as it is, to the last digit. #}
{% macro at_rate(amount, rate) -%}
    case when {{ rate }} = 1 then {{ amount }} else cast(cast({{ amount }} as double) * {{ rate }} as decimal(18, 4)) end
{%- endmacro %}


{# What is missing and what to do. Events hold what a page put there: only a code is repeated. #}
{% macro missing_rate(currency, first_date, last_date, days) -%}
    {%- set when = first_date ~ (" and on " ~ (days - 1) ~ " more days to " ~ last_date if days > 1 else "") -%}
    {%- if is_currency_code(currency) -%}
        {{ return(
            "no rate from " ~ currency ~ " to " ~ property_currency() ~ " on " ~ when ~ ": add one of that day, or of at most "
            ~ var('exchange_rate_days') ~ " days before, to currency_rates.csv, the file of MKT_RATES_URI, or set MKT_CURRENCY to the "
            ~ "property's currency"
        ) }}
    {%- endif -%}
    {{ return("amounts on " ~ when ~ " are in a currency that is no ISO 4217 code such as EUR: correct the source") }}
{%- endmacro %}


{# Items with their amounts in the property's currency. #}
{% macro items_at_rate(items, rate) -%} {{ adapter.dispatch('items_at_rate', 'mkt')(items, rate) }} {%- endmacro %}
