{# The part of the semantic layer called `kind` (metrics or semantic_models) as a list. The graph is
   empty while dbt parses, and in a unit test, which is given the same as a variable instead. #}
{% macro semantic_layer(kind) -%}
    {%- set given = var('semantic_layer', none) -%}
    {%- if given is not none -%} {{ return(given[kind]) }}
    {%- elif not execute -%} {{ return([]) }}
    {%- elif kind in graph -%} {{ return(graph[kind].values() | list) }}
    {%- else -%}
        {{ exceptions.raise_compiler_error('a unit test of KPIs gives vars.semantic_layer: see _metrics.yml') }}
    {%- endif -%}
{%- endmacro %}


{# The metric called `name`, from columns that hold sums at the grain of the row: a ratio of sums,
   NULL on a zero or missing denominator. The formulas are those of models/metrics/_metrics.yml. #}
{% macro kpi(name) -%}
    {%- set metric = semantic_layer('metrics') | selectattr('name', 'equalto', name) | first -%}
    {%- if metric and metric.type == 'ratio' -%}
        cast({{ metric.type_params.numerator.name }} as double)
        / nullif(cast({{ metric.type_params.denominator.name }} as double), 0)
    {%- elif metric and metric.type == 'derived' -%}
        {%- set inputs = metric.type_params.metrics | map(attribute='name') | list -%}
        {%- for word in metric.type_params.expr.split() -%}
            {%- if word in inputs -%} ({{ kpi(word) }})
            {%- elif word in ['+', '-', '*'] or word.replace('.', '', 1).isdigit() -%} {{ word }}
            {%- else -%} {{ exceptions.raise_compiler_error("metric '" ~ name ~ "' cannot be derived by " ~ word) }}
            {%- endif -%}
            {{ " " if not loop.last }}
        {%- endfor -%}
    {%- elif not execute and not metric -%} cast(null as double)
    {%- else -%}
        {{ exceptions.raise_compiler_error("no KPI '" ~ name ~ "' in models/metrics/_metrics.yml") }}
    {%- endif -%}
{%- endmacro %}


{# The names of the KPIs that the marts over a semantic model publish, in order. #}
{% macro kpi_names(semantic_model='ad_performance') -%}
    {%- set found = semantic_layer('semantic_models') | selectattr('name', 'equalto', semantic_model) | first -%}
    {{ return(found.config.meta.kpis if found else []) }}
{%- endmacro %}


{# Each of them as a column. #}
{% macro kpi_columns(semantic_model='ad_performance') -%}
    {%- for name in kpi_names(semantic_model) %}
    {{ kpi(name) }} as {{ name }}{{ "," if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{# The sums over ad rows that report another column, too, which the contract calls a_with_b. #}
{% macro comparable_measures() -%}
    {%- set found = semantic_layer('semantic_models') | selectattr('name', 'equalto', 'ad_performance') | first -%}
    {%- set names = [] -%}
    {%- for measure in (found.measures if found else []) if '_with_' in measure.name -%}
        {%- do names.append(measure.name) -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}


{# Each of them as a column, and a comma: made of ad rows, or of rows that have it. #}
{% macro comparable_columns(of_rows=false) -%}
    {%- for name in comparable_measures() %}
    {%- set summed, known = name.split('_with_') %}
        cast(
            sum({{ 'case when ' ~ known ~ ' is not null then ' ~ summed ~ ' end' if of_rows else name }})
            as {{ 'bigint' if summed in ['impressions', 'clicks'] else 'decimal(18, 4)' }}
        ) as {{ name }},
    {%- endfor %}
{%- endmacro %}
