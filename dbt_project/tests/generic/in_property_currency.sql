{# Every row is in the property's currency: amounts in two currencies cannot be added. #}
{% test in_property_currency(model, column_name, dates=none) %}
select {{ column_name }}
from {{ model }}
where {{ untested(model, dates) }} and {{ column_name }} is distinct from '{{ property_currency() }}'
{% endtest %}
