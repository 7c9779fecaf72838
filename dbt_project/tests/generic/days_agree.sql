{# On every changed day of an incremental model the sum of each column equals the sum of its counterpart in another
   model. `dates` is the day of this model, `other_dates` that of the other; `columns` maps expressions over this
   model to ones over `other`. #}
{% test days_agree(model, other, dates, columns, other_dates=none, other_where='true') %}
{%- set there = other_dates or dates %}
select day
from (
    select
        {{ dates }} as day
        {%- for column in columns %},
        coalesce({{ column }}, 0) as difference_{{ loop.index }}
        {%- endfor %}
    from {{ model }}
    where {{ untested(model, dates) }}
    union all
    select
        {{ there }} as day
        {%- for expression in columns.values() %},
        -coalesce({{ expression }}, 0) as difference_{{ loop.index }}
        {%- endfor %}
    from {{ other }}
    where {{ untested(model, there) }} and {{ other_where }}
) as differences
group by day
having
    {%- for column in columns %}
    {{ "or " if not loop.first }}sum(difference_{{ loop.index }}) != 0
    {%- endfor %}
{% endtest %}
