{# What a click id says of an event's traffic source. It overrides only what GA4 would have guessed
   (organic, referral) or did not know (no source): a tagged newsletter link stays a newsletter link.
   `field` is 'source', 'medium' or 'campaign'; of the campaign it says only that the one that goes
   with GA4's guess, such as (organic), is not it. #}
{% macro click_id_says(field) -%}
    {%- set said = {
        'source': {'google': "'google'", 'shopping': "'google'", 'microsoft': "'bing'"},
        'medium': {'google': "'cpc'", 'shopping': "'organic'", 'microsoft': "'cpc'"},
        'campaign': dict.fromkeys(
            ['google', 'shopping', 'microsoft'], "case when " ~ names_no_campaign('event_campaign') ~ " then '(not set)' end"
        ),
    }[field] -%}
    case
        when
            event_source is not null
            and lower(coalesce(event_medium, 'referral')) not in ('organic', 'referral', '(none)')
            then null
        when click_id_type in ('gclid', 'gbraid', 'wbraid', 'dclid', 'gclsrc') then {{ said.google }}
        when click_id_type = 'srsltid' then {{ said.shopping }}
        when click_id_type = 'msclkid' then {{ said.microsoft }}
    end
{%- endmacro %}


{# Whether a campaign is one of GA4's words for there being none, which no ad platform's campaign is held against. A
   closed list: people put their own names in brackets, too. #}
{% macro names_no_campaign(campaign) -%}
    lower(trim({{ campaign }})) in (
        '(not set)', '(direct)', '(none)', '(organic)', '(referral)', '(other)', '(cross-network)',
        '(data not available)', '(data deleted)', '(not provided)'
    )
{%- endmacro %}
