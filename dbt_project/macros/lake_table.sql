{# A table of the lake, whatever the engine reads it from. On a warehouse engine it is a table of schema `lake`,
   filled by whoever copies the lake there and empty where there is nothing to copy. #}
{% macro lake_table(name) -%} {{ adapter.dispatch('lake_table', 'mkt')(name) }} {%- endmacro %}

{% macro default__lake_table(name) -%} {{ source('lake', name) }} {%- endmacro %}
