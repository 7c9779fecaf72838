{# Every row keeps the rules of its model, which one reading of it tells; a row that breaks some is found once for its
   key and once for all others, and says in `broken` which. Rules are
     key           no two rows share it, and no part of it is null but those listed as `nullable`
     never_null    columns
     not_negative  numbers; null is not a number
     currency      a column that is the property's currency: amounts in two cannot be added
     kpis          no KPI is infinite or NaN, which is what a division by zero leaves; null is right
     rules         a name for each condition; a row where it is null passes, as in a SQL check constraint
   With `dates`, the day of an incremental model, only keys and rows of changed days are looked for, keys in all days;
   with `producer`, a table of the lake, in those days alone, since its keys hold their day. #}
{% test sound_rows(
    model,
    key=[],
    nullable=[],
    never_null=[],
    not_negative=[],
    currency=none,
    kpis=false,
    rules={},
    dates=none,
    producer=none
) %}
{%- set wrong = {} -%}
{%- for column in (key | reject('in', nullable) | list) + never_null -%}
    {%- do wrong.update({column ~ ' is null': column ~ ' is null'}) -%}
{%- endfor -%}
{%- for column in not_negative -%}
    {%- do wrong.update({column ~ ' is below zero': column ~ ' < 0'}) -%}
{%- endfor -%}
{%- if currency -%}
    {%- set other = currency ~ " is distinct from '" ~ property_currency() ~ "'" -%}
    {%- do wrong.update({currency ~ ' is another than that of the property': other}) -%}
{%- endif -%}
{%- for name in (kpi_names() if kpis else []) -%}
    {%- do wrong.update({name ~ ' is not finite': name ~ ' not between -1e300 and 1e300'}) -%}
{%- endfor -%}
{%- for name, condition in rules.items() -%}
    {%- do wrong.update({'not so: ' ~ name: 'not (' ~ condition ~ ')'}) -%}
{%- endfor -%}
{%- set is_untested = untested(model, dates, producer) -%}
{#- a row without a day is of no changed day; a lake's rows have the day of their folder -#}
{%- if dates is not none and producer is none -%}
    {%- set is_untested = '(' ~ is_untested ~ ' or ' ~ dates ~ ' is null)' -%}
{%- endif -%}
{%- if wrong %}
select
    trim(
        {%- for told, condition in wrong.items() %}
        {{ "|| " if not loop.first }}case when {{ condition }} then '{{ told | replace("'", "''") }}. ' else '' end
        {%- endfor %}
    ) as broken,
    here.*
from {{ model }} as here
where
    {{ is_untested }}
    and (
        {%- for condition in wrong.values() %}
        {{ "or " if not loop.first }}{{ condition }}
        {%- endfor %}
    )
{%- endif %}
{%- if wrong and key %}
union all
{%- endif %}
{%- if key %}
select
    '{{ key | join(", ") }} of ' || repeated.rows_of_key || ' rows.' as broken,
    here.*
from {{ model }} as here
inner join (
    select
        {{ key | join(', ') }},
        count(*) as rows_of_key
    from {{ model }}
    {%- if dates is not none %}
    where
        {{ is_untested }}
        {%- if producer is none %}
        or ({{ key | join(', ') }}) in (select {{ key | join(', ') }} from {{ model }} where {{ is_untested }})
        {%- endif %}
    {%- endif %}
    group by {{ key | join(', ') }}
    having count(*) > 1
) as repeated
    on
        {%- for column in key %}
        {{ "and " if not loop.first }}here.{{ column }} is not distinct from repeated.{{ column }}
        {%- endfor %}
{%- endif %}
{% endtest %}
