{# No KPI is infinite or NaN, which is what a division by zero leaves; null is right and passes. #}
{% test kpis_are_finite(model) %}
select *
from {{ model }}
where
    {%- for name in kpi_names() %}
    {{ "or " if not loop.first }}{{ name }} not between -1e300 and 1e300
    {%- endfor %}
{% endtest %}
