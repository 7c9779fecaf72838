{# The KPI called `name`, from columns that hold sums at the grain of the row: a ratio of sums,
   NULL on a zero or missing denominator. The formulas are `vars.kpis` in dbt_project.yml. #}
{% macro kpi(name) -%}
    {%- set found = var('kpis') | selectattr('name', 'equalto', name) | list -%}
    {%- if not found -%}
        {{ exceptions.raise_compiler_error("no KPI called '" ~ name ~ "' in vars.kpis of dbt_project.yml") }}
    {%- endif -%}
    {%- set formula = found[0] -%}
    {%- if formula.get('scale', 1) != 1 -%} {{ formula.scale }} * {% endif -%}
    cast({{ formula.numerator }} as double) / nullif(cast({{ formula.denominator }} as double), 0)
    {%- if formula.get('offset', 0) != 0 %} + ({{ formula.offset }}){% endif -%}
{%- endmacro %}


{# Every KPI as a column, in the published order. #}
{% macro kpi_columns() -%}
    {%- for formula in var('kpis') %}
    {{ kpi(formula.name) }} as {{ formula.name }}{{ "," if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
