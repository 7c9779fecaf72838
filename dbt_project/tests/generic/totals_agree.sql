{# The sum of each column equals the sum of its counterpart in another model, so that no grain
   loses or repeats a row. `columns` maps this model's columns to expressions over `other`. #}
{% test totals_agree(model, other, columns, other_where='true') %}
select
    here.*,
    there.*
from (
    select
        {%- for column in columns %}
        coalesce(sum({{ column }}), 0) as here_{{ loop.index }}{{ "," if not loop.last }}
        {%- endfor %}
    from {{ model }}
) as here
cross join (
    select
        {%- for column, expression in columns.items() %}
        coalesce(sum({{ expression }}), 0) as there_{{ loop.index }}{{ "," if not loop.last }}
        {%- endfor %}
    from {{ other }}
    where {{ other_where }}
) as there
where
    {%- for column in columns %}
    {{ "or " if not loop.first }}here.here_{{ loop.index }} != there.there_{{ loop.index }}
    {%- endfor %}
{% endtest %}
