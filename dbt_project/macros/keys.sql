{# A key over several columns that neither a null nor a separator inside a value can confuse:
   each value carries its length ("3:abc"), a null is "-". #}
{% macro surrogate_key(columns) -%}
    md5(
        {%- for column in columns %}
        coalesce(
            cast(length(cast({{ column }} as {{ text_type() }})) as {{ text_type() }})
            || ':' || cast({{ column }} as {{ text_type() }}), '-'
        ){{ " ||" if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}


{# The text without blanks and tabs around it, NULL for the many ways in which GA4 says "nothing". #}
{% macro blank_to_null(column) -%}
    {%- set text = "trim(replace(" ~ column ~ ", '\t', ' '))" -%}
    case when lower({{ text }}) not in ('', '(not set)') then {{ text }} end
{%- endmacro %}


{# The key events as a list of SQL literals. #}
{% macro key_event_names() -%}
    '{{ var("key_events") | join("', '") }}'
{%- endmacro %}


{# One row per `key`: the spelling of `column` that most rows of the whole history use;
   of equally frequent ones the alphabetically first. #}
{% macro prevailing_spelling(relation, key, column) -%}
    select
        ranked.{{ key }},
        ranked.{{ column }}
    from (
        select
            {{ key }},
            {{ column }},
            row_number() over (partition by {{ key }} order by count(*) desc, {{ column }} asc) as preference
        from {{ relation }}
        group by {{ key }}, {{ column }}
    ) as ranked
    where ranked.preference = 1
{%- endmacro %}
