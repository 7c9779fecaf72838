{# What differs between engines, one small macro each; models hold common SQL only. What an engine says
   stands in a file of its own, engine_<adapter>.sql; here is what each macro means, and what most
   engines say. Where there is no such thing, dbt stops and names the macro and the adapter. #}

{# The value of `value` in the row with the least `order_by` among those where `where` holds;
   rows where `value` is null are passed over. #}
{% macro first_by(value, order_by, where=none) -%}
    {{ adapter.dispatch('first_by', 'mkt')(value, order_by, where) }}
{%- endmacro %}


{# Several columns as one value that sorts by the first, then the second, ... #}
{% macro tuple(columns) -%} {{ adapter.dispatch('tuple', 'mkt')(columns) }} {%- endmacro %}

{# The part of such a value by its place, from 1. #}
{% macro tuple_part(column, place) -%} {{ adapter.dispatch('tuple_part', 'mkt')(column, place) }} {%- endmacro %}


{# The distinct lineage ids behind a row, in order, so that equal input gives an equal list. #}
{% macro lineage_list(column) -%} {{ adapter.dispatch('lineage_list', 'mkt')(column) }} {%- endmacro %}

{# All lineage ids of a column of lists, distinct and in order. #}
{% macro lineage_list_of_lists(column) -%}
    {{ adapter.dispatch('lineage_list_of_lists', 'mkt')(column) }}
{%- endmacro %}

{# The distinct ids of two lists, either of which may be null, in order. #}
{% macro union_of_lists(one, another) -%}
    {{ adapter.dispatch('union_of_lists', 'mkt')(one, another) }}
{%- endmacro %}

{# A list of lineage ids and one more, distinct and in order; either may be null. #}
{% macro lineage_list_with(ids, id) -%} {{ adapter.dispatch('lineage_list_with', 'mkt')(ids, id) }} {%- endmacro %}


{# The sum of one field over a list of structs; NULL where every value is missing. #}
{% macro sum_of_items(items, field) -%} {{ adapter.dispatch('sum_of_items', 'mkt')(items, field) }} {%- endmacro %}

{# A query for one row an entry of a JSON object of text to number: the columns `keep` of `relation`, then the
   entry's name and number as `key` and `value`. A row whose object is null or empty gives none. #}
{% macro each_count(relation, keep, column, key, value) -%}
    {{ adapter.dispatch('each_count', 'mkt')(relation, keep, column, key, value) }}
{%- endmacro %}


{# GA4 timestamps are microseconds since 1970 in UTC. #}
{% macro utc_from_micros(column) -%} {{ adapter.dispatch('utc_from_micros', 'mkt')(column) }} {%- endmacro %}

{# An instant as a UTC timestamp, whatever the session's zone; without zone where the engine has both kinds. #}
{% macro utc(column) -%} {{ adapter.dispatch('utc', 'mkt')(column) }} {%- endmacro %}

{# Days of 24 hours between two timestamps, with their fraction. #}
{% macro elapsed_days(earlier, later) -%} {{ adapter.dispatch('elapsed_days', 'mkt')(earlier, later) }} {%- endmacro %}

{# A timestamp so many days of 24 hours earlier. #}
{% macro days_earlier(column, days) -%} {{ adapter.dispatch('days_earlier', 'mkt')(column, days) }} {%- endmacro %}

{% macro default__days_earlier(column, days) -%} {{ column }} - interval '{{ days }}' day {%- endmacro %}

{# The window frame of what came before the row's instant, but no more than so many days. #}
{% macro look_back_frame(days) -%} {{ adapter.dispatch('look_back_frame', 'mkt')(days) }} {%- endmacro %}

{% macro default__look_back_frame(days) -%}
    interval '{{ days }}' day preceding and interval '0.000001' second preceding
{%- endmacro %}


{% macro days_between(earlier, later) -%} {{ adapter.dispatch('days_between', 'mkt')(earlier, later) }} {%- endmacro %}

{# The date so many days before another, and after it. #}
{% macro minus_days(column, days) -%} {{ adapter.dispatch('minus_days', 'mkt')(column, days) }} {%- endmacro %}

{% macro plus_days(column, days) -%} {{ adapter.dispatch('plus_days', 'mkt')(column, days) }} {%- endmacro %}


{# Whether a regular expression without backslashes is found in the text. #}
{% macro matches(column, pattern) -%} {{ adapter.dispatch('matches', 'mkt')(column, pattern) }} {%- endmacro %}

{# Text of any length, as a type. #}
{% macro text_type() -%} {{ adapter.dispatch('text_type', 'mkt')() }} {%- endmacro %}

{% macro default__text_type() -%} varchar {%- endmacro %}
