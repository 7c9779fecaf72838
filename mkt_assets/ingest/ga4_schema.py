"""The GA4 BigQuery export schema, as far as this platform reads it; reading it is elsewhere.

https://support.google.com/analytics/answer/7029846
"""

from __future__ import annotations

_VALUE = "STRUCT(string_value VARCHAR, int_value BIGINT, float_value DOUBLE, double_value DOUBLE)"

_NAMED = "campaign_id VARCHAR, campaign_name VARCHAR"
_CLICKED = f"{_NAMED}, source VARCHAR, medium VARCHAR"
_LAST_CLICK = (
    f"STRUCT(manual_campaign STRUCT({_CLICKED}), google_ads_campaign STRUCT({_NAMED}), "
    f"cross_channel_campaign STRUCT({_CLICKED}, default_channel_group VARCHAR), "
    f"sa360_campaign STRUCT({_CLICKED}), cm360_campaign STRUCT({_CLICKED}), "
    f"dv360_campaign STRUCT({_CLICKED}))"
)

#: column -> DuckDB type of one raw event row in ``landing/events/event_date=D/events.parquet``
RAW_EVENT_COLUMNS: dict[str, str] = {
    "event_date": "VARCHAR",
    "event_timestamp": "BIGINT",
    "event_name": "VARCHAR",
    "event_params": f'STRUCT("key" VARCHAR, "value" {_VALUE})[]',
    "event_value_in_usd": "DOUBLE",
    "event_bundle_sequence_id": "BIGINT",
    "user_id": "VARCHAR",
    "user_pseudo_id": "VARCHAR",
    "privacy_info": (
        "STRUCT(analytics_storage VARCHAR, ads_storage VARCHAR, uses_transient_token VARCHAR)"
    ),
    "user_properties": f'STRUCT("key" VARCHAR, "value" {_VALUE})[]',
    "user_first_touch_timestamp": "BIGINT",
    "device": (
        "STRUCT(category VARCHAR, mobile_brand_name VARCHAR, mobile_model_name VARCHAR, "
        "operating_system VARCHAR, operating_system_version VARCHAR, language VARCHAR, "
        "web_info STRUCT(browser VARCHAR, browser_version VARCHAR, hostname VARCHAR))"
    ),
    "geo": "STRUCT(city VARCHAR, country VARCHAR, continent VARCHAR, region VARCHAR)",
    "traffic_source": 'STRUCT("name" VARCHAR, medium VARCHAR, source VARCHAR)',
    "collected_traffic_source": (
        "STRUCT(manual_campaign_id VARCHAR, manual_campaign_name VARCHAR, manual_source VARCHAR, "
        "manual_medium VARCHAR, gclid VARCHAR, dclid VARCHAR, srsltid VARCHAR)"
    ),
    "session_traffic_source_last_click": _LAST_CLICK,
    "stream_id": "VARCHAR",
    "platform": "VARCHAR",
    "ecommerce": (
        "STRUCT(transaction_id VARCHAR, total_item_quantity BIGINT, purchase_revenue DOUBLE, "
        "refund_value DOUBLE, shipping_value DOUBLE, tax_value DOUBLE)"
    ),
    "items": (
        "STRUCT(item_id VARCHAR, item_name VARCHAR, item_brand VARCHAR, item_category VARCHAR, "
        "price DOUBLE, quantity BIGINT, item_revenue DOUBLE)[]"
    ),
}

#: where the row came from, added by ingest so that an error or a quarantined row can name it
SOURCE_COLUMNS: dict[str, str] = {"source_file": "VARCHAR", "source_row": "BIGINT"}

#: without these a file is not a GA4 export
REQUIRED_EVENT_COLUMNS = ("event_date", "event_timestamp", "event_name", "user_pseudo_id")
