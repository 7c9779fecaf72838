{# In every group of `by`, null being a group too, the sum of each column equals the sum of its
   counterpart in another model. `columns` maps expressions over this model to ones over `other`. #}
{% test groups_agree(model, other, by, columns) %}
select
    {{ by | join(', ') }}
from (
    select
        {{ by | join(', ') }}
        {%- for column in columns %},
        coalesce({{ column }}, 0) as difference_{{ loop.index }}
        {%- endfor %}
    from {{ model }}
    union all
    select
        {{ by | join(', ') }}
        {%- for expression in columns.values() %},
        -coalesce({{ expression }}, 0) as difference_{{ loop.index }}
        {%- endfor %}
    from {{ other }}
) as differences
group by {{ by | join(', ') }}
having
    {%- for column in columns %}
    {{ "or " if not loop.first }}sum(difference_{{ loop.index }}) != 0
    {%- endfor %}
{% endtest %}
