{# Whether a row grants all that the policy needs for activation; an unset signal is not granted.
   MKT_DBT_ACTIVATION_NEEDS comes from the platform's settings; only signals may stand in it. #}
{% macro ads_consent() -%}
    {%- set signals = ['analytics_storage', 'ad_storage', 'ad_user_data', 'ad_personalization'] -%}
    {%- for need in env_var('MKT_DBT_ACTIVATION_NEEDS', 'ad_user_data,ad_personalization').split(',') -%}
        {%- if need not in signals -%}
            {{ exceptions.raise_compiler_error("unknown consent signal in MKT_DBT_ACTIVATION_NEEDS: " ~ need) }}
        {%- endif -%}
        {{ " and " if not loop.first }}{{ need }} = 'granted'
    {%- endfor -%}
{%- endmacro %}


{# Of several entries of one instant the strictest: denied, then what is not said, then granted. #}
{% macro strictest(signal) -%}
    case when count({{ signal }}) = count(*) or min({{ signal }}) = 'denied' then min({{ signal }}) end
{%- endmacro %}
