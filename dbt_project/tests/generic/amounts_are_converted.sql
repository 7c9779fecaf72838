{# Every amount is in the property's currency, or the build ends and says which rate is missing. `day` and
   `currency` are columns of the model, which has a column exchange_rate. With `dates`, the day of an incremental model,
   changed days only are read. #}
{% test amounts_are_converted(model, day, currency, dates=none) %}
{%- set unconverted %}
select
    {{ currency }} as currency,
    min({{ day }}) as first_date,
    max({{ day }}) as last_date,
    count(distinct {{ day }}) as days
from {{ model }}
where {{ untested(model, dates) }} and exchange_rate is null
group by {{ currency }}
order by {{ currency }}
{%- endset %}
{%- if execute and flags.WHICH in ('build', 'test') -%}
    {%- set problems = [] -%}
    {%- for row in run_query(unconverted).rows -%}
        {%- do problems.append(missing_rate(row[0], row[1], row[2], row[3])) -%}
    {%- endfor -%}
    {%- if problems -%} {{ exceptions.raise_compiler_error(problems | join('; ')) }} {%- endif -%}
{%- endif -%}
{{ unconverted }}
{% endtest %}
