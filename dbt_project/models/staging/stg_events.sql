-- the columns are qualified since only so can their lineage be read off the SQL
select
    lake.event_date,
    lake.event_timestamp,
    lake.event_name,
    lake.event_key,
    lake.user_key,
    -- an event without a session id belongs to no session, rather than all such to one
    case
        when lake.ga_session_id is not null
            then {{ surrogate_key(['lake.user_key', 'lake.stream_id', 'lake.ga_session_id']) }}
    end as session_key,
    {{ utc_from_micros('lake.event_timestamp') }} as occurred_at,
    lake.page_location,
    lake.click_id_type,
    lake.device_category,
    lake.country,
    lake.region,
    {{ blank_to_null('lake.session_source') }} as session_source,
    {{ blank_to_null('lake.session_medium') }} as session_medium,
    {{ blank_to_null('lake.session_campaign') }} as session_campaign,
    {{ blank_to_null('lake.collected_source') }} as collected_source,
    {{ blank_to_null('lake.collected_medium') }} as collected_medium,
    {{ blank_to_null('lake.collected_campaign') }} as collected_campaign,
    {{ blank_to_null('lake.param_source') }} as param_source,
    {{ blank_to_null('lake.param_medium') }} as param_medium,
    {{ blank_to_null('lake.param_campaign') }} as param_campaign,
    coalesce(lake.engagement_time_msec, 0) as engagement_time_msec,
    coalesce(lake.session_engaged, false) as is_session_engaged,
    lake.event_name in ('page_view', 'screen_view') as is_page_view,
    lake.event_name in ({{ key_event_names() }}) as is_key_event,
    {{ blank_to_null('lake.transaction_id') }} as transaction_id,
    lake.currency,
    lake.purchase_revenue,
    lake.refund_value,
    lake.shipping_value,
    lake.tax_value,
    lake.items,
    lake.lineage_id
from {{ lake_table('events') }} as lake
