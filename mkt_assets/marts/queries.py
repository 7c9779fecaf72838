"""The few questions that Python stages ask of the marts, as SQL; what stays out: running them."""

from __future__ import annotations

#: one row per date and campaign, the frame that every model of ad performance reads;
#: a name that two channels use is told apart by its channel
CAMPAIGN_DAYS = """
    with shared as (
        select campaign from marts.marketing_clean
        group by campaign having count(distinct channel) > 1
    )
    select
        clean.date, clean.channel,
        case when shared.campaign is null then clean.campaign
            else clean.campaign || ' (' || clean.channel || ')' end as campaign,
        clean.mark_spent as spend, clean.impressions, clean.clicks, clean.conversions, clean.revenue
    from marts.marketing_clean as clean
    left join shared on clean.campaign = shared.campaign
    order by 1, 2, 3
"""

#: what GA4 saw beside the platforms: sessions of campaigns that it knows by name (none on a day is
#: zero), and the share of events that came with consent
CAMPAIGN_SESSION_DAYS = """
    with days as (
        select distinct date from marts.ga4_daily
    ),
    sessions as (
        select session_date as date, session_campaign as campaign, count(*) as sessions
        from marts.fct_sessions group by 1, 2
    ),
    consent as (
        select
            partition as date,
            sum(case when fate = 'kept' then row_count end)
                / nullif(sum(row_count), 0) as consent_rate
        from marts.consent_waterfall
        where table_name = 'events' and fate in ('kept', 'dropped_consent', 'cookieless')
        group by 1
    )
    select
        days.date, names.campaign, consent.consent_rate,
        coalesce(sessions.sessions, 0) as sessions
    from days
    cross join (
        select distinct session_campaign as campaign from marts.fct_sessions
        where session_campaign in (select campaign from marts.marketing_clean)
    ) as names
    left join sessions on days.date = sessions.date and names.campaign = sessions.campaign
    left join consent on days.date = consent.date
    order by 1, 2
"""

#: daily money by channel, for forecasts, response curves and budgets
CHANNEL_DAYS = """
    select
        date, channel, mark_spent as spend, clicks, conversions, revenue, mark_spent_with_revenue
    from marts.kpi_channel_daily
    order by date, channel
"""

#: revenue from GA4 alone, where there is no ad spend; a purchase without a session is Unassigned
PURCHASE_REVENUE_DAYS = """
    select
        purchases.purchase_date as date,
        coalesce(sessions.channel_group, 'Unassigned') as channel,
        cast(sum(purchases.revenue) as double) as revenue
    from marts.fct_purchases as purchases
    left join marts.fct_sessions as sessions on purchases.session_key = sessions.session_key
    group by 1, 2
    order by 1, 2
"""

#: one row per visitor
AUDIENCE_FEATURES = "select * from marts.audience_features order by user_key"

#: the ids that the published marts were made from
LINEAGE_IDS = "select distinct lineage_id from marts.lineage_ledger order by lineage_id"

#: where copy is needed
CHANNELS = "select distinct channel from marts.kpi_channel_daily order by channel"
