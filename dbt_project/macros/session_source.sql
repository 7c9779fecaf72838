{# What a click id says of an event's traffic source. It overrides only what GA4 would have guessed
   (organic, referral) or did not know: a tagged newsletter link stays a newsletter link.
   `field` is 'source' or 'medium'. #}
{% macro click_id_says(field) -%}
    {%- set google = {'source': 'google', 'medium': 'cpc'}[field] -%}
    {%- set shopping = {'source': 'google', 'medium': 'organic'}[field] -%}
    {%- set microsoft = {'source': 'bing', 'medium': 'cpc'}[field] -%}
    case
        when lower(coalesce(event_medium, 'referral')) not in ('organic', 'referral', '(none)') then null
        when click_id_type in ('gclid', 'gbraid', 'wbraid', 'dclid', 'gclsrc') then '{{ google }}'
        when click_id_type = 'srsltid' then '{{ shopping }}'
        when click_id_type = 'msclkid' then '{{ microsoft }}'
    end
{%- endmacro %}
