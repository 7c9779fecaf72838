-- One row per touch of each purchase. As in GA4, a path is not cut at an earlier purchase.
-- Days are those of the property and times are UTC, so sessions of a day more than the look-back are read.
{%- set look_back = var('attribution_lookback_days') + 1 %}
{{ config(
    materialized=by_days(),
    meta={'dates': {
        'column': 'purchase_date',
        'follows': {
            'int_purchases': [0, 0],
            'fct_sessions': [0, look_back],
        },
    }}
) }}

{%- set stale = stale_dates() %}

with purchases as (
    select * from {{ ref('int_purchases') }}
    where {{ among('purchase_date', stale) }}
),

sessions as (
    select * from {{ ref('fct_sessions') }}
    where {{ around('session_date', stale, back=look_back) }}
),

touches as (
    select
        purchases.transaction_id,
        purchases.purchase_date,
        purchases.purchased_at,
        purchases.user_key,
        purchases.revenue,
        sessions.session_key,
        sessions.started_at as touched_at,
        -- a purchase that no session led to has one touch that stands in, so that credits sum
        coalesce(sessions.channel_group, 'Unassigned') as channel_group,
        coalesce(sessions.session_source, '(not set)') as session_source,
        coalesce(sessions.session_medium, '(not set)') as session_medium,
        coalesce(sessions.session_campaign, '(not set)') as campaign,
        coalesce(lower(trim(sessions.session_source)) = '(direct)', false) as is_direct,
        coalesce({{ elapsed_days('sessions.started_at', 'purchases.purchased_at') }}, 0) as days_before,
        sessions.lineage_ids as session_lineage_ids
    from purchases
    left join sessions
        on
            purchases.user_key = sessions.user_key
            and purchases.purchased_at >= sessions.started_at
            and {{ days_earlier('purchases.purchased_at', var('attribution_lookback_days')) }} <= sessions.started_at
),

lineage as (
    select
        sources.transaction_id,
        {{ lineage_list_of_lists('sources.lineage_ids') }} as lineage_ids
    from (
        select
            transaction_id,
            lineage_ids
        from purchases
        union all
        select
            transaction_id,
            session_lineage_ids as lineage_ids
        from touches
        where session_key is not null
    ) as sources
    group by sources.transaction_id
)

select
    touches.transaction_id,
    touches.purchase_date,
    touches.purchased_at,
    touches.user_key,
    cast(
        row_number() over (
            partition by touches.transaction_id order by touches.touched_at, touches.session_key
        ) as bigint
    ) as touch_number,
    cast(count(*) over (partition by touches.transaction_id) as bigint) as touches_in_path,
    touches.session_key,
    touches.touched_at,
    touches.channel_group,
    touches.session_source,
    touches.session_medium,
    touches.campaign,
    touches.is_direct,
    touches.days_before,
    cast(1 as bigint) as conversions,
    touches.revenue,
    lineage.lineage_ids
from touches
inner join lineage on touches.transaction_id = lineage.transaction_id
