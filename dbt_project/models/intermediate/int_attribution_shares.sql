-- What each touch of a purchase is credited with by each attribution model.
with paths as (
    select
        paths.*,
        row_number() over (
            partition by paths.transaction_id, paths.touchpoint_key order by paths.touch_number
        ) as occurrence,
        max(case when not paths.is_direct then paths.touch_number end)
            over (partition by paths.transaction_id) as last_non_direct,
        paths.days_before - min(paths.days_before) over (partition by paths.transaction_id) as days_before_last,
        coalesce(effects.removal_effect, 0) as removal_effect,
        max(coalesce(effects.removal_effect, 0)) over (partition by paths.transaction_id) as greatest_effect
    from {{ ref('int_conversion_paths') }} as paths
    left join {{ ref('int_markov_effects') }} as effects
        on
            paths.purchase_date = effects.date
            and paths.touchpoint_key = effects.touchpoint_key
),

weights as (
    select
        *,
        'first_touch' as model,
        case when touch_number = 1 then 1 else 0 end as touch_weight
    from paths
    union all
    select
        *,
        'last_touch' as model,
        case when touch_number = touches_in_path then 1 else 0 end as touch_weight
    from paths
    union all
    select
        *,
        'last_non_direct' as model,
        case when touch_number = coalesce(last_non_direct, touches_in_path) then 1 else 0 end as touch_weight
    from paths
    union all
    select
        *,
        'linear' as model,
        1 as touch_weight
    from paths
    union all
    -- 40 % each for the ends and 20 % for all between them, times 5 * (touches - 2)
    select
        *,
        'position_based' as model,
        case
            when touches_in_path <= 2 then 1
            when touch_number in (1, touches_in_path) then 2 * (touches_in_path - 2)
            else 1
        end as touch_weight
    from paths
    union all
    -- against the last touch, so that the weights of an old path do not vanish
    select
        *,
        'time_decay' as model,
        power(2, -days_before_last / {{ var('attribution_half_life_days') }}) as touch_weight
    from paths
    union all
    -- the Shapley value of a game of paths is an equal split over the touchpoints of each path
    select
        *,
        'shapley' as model,
        case when occurrence = 1 then 1 else 0 end as touch_weight
    from paths
    union all
    select
        *,
        'markov' as model,
        case
            when occurrence > 1 then 0
            -- against the greatest, so that small effects keep their digits; all without effect are equal
            when greatest_effect > 0 then removal_effect / greatest_effect
            else 1
        end as touch_weight
    from paths
),

exact_weights as (
    select
        *,
        cast(touch_weight as decimal(24, 15)) as weight,
        cast(1 as decimal(24, 4)) as one,
        cast(coalesce(revenue, 0) as decimal(24, 4)) as money
    from weights
)

select
    model,
    transaction_id,
    touch_number,
    purchase_date,
    channel_group,
    campaign,
    {{ exact_part('one', 'weight', 'model, transaction_id', 'touch_number', 'decimal(13, 12)') }}
        as credited_conversions,
    {{ exact_part('money', 'weight', 'model, transaction_id', 'touch_number', 'decimal(28, 12)') }}
        as credited_revenue
from exact_weights
