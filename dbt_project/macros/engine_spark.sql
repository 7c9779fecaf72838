{# Spark's words for the macros of engine.sql (3.4 and newer). Its `timestamp` is an instant, of which only the
   display has a zone. #}

{% macro spark__first_by(value, order_by, where) -%}
    min_by({{ value }}, {{ order_by }}) filter (where {{ value }} is not null{% if where %} and {{ where }}{% endif %})
{%- endmacro %}


{% macro spark__tuple(columns) -%}
    named_struct({% for column in columns %}'part_{{ loop.index }}', {{ column }}{{ ", " if not loop.last }}{% endfor %})
{%- endmacro %}

{% macro spark__tuple_part(column, place) -%} {{ column }}.part_{{ place }} {%- endmacro %}


{% macro spark__lineage_list(column) -%} array_sort(collect_set({{ column }})) {%- endmacro %}

{% macro spark__lineage_list_of_lists(column) -%}
    array_sort(array_distinct(flatten(collect_list({{ column }}))))
{%- endmacro %}

{% macro spark__union_of_lists(one, another) -%}
    array_sort(array_union(coalesce({{ one }}, {{ another }}), coalesce({{ another }}, {{ one }})))
{%- endmacro %}

{% macro spark__lineage_list_with(ids, id) -%}
    array_sort(array_distinct(array_compact(concat(coalesce({{ ids }}, array()), array({{ id }})))))
{%- endmacro %}


{% macro spark__sum_of_items(items, field) -%}
    aggregate(
        {{ items }},
        cast(null as decimal(38, 4)),
        (total, item) -> cast(coalesce(total + item.{{ field }}, total, item.{{ field }}) as decimal(38, 4))
    )
{%- endmacro %}

{% macro spark__each_count(relation, keep, column, key, value) -%}
    select
        {{ keep | join(', ') }},
        explode(from_json({{ column }}, 'map<string, bigint>')) as ({{ key }}, {{ value }})
    from {{ relation }}
{%- endmacro %}


{% macro spark__utc_from_micros(column) -%} timestamp_micros({{ column }}) {%- endmacro %}

{% macro spark__utc(column) -%} {{ column }} {%- endmacro %}

{% macro spark__elapsed_days(earlier, later) -%}
    cast(unix_micros({{ later }}) - unix_micros({{ earlier }}) as double) / cast(86400000000 as double)
{%- endmacro %}

{# Both bounds of a frame are of one type, to the part of an interval. #}
{% macro spark__look_back_frame(days) -%}
    interval '{{ days }} 00:00:00' day to second preceding
    and interval '0 00:00:00.000001' day to second preceding
{%- endmacro %}


{% macro spark__days_between(earlier, later) -%} datediff({{ later }}, {{ earlier }}) {%- endmacro %}

{% macro spark__minus_days(column, days) -%} date_sub({{ column }}, {{ days }}) {%- endmacro %}

{% macro spark__plus_days(column, days) -%} date_add({{ column }}, {{ days }}) {%- endmacro %}


{% macro spark__matches(column, pattern) -%} {{ column }} rlike '{{ pattern }}' {%- endmacro %}

{% macro spark__text_type() -%} string {%- endmacro %}


{# The types of contracts are written as DuckDB says them: dbt compares a model's columns with these. #}
{% macro spark__get_empty_schema_sql(columns) -%}
    select
        {%- for column in columns.values() %}
        cast(null as {{ spark_type(column.data_type) }}) as {{ column.name }}{{ "," if not loop.last }}
        {%- endfor %}
    where false
{%- endmacro %}

{% macro spark_type(data_type) -%}
    {%- set said = data_type | lower | trim -%}
    {%- if said.endswith('[]') -%} array<{{ spark_type(said[:-2]) }}>
    {%- elif said.startswith('struct(') -%} struct<{{ spark_type(said[7:-1]) }}>
    {%- else -%} {{ said | replace('varchar', 'string') | replace(' with time zone', '') }}
    {%- endif -%}
{%- endmacro %}

{% macro spark__items_at_rate(items, rate) -%}
    transform({{ items }}, item -> named_struct(
        'item_id', item.item_id,
        'item_name', item.item_name,
        'item_brand', item.item_brand,
        'item_category', item.item_category,
        'price', {{ at_rate('item.price', rate) }},
        'quantity', item.quantity,
        'item_revenue', {{ at_rate('item.item_revenue', rate) }}
    ))
{%- endmacro %}
