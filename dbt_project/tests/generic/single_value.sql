{# The column says the same in every row: amounts in two currencies cannot be added. #}
{% test single_value(model, column_name) %}
select
    min({{ column_name }}) as one_value,
    max({{ column_name }}) as another_value
from {{ model }}
having min({{ column_name }}) != max({{ column_name }})
{% endtest %}
