-- For each day with purchases, how often one channel followed another in the journeys that
-- ended within the fit window up to that day: the input of the Markov chain. A step counts on a span of
-- days, from the day on which it was made to the day before it leaves the window or stops being true.
{%- set fit = var('attribution_fit_days') %}
{{ config(
    materialized=by_days(),
    meta={'dates': {
        'column': 'date',
        'follows': {
            'int_conversion_paths': [0, fit],
            'int_purchases': [0, fit],
            'fct_sessions': [0, fit],
        },
    }}
) }}

{%- set stale = stale_dates() %}

with paths as (
    select
        *,
        lag(channel_group) over (partition by transaction_id order by touch_number) as earlier_channel
    from {{ ref('int_conversion_paths') }}
    where {{ around('purchase_date', stale, back=fit) }}
),

sessions as (
    select * from {{ ref('fct_sessions') }}
    where {{ around('session_date', stale, back=fit) }}
),

closings as (
    select
        sessions.session_key,
        min(purchases.purchase_date) as next_purchase_date
    from sessions
    inner join {{ ref('int_purchases') }} as purchases
        on
            sessions.user_key = purchases.user_key
            and sessions.started_at <= purchases.purchased_at
            and {{ around('purchases.purchase_date', stale, back=fit) }}
    group by sessions.session_key
),

open_sessions as (
    -- a session is part of a journey without purchase until its user buys or the window has passed
    select
        sessions.user_key,
        sessions.session_key,
        sessions.started_at,
        sessions.session_date as first_day,
        least(
            {{ plus_days('sessions.session_date', var('attribution_fit_days') - 1) }},
            coalesce(
                {{ minus_days('closings.next_purchase_date', 1) }},
                {{ plus_days('sessions.session_date', var('attribution_fit_days') - 1) }}
            )
        ) as last_day,
        sessions.channel_group
    from sessions
    left join closings on sessions.session_key = closings.session_key
),

neighbours as (
    select
        channel_group,
        first_day,
        last_day,
        lag(channel_group) over (partition by user_key order by started_at, session_key) as earlier_channel,
        lag(last_day) over (partition by user_key order by started_at, session_key) as earlier_last_day,
        lead(first_day) over (partition by user_key order by started_at, session_key) as later_first_day
    from open_sessions
),

steps as (
    select
        coalesce(earlier_channel, '(start)') as from_channel,
        channel_group as to_channel,
        purchase_date as first_day,
        {{ plus_days('purchase_date', var('attribution_fit_days') - 1) }} as last_day
    from paths
    union all
    select
        channel_group as from_channel,
        '(conversion)' as to_channel,
        purchase_date as first_day,
        {{ plus_days('purchase_date', var('attribution_fit_days') - 1) }} as last_day
    from paths
    where touch_number = touches_in_path
    union all
    -- while the session before it counts, a session follows that; afterwards it is the first
    select
        earlier_channel as from_channel,
        channel_group as to_channel,
        first_day,
        least(last_day, earlier_last_day) as last_day
    from neighbours
    where earlier_channel is not null
    union all
    select
        '(start)' as from_channel,
        channel_group as to_channel,
        greatest(first_day, coalesce({{ plus_days('earlier_last_day', 1) }}, first_day)) as first_day,
        last_day
    from neighbours
    union all
    select
        channel_group as from_channel,
        '(null)' as to_channel,
        first_day,
        least(last_day, coalesce({{ minus_days('later_first_day', 1) }}, last_day)) as last_day
    from neighbours
),

spans as (
    select
        from_channel,
        to_channel,
        first_day,
        last_day,
        count(*) as journeys
    from steps
    -- a channel that follows itself does not change where a journey goes
    where first_day <= last_day and from_channel != to_channel
    group by from_channel, to_channel, first_day, last_day
),

days as (
    select distinct purchase_date as date from paths
    where {{ among('purchase_date', stale) }}
)

select
    days.date,
    spans.from_channel,
    spans.to_channel,
    cast(sum(spans.journeys) as bigint) as journeys
from days
inner join spans on days.date between spans.first_day and spans.last_day
group by days.date, spans.from_channel, spans.to_channel
