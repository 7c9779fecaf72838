{# None of the numbers is below zero; null is not a number. #}
{% test not_negative(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
where
    {%- for column in columns %}
    {{ "or " if not loop.first }}{{ column }} < 0
    {%- endfor %}
{% endtest %}
