{# No two rows share the key, and no part of it is null but those listed as `nullable`. With `dates`, the day of an
   incremental model, only keys of changed days are looked for, in all days; with `producer`, a table of the lake, in
   those days alone, since its keys hold their day. #}
{% test unique_key(model, columns, nullable=[], dates=none, producer=none) %}
select {{ columns | join(', ') }}
from {{ model }}
{%- if dates is not none %}
{%- set is_untested = untested(model, dates, producer) %}
where
    {{ is_untested }}
    {%- if producer is none %}
    or ({{ columns | join(', ') }}) in (select {{ columns | join(', ') }} from {{ model }} where {{ is_untested }})
    {%- endif %}
{%- endif %}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {%- for column in columns if column not in nullable %}
    or {{ column }} is null
    {%- endfor %}
{% endtest %}
