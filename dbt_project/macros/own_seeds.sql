{# post-hook of a seed that is the property's own: its rows are those of the file that the platform put into the folder
   MKT_DBT_SEEDS; dbt by hand keeps what stands in seeds/. That folder cannot be one of `seed-paths`: dbt writes the SQL
   of a seed to the seed's path below its target, which for an absolute path is the file itself. #}
{% macro load_own_rows() -%} {{ return(adapter.dispatch('load_own_rows', 'mkt')()) }} {%- endmacro %}

{% macro default__load_own_rows() -%} {%- endmacro %}
