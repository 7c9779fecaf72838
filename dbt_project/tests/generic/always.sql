{# The condition holds in every row; a row where it is null passes, as in a SQL check constraint. #}
{% test always(model, condition) %}
select *
from {{ model }}
where not ({{ condition }})
{% endtest %}
