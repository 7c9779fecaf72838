{# DuckDB's words for the macros of engine.sql. #}

{% macro duckdb__first_by(value, order_by, where) -%}
    arg_min({{ value }}, {{ order_by }})
    {%- if where %} filter (where {{ where }}){% endif -%}
{%- endmacro %}


{% macro duckdb__tuple(columns) -%} row({{ columns | join(', ') }}) {%- endmacro %}

{% macro duckdb__tuple_part(column, place) -%} {{ column }}[{{ place }}] {%- endmacro %}


{% macro duckdb__lineage_list(column) -%} list_sort(list(distinct {{ column }})) {%- endmacro %}

{% macro duckdb__lineage_list_of_lists(column) -%}
    list_sort(list_distinct(flatten(list({{ column }}))))
{%- endmacro %}

{% macro duckdb__union_of_lists(one, another) -%}
    list_sort(list_distinct(list_concat({{ one }}, {{ another }})))
{%- endmacro %}

{% macro duckdb__lineage_list_with(ids, id) -%}
    list_sort(list_distinct(list_append(coalesce({{ ids }}, []), {{ id }})))
{%- endmacro %}


{% macro duckdb__sum_of_items(items, field) -%}
    list_sum(list_transform({{ items }}, lambda item: item.{{ field }}))
{%- endmacro %}

{% macro duckdb__each_count(relation, keep, column, key, value) -%}
    select
        {{ keep | join(', ') }},
        counted.entry.key as {{ key }},
        counted.entry.value as {{ value }}
    from (
        select
            {{ keep | join(', ') }},
            unnest(map_entries(cast(cast({{ column }} as json) as map(varchar, bigint)))) as entry
        from {{ relation }}
    ) as counted
{%- endmacro %}


{% macro duckdb__utc_from_micros(column) -%} make_timestamp({{ column }}) {%- endmacro %}

{% macro duckdb__utc(column) -%} make_timestamp(epoch_us({{ column }})) {%- endmacro %}

{% macro duckdb__elapsed_days(earlier, later) -%}
    cast(epoch_us({{ later }}) - epoch_us({{ earlier }}) as double) / cast(86400000000 as double)
{%- endmacro %}


{% macro duckdb__days_between(earlier, later) -%} date_diff('day', {{ earlier }}, {{ later }}) {%- endmacro %}

{% macro duckdb__minus_days(column, days) -%} {{ column }} - {{ days }} {%- endmacro %}

{% macro duckdb__plus_days(column, days) -%} {{ column }} + {{ days }} {%- endmacro %}


{% macro duckdb__matches(column, pattern) -%} regexp_matches({{ column }}, '{{ pattern }}') {%- endmacro %}


{# Parquet files, with the columns and types of _sources.yml: what an older file lacks is null, and no file but those of
   the asked days is opened, since a partition's day is that of its folder. A source of which no file exists (no consent
   log, no cookieless events, no events at all in an ads-only set-up) reads as an empty table, since read_parquet fails
   on a pattern that matches nothing. #}
{% macro duckdb__lake_table(name) -%}
    {%- set relation = source('lake', name) -%}
    {%- set node = graph.sources.values()
        | selectattr('source_name', 'equalto', 'lake')
        | selectattr('name', 'equalto', name) | first if execute and relation.external else none -%}
    {#- a unit test gives rows instead of files -#}
    {%- if not node -%}
        {{ relation }}
    {%- elif duckdb__lake_has_files(node) -%}
        (
            select
                {%- for column in node.columns.values() %}
                {{ duckdb__lake_column(node, column.name) }} as "{{ column.name }}"{{ "," if not loop.last }}
                {%- endfor %}
            from {{ duckdb__lake_files(node) }} as files
        )
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

{% macro duckdb__lake_column(node, column) -%}
    {%- if column == node.config.meta.day -%} {{ duckdb__day_of_file('files.filename') }}
    {%- else -%} files."{{ column }}"
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__lake_files(node) -%}
    read_parquet('{{ lake_pattern(node) }}', filename = true, schema = map {
        {%- for column in node.columns.values() %}
        '{{ column.name }}': {name: '{{ column.name }}', type: '{{ column.data_type }}', default_value: null}
        {{- "," if not loop.last }}
        {%- endfor %}
    })
{%- endmacro %}

{# The day that the folder of a partition is named after. #}
{% macro duckdb__day_of_file(filename) -%}
    cast(regexp_extract({{ filename }}, 'event_date=([0-9-]{10})/[^/]*$', 1) as date)
{%- endmacro %}


{# The pattern of a source's files, as text for SQL. #}
{% macro lake_pattern(node) -%}
    {{ return(env_var('MKT_LAKE_DIR', '../data/lake') | replace("'", "''") ~ '/' ~ node.config.meta.files) }}
{%- endmacro %}


{# Whether the source's pattern matches any file. #}
{% macro duckdb__lake_has_files(node) -%}
    {{ return(run_query("select count(*) from glob('" ~ lake_pattern(node) ~ "')").columns[0].values()[0] > 0) }}
{%- endmacro %}

{% macro duckdb__items_at_rate(items, rate) -%}
    case
        when {{ rate }} = 1 then {{ items }}
        else
            list_transform({{ items }}, lambda item: struct_pack(
                item_id := item.item_id,
                item_name := item.item_name,
                item_brand := item.item_brand,
                item_category := item.item_category,
                price := {{ at_rate('item.price', rate) }},
                quantity := item.quantity,
                item_revenue := {{ at_rate('item.item_revenue', rate) }}
            ))
    end
{%- endmacro %}

{% macro duckdb__load_own_rows() -%}
    {%- set folder = env_var('MKT_DBT_SEEDS', '') -%}
    {%- if execute and folder -%}
    delete from {{ this }};
    copy {{ this }} from '{{ folder | replace("'", "''") }}/{{ model.name }}.csv' (format csv, header true)
    {%- endif -%}
{%- endmacro %}
