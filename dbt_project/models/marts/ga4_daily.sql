with days as (
    select * from {{ ref('int_ga4_days') }}
),

newest as (
    -- of the data, not of the clock: the same input must give the same rows on any day
    select max(date) as newest_date from days
)

select
    days.date,
    days.events,
    days.users,
    days.sessions,
    days.engaged_sessions,
    days.key_events,
    days.purchases,
    days.revenue,
    days.purchases_without_id,
    days.duplicate_purchase_events,
    days.refunds_without_id,
    days.cookieless_events,
    days.date < {{ minus_days('newest.newest_date', final_after_days()) }} as is_final,
    days.lineage_ids
from days
cross join newest
order by days.date
