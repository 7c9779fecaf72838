{# A table of the lake. A source of which no file exists (no consent log, no cookieless events, no
   events at all in an ads-only set-up) reads as an empty table with the columns of _sources.yml,
   since read_parquet fails on a pattern that matches nothing. #}
{% macro lake_table(name) -%}
    {%- set relation = source('lake', name) -%}
    {%- if not execute or lake_has_files(relation) -%}
        {{ relation }}
    {%- else -%}
        {%- set node = graph.sources.values()
            | selectattr('source_name', 'equalto', 'lake')
            | selectattr('name', 'equalto', name) | first -%}
        (
            select
                {%- for column in node.columns.values() %}
                cast(null as {{ column.data_type }}) as "{{ column.name }}"{{ "," if not loop.last }}
                {%- endfor %}
            where false
        )
    {%- endif -%}
{%- endmacro %}


{# Whether the source's file pattern matches any file. A unit test's fixture is not a file: true. #}
{% macro lake_has_files(relation) -%}
    {%- if not relation.external -%} {{ return(true) }} {%- endif -%}
    {%- set pattern = relation.external.split("read_parquet('")[1].split("',")[0] -%}
    {{ return(run_query("select count(*) from glob('" ~ pattern ~ "')").columns[0].values()[0] > 0) }}
{%- endmacro %}
