{# None of the numbers is below zero; null is not a number. With `dates`, the day of an incremental model, in changed
   days only. #}
{% test not_negative(model, columns, dates=none, producer=none) %}
select {{ columns | join(', ') }}
from {{ model }}
where
    {{ untested(model, dates, producer) }}
    and (
        {%- for column in columns %}
        {{ "or " if not loop.first }}{{ column }} < 0
        {%- endfor %}
    )
{% endtest %}
