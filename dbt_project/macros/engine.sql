{# What differs between engines, one small macro each; models hold common SQL only. #}

{# The value of `value` in the row with the least `order_by` among those where `where` holds;
   rows where `value` is null are passed over. #}
{% macro first_by(value, order_by, where=none) -%}
    arg_min({{ value }}, {{ order_by }})
    {%- if where %} filter (where {{ where }}){% endif -%}
{%- endmacro %}

{# Several columns as one value that sorts by the first, then the second, ... #}
{% macro tuple(columns) -%} row({{ columns | join(', ') }}) {%- endmacro %}

{# The part of such a value by its place, from 1. #}
{% macro tuple_part(column, place) -%} {{ column }}[{{ place }}] {%- endmacro %}

{# The distinct lineage ids behind a row, in order, so that equal input gives an equal list. #}
{% macro lineage_list(column) -%} list_sort(list(distinct {{ column }})) {%- endmacro %}

{# All lineage ids of a column of lists, distinct and in order. #}
{% macro lineage_list_of_lists(column) -%}
    list_sort(list_distinct(flatten(list({{ column }}))))
{%- endmacro %}

{# The distinct ids of two lists, either of which may be null, in order. #}
{% macro union_of_lists(one, another) -%}
    list_sort(list_distinct(list_concat({{ one }}, {{ another }})))
{%- endmacro %}

{# GA4 timestamps are microseconds since 1970 in UTC. #}
{% macro utc_from_micros(column) -%} make_timestamp({{ column }}) {%- endmacro %}

{# An instant as a UTC timestamp without zone, whatever the session's zone. #}
{% macro utc(column) -%} make_timestamp(epoch_us({{ column }})) {%- endmacro %}

{% macro days_between(earlier, later) -%} date_diff('day', {{ earlier }}, {{ later }}) {%- endmacro %}

{% macro minus_days(column, days) -%} {{ column }} - {{ days }} {%- endmacro %}

{# The sum of one field over a list of structs; NULL where every value is missing. #}
{% macro sum_of_items(items, field) -%}
    list_sum(list_transform({{ items }}, lambda item: item.{{ field }}))
{%- endmacro %}

{# A JSON object of text to number as one row an entry, a struct of key and value; none where it
   is null or empty. #}
{% macro each_count(column) -%}
    unnest(map_entries(cast(cast({{ column }} as json) as map(varchar, bigint))))
{%- endmacro %}

{# The window frame of what came before the row's instant, but no more than so many days. #}
{% macro look_back_frame(days) -%}
    interval '{{ days }}' day preceding and interval '1' microsecond preceding
{%- endmacro %}

{% macro matches(column, pattern) -%} regexp_matches({{ column }}, '{{ pattern }}') {%- endmacro %}

{# A timestamp so many days of 24 hours earlier. #}
{% macro days_earlier(column, days) -%} {{ column }} - interval '{{ days }} days' {%- endmacro %}

{# Days of 24 hours between two timestamps, with their fraction. #}
{% macro elapsed_days(earlier, later) -%}
    cast(epoch_us({{ later }}) - epoch_us({{ earlier }}) as double) / cast(86400000000 as double)
{%- endmacro %}

{% macro plus_days(column, days) -%} {{ column }} + {{ days }} {%- endmacro %}

{# A list of lineage ids and one more, distinct and in order; either may be null. #}
{% macro lineage_list_with(ids, id) -%}
    list_sort(list_distinct(list_append(coalesce({{ ids }}, []), {{ id }})))
{%- endmacro %}
