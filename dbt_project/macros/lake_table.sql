{# A table of the lake, whatever the engine reads it from. On a warehouse engine it is a table of schema `lake`,
   filled by whoever copies the lake there and empty where there is nothing to copy. #}
{% macro lake_table(name) -%} {{ adapter.dispatch('lake_table', 'mkt')(name) }} {%- endmacro %}

{% macro default__lake_table(name) -%} {{ source('lake', name) }} {%- endmacro %}


{# Parquet files. A source of which none exists (no consent log, no cookieless events, no events at all in an
   ads-only set-up) reads as an empty table with the columns of _sources.yml, since read_parquet fails on a pattern
   that matches nothing. #}
{% macro duckdb__lake_table(name) -%}
    {%- set relation = source('lake', name) -%}
    {%- set node = graph.sources.values()
        | selectattr('source_name', 'equalto', 'lake')
        | selectattr('name', 'equalto', name) | first if execute -%}
    {%- if not execute or not relation.external or lake_has_files(node) -%}
        {{ relation }}
    {%- else -%}
        (
            select
                {%- for column in node.columns.values() %}
                cast(null as {{ column.data_type }}) as "{{ column.name }}"{{ "," if not loop.last }}
                {%- endfor %}
            where false
        )
    {%- endif -%}
{%- endmacro %}


{# The pattern of a source's files, as text for SQL. #}
{% macro lake_pattern(node) -%}
    {{ return(env_var('MKT_LAKE_DIR', '../data/lake') | replace("'", "''") ~ '/' ~ node.config.meta.files) }}
{%- endmacro %}


{# Whether the source's pattern matches any file. #}
{% macro lake_has_files(node) -%}
    {{ return(run_query("select count(*) from glob('" ~ lake_pattern(node) ~ "')").columns[0].values()[0] > 0) }}
{%- endmacro %}
