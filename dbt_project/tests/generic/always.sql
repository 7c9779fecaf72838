{# The condition holds in every row; a row where it is null passes, as in a SQL check constraint. With `dates`, the
   day of an incremental model, changed days only are read. #}
{% test always(model, condition, dates=none) %}
select *
from {{ model }}
where {{ untested(model, dates) }} and not ({{ condition }})
{% endtest %}
