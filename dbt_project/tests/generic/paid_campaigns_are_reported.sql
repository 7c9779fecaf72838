{# No campaign that brought paid sessions is known to GA4 alone: its spend is missing, or the platform calls it
   otherwise. #}
{% test paid_campaigns_are_reported(model, sessions) %}
select
    visits.session_campaign as campaign,
    visits.channel_group,
    count(*) as sessions,
    min(visits.session_date) as first_date,
    max(visits.session_date) as last_date
from {{ sessions }} as visits
where
    (visits.channel_group like 'Paid %' or visits.channel_group in ('Display', 'Cross-network'))
    and visits.session_campaign in (select claims.campaign from {{ model }} as claims where claims.known_to = 'ga4')
    -- what a platform came to know only later is reported
    and visits.session_campaign not in (select claims.campaign from {{ model }} as claims where claims.known_to != 'ga4')
group by visits.session_campaign, visits.channel_group
order by sessions desc, campaign asc
{% endtest %}
