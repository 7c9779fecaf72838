-- The weight of each touch within its path, a column for each attribution model: the rules, in one place.
-- Only the proportions count; a purchase is split by them in int_attribution_shares.
{{ config(
    materialized=by_days(),
    meta={'dates': {
        'column': 'purchase_date',
        'follows': {
            'int_conversion_paths': [0, 0],
            'int_markov_effects': [0, 0],
        },
    }}
) }}

{%- set stale = stale_dates() %}

with paths as (
    select
        paths.*,
        row_number() over (
            -- a campaign however it is spelled, as platform claims match it
            partition by paths.transaction_id, paths.channel_group, lower(trim(paths.campaign))
            order by paths.touch_number
        ) as occurrence,
        max(case when not paths.is_direct then paths.touch_number end)
            over (partition by paths.transaction_id) as last_non_direct_touch,
        -- against the last touch, so that the weights of an old path do not vanish
        paths.days_before - min(paths.days_before) over (partition by paths.transaction_id) as days_before_last,
        coalesce(effects.removal_effect, 0) as removal_effect,
        max(coalesce(effects.removal_effect, 0)) over (partition by paths.transaction_id) as greatest_effect
    from {{ ref('int_conversion_paths') }} as paths
    left join {{ ref('int_markov_effects') }} as effects
        on
            paths.purchase_date = effects.date
            and paths.channel_group = effects.channel_group
    where {{ among('paths.purchase_date', stale) }}
),

campaigns as (
    select
        *,
        -- how many campaigns share their channel's part of the path
        cast(
            sum(case when occurrence = 1 then 1 else 0 end) over (partition by transaction_id, channel_group) as double
        ) as campaigns_of_channel
    from paths
)

select
    transaction_id,
    touch_number,
    purchase_date,
    channel_group,
    campaign,
    revenue,
    case when touch_number = 1 then 1 else 0 end as first_touch,
    case when touch_number = touches_in_path then 1 else 0 end as last_touch,
    case when touch_number = coalesce(last_non_direct_touch, touches_in_path) then 1 else 0 end as last_non_direct,
    1 as linear,
    -- 40 % for each end and 20 % for all between them, times 5 * (touches - 2)
    case
        when touches_in_path > 2 and touch_number in (1, touches_in_path) then 2 * (touches_in_path - 2)
        else 1
    end as position_based,
    power(2, -days_before_last / {{ var('attribution_half_life_days') }}) as time_decay,
    -- the Shapley value of the game of channels is an equal split over the channels of each path, and Owen's of its
    -- campaigns one over each channel's campaigns
    case when occurrence = 1 then 1 / campaigns_of_channel else 0 end as shapley,
    -- against the greatest effect, so that small ones keep their digits; channels without any are equal
    case
        when occurrence > 1 then 0
        when greatest_effect > 0 then removal_effect / greatest_effect / campaigns_of_channel
        else 1 / campaigns_of_channel
    end as markov
from campaigns
