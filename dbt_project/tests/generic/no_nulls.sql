{# None of the columns is ever null; with `dates`, the day of an incremental model, in changed days only. #}
{% test no_nulls(model, columns, dates=none, producer=none) %}
select {{ columns | join(', ') }}
from {{ model }}
where
    {{ untested(model, dates, producer) }}
    and (
        {%- for column in columns %}
        {{ "or " if not loop.first }}{{ column }} is null
        {%- endfor %}
    )
{% endtest %}
