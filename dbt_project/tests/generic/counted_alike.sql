{# Channels that report conversions or revenue do so under one conversion window, all days together: what they report is
   compared, in budgets and forecasts, and added by whoever asks for more than a day. #}
{% test counted_alike(model, conversions, revenue) %}
select
    channel,
    click_window_days,
    view_window_days,
    count(*) as reporting_days
from {{ model }}
where
    (coalesce({{ conversions }}, 0) != 0 or coalesce({{ revenue }}, 0) != 0)
    and (select {{ has_mixed_windows(conversions, revenue) }} from {{ model }})
group by channel, click_window_days, view_window_days
order by channel
{% endtest %}
