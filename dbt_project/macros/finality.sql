{# A day is final once it is so many days older than the newest: what the platforms rewrite, or what the daily run reads
   again where that is more. #}
{% macro final_after_days() -%}
    {{ return([var('final_after_days'), env_var('MKT_DBT_LATE_DAYS', '0') | int] | max) }}
{%- endmacro %}


{# Whether something first seen on one day was known when another became final: what comes later changes no final
   day. #}
{% macro known_in_time(first_date, date) -%}
    {{ first_date }} <= {{ plus_days(date, final_after_days()) }}
{%- endmacro %}
