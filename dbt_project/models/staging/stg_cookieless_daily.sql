select
    cookieless.event_date,
    cookieless.event_name,
    cookieless.events,
    cookieless.lineage_id
from {{ lake_table('cookieless_daily') }} as cookieless
