{# GA4's default channel group: 18 outcomes and Unassigned, the first rule that holds wins.
   https://support.google.com/analytics/answer/9756891 (channels for manual traffic), read in 2026.
   Arguments are SQL expressions; `category` is the source's row in ga4_source_categories.
   A 19th group, AI Assistant (medium ai-assistant), came in May 2026: here it is Unassigned. #}
{% macro channel_group(source, medium, campaign, category) -%}
    {%- set source = "nullif(lower(trim(" ~ source ~ ")), '')" -%}
    {%- set medium = "nullif(lower(trim(" ~ medium ~ ")), '')" -%}
    {%- set campaign = "lower(trim(" ~ campaign ~ "))" -%}
    {%- set is_paid = matches(medium, '^(.*cp.*|ppc|retargeting|paid.*)$') -%}
    {%- set is_shopping_campaign = matches(campaign, '^(.*(([^a-df-z]|^)shop|shopping).*)$') -%}
    {%- set email = "('email', 'e-mail', 'e_mail', 'e mail')" -%}
    case
        when
            coalesce({{ source }}, '(direct)') = '(direct)'
            and coalesce({{ medium }}, '(none)') in ('(none)', '(not set)')
            then 'Direct'
        when {{ campaign }} like '%cross-network%' then 'Cross-network'
        when ({{ category }} = 'shopping' or {{ is_shopping_campaign }}) and {{ is_paid }} then 'Paid Shopping'
        when {{ category }} = 'search' and {{ is_paid }} then 'Paid Search'
        when {{ category }} = 'social' and {{ is_paid }} then 'Paid Social'
        when {{ category }} = 'video' and {{ is_paid }} then 'Paid Video'
        when {{ medium }} in ('display', 'banner', 'expandable', 'interstitial', 'cpm') then 'Display'
        when {{ is_paid }} then 'Paid Other'
        when {{ category }} = 'shopping' or {{ is_shopping_campaign }} then 'Organic Shopping'
        when
            {{ category }} = 'social'
            or {{ medium }} in (
                'social', 'social-network', 'social-media', 'sm', 'social network', 'social media'
            )
            then 'Organic Social'
        when {{ category }} = 'video' or {{ matches(medium, '^(.*video.*)$') }} then 'Organic Video'
        when {{ category }} = 'search' or {{ medium }} = 'organic' then 'Organic Search'
        when {{ medium }} in ('referral', 'app', 'link') then 'Referral'
        when {{ source }} in {{ email }} or {{ medium }} in {{ email }} then 'Email'
        when {{ medium }} = 'affiliate' then 'Affiliates'
        when {{ medium }} = 'audio' then 'Audio'
        when {{ source }} = 'sms' or {{ medium }} = 'sms' then 'SMS'
        when
            {{ medium }} like '%push'
            or {{ medium }} like '%mobile%'
            or {{ medium }} like '%notification%'
            or {{ source }} = 'firebase'
            then 'Mobile Push Notifications'
        else 'Unassigned'
    end
{%- endmacro %}
