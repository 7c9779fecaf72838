{# What may not be added: conversions, and the revenue that comes with them, which ad platforms counted under different
   conversion windows. A window that is not declared in ad_sources counts as equal to any. #}
{% macro has_mixed_windows(conversions, revenue) -%}
    {%- for window in ['click_window_days', 'view_window_days'] -%}
    {{ "or " if not loop.first }}count(
        distinct case when coalesce({{ conversions }}, 0) != 0 or coalesce({{ revenue }}, 0) != 0 then {{ window }} end
    ) > 1{{ " " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{# Whether days of ad accounts in different time zones were added, where each begins at another moment. #}
{% macro has_mixed_time_zones() -%} count(distinct time_zone) > 1 {%- endmacro %}


{# A sum, unless what it would add cannot be added. #}
{% macro unless_mixed(column) -%} case when not has_mixed_windows then {{ column }} end {%- endmacro %}
