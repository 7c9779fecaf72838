"""A flat list of purchased items, as people export it from GA4, to purchase events with items.

The list has no transaction id and no consent; these rules stand in, and are told with every result:

- Rows of one ``user_pseudo_id``, ``event_timestamp`` and ``event_date`` are one purchase.
- The transaction id stays NULL: user and time identify the purchase downstream.
- Consent stays NULL: the guard decides by the stated consent basis, or refuses.
- A purchase whose items are the same as one of the same user less than a minute before is that
  purchase sent again, by a tag that fired twice or a page that was reloaded; it is a duplicate. In
  the public sample of GA4 all 296 purchases that follow one of the same user within a minute have
  the same items, most of them within 0.1 s; after a minute, less than a third have.
- Equal lines within one purchase are kept: in that sample all of them are gift cards bought by the
  dozen, nothing else, which no fault of an export would choose.
- A row without revenue is set aside (``blank_revenue``): it is no sold item.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from mkt_assets.ingest.ga4_rows import DAY, REASON, WEIGHT, compact_date, day_of, is_time
from mkt_assets.ingest.ga4_schema import RAW_EVENT_COLUMNS
from mkt_assets.ingest.staging import FAULT, RAW, ROW, Rows, quoted
from mkt_assets.lake import sql_text

#: the verdict on a purchase that was sent again; counted, not set aside
DUPLICATE = "duplicate"
_KEYS = ("user_pseudo_id", "item_id", "event_date", "event_timestamp")
_ITEMS, _PURCHASES = "mkt_landing_items", "mkt_landing_purchases"
_RESENT_WITHIN_MICROSECONDS = 60_000_000
_OPTIONAL = (
    "item_name", "item_brand", "item_category", "quantity", "country", "region",
    "mobile_brand_name", "mobile_model_name",
)  # fmt: skip


def is_item_list(rows: Rows) -> bool:
    """Whether these are items, told from the headers: items and revenue, but no event names."""
    has_revenue = rows.column("item_revenue") or rows.column("item_revenue_in_usd")
    return (
        all(rows.column(name) for name in _KEYS)
        and rows.column("event_name") is None
        and has_revenue is not None
    )


def item_tables(rows: Rows) -> tuple[str, ...]:
    """Statements that make the temporary tables that the rest of this module reads."""
    return (
        f"create or replace temp table {_ITEMS} as {_items(rows)}",
        f"create or replace temp table {_PURCHASES} as {_purchases()}",
    )


def typed_items(rows: Rows, path: Path) -> str:
    """The relation of purchases and of rows that are none, with the columns of ``typed_events``."""
    return f"""(
        select {_event_columns(rows)}, '{sql_text(path.absolute().as_uri())}' as source_file,
            source_row, {DAY}, case when resent then '{DUPLICATE}' end as {REASON},
            weight as {WEIGHT}, null::varchar as {RAW}
        from {_PURCHASES}
        union all
        select {_no_event()}, '{sql_text(path)}', {ROW}, {DAY}, {REASON}, 1::bigint, {RAW}
        from {_ITEMS} where {REASON} is not null
    )"""


def told(con: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The rules that stood in, and what they did to this file."""
    repeated, kept_repeated, lines, resent, events = con.execute(
        f"""
        with kept as (
            select i.*, p.resent from {_ITEMS} as i
            left join {_PURCHASES} as p
                on i.purchase = p.purchase
            where i.{REASON} is null
        )
        select
            (select coalesce(sum(n - 1), 0) from (
                select count(*) as n from kept
                group by user_pseudo_id, event_timestamp // 1000000, item_name, quantity)),
            (select coalesce(sum(n - 1), 0) from (
                select count(*) as n from kept where not resent
                group by user_pseudo_id, event_timestamp // 1000000, item_name, quantity)),
            (select coalesce(sum(n - 1), 0) from (
                select count(*) as n from kept where not resent
                group by purchase, item_id, item_name, price, quantity, revenue)),
            (select count(*) from kept where resent),
            (select count(*) from {_PURCHASES} where resent)
        """
    ).fetchone() or (0, 0, 0, 0, 0)
    sent_again = (
        f"{resent} rows of {events} purchases repeat the same user's items within a minute: "
        "sent again, dropped as duplicates"
    )
    repeats = (
        f"{repeated} rows repeat a key of user, second, item name and quantity: "
        f"{repeated - kept_repeated} were sent again and dropped, {kept_repeated - lines} are "
        f"other items of the same name (sizes), {lines} are equal lines of one purchase "
        "(gift cards and the like); both are kept"
    )
    return (
        "an item list: rows of one user_pseudo_id, event_timestamp and event_date are one purchase",
        "no consent columns: left empty, the consent basis must be stated (MKT_CONSENT_UPSTREAM)",
        "no transaction ids: left empty, user and time identify a purchase",
        sent_again,
        repeats,
    )


def _cell(rows: Rows, name: str) -> str:
    own = rows.column(name)
    return "null::varchar" if own is None else f"{quoted(own)}::varchar"


def _in_usd(rows: Rows) -> bool:
    return rows.column("item_revenue") is None


def _items(rows: Rows) -> str:
    revenue = _cell(rows, "item_revenue_in_usd" if _in_usd(rows) else "item_revenue")
    price = _cell(rows, "price_in_usd" if _in_usd(rows) else "price")
    optional = ", ".join(
        f"{_cell(rows, name)} as {name}" for name in _OPTIONAL if name != "quantity"
    )
    return f"""
        select
            user_pseudo_id, item_id, event_date, event_timestamp, {", ".join(_OPTIONAL)},
            price, revenue, {day_of("event_date")} as {DAY}, {ROW}, {RAW},
            hash(user_pseudo_id, event_timestamp, event_date) as purchase,
            case
                when {FAULT} is not null then {FAULT}
                when {day_of("event_date")} is null then 'bad_date'
                when not coalesce({is_time("event_timestamp")}, false) then 'bad_timestamp'
                when coalesce(trim(revenue_text), '') = '' then 'blank_revenue'
                when revenue is null then 'not_a_number'
                when revenue < 0 then 'negative_revenue'
            end as {REASON}
        from (
            select
                {_cell(rows, "user_pseudo_id")} as user_pseudo_id,
                {_cell(rows, "item_id")} as item_id,
                {optional},
                {compact_date(_cell(rows, "event_date"))} as event_date,
                try_cast({_cell(rows, "event_timestamp")} as bigint) as event_timestamp,
                try_cast({_cell(rows, "quantity")} as bigint) as quantity,
                try_cast({price} as decimal(18, 4)) as price,
                {revenue} as revenue_text,
                try_cast({revenue} as decimal(18, 4)) as revenue,
                {ROW}, {RAW}, {FAULT}
            from {rows.relation}
        )"""


def _purchases() -> str:
    first = ", ".join(
        f"first({column} order by {ROW}) as {column}"
        for column in ("country", "region", "mobile_brand_name", "mobile_model_name")
    )
    return f"""
        select
            *,
            coalesce(user_pseudo_id is not null and event_timestamp - lag(event_timestamp) over (
                partition by user_pseudo_id, items order by event_timestamp
            ) < {_RESENT_WITHIN_MICROSECONDS}, false) as resent
        from (
            select
                purchase, user_pseudo_id, event_timestamp, event_date, {DAY},
                min({ROW}) as source_row,
                count(*) as weight,
                sum(quantity)::bigint as quantity,
                sum(revenue)::double as revenue,
                list(struct_pack(
                    item_id := item_id, item_name := item_name, item_brand := item_brand,
                    item_category := item_category, price := price::double,
                    quantity := quantity, item_revenue := revenue::double
                ) order by item_id, item_name, quantity, revenue, price) as items,
                {first}
            from {_ITEMS}
            where {REASON} is null
            group by purchase, user_pseudo_id, event_timestamp, event_date, {DAY}
        )
        order by source_row"""


def _event_columns(rows: Rows) -> str:
    """An event's columns from a purchase; what an item list does not know stays NULL."""
    made = {
        "event_date": "event_date",
        "event_timestamp": "event_timestamp",
        "event_name": "'purchase'",
        "user_pseudo_id": "user_pseudo_id",
        "device": "struct_pack(mobile_brand_name := mobile_brand_name, "
        "mobile_model_name := mobile_model_name)",
        "geo": "{'country': country, 'region': region}",
        "ecommerce": "{'total_item_quantity': quantity, 'purchase_revenue': revenue}",
        "items": "items",
    }
    if _in_usd(rows):
        made["event_params"] = "[{'key': 'currency', 'value': {'string_value': 'USD'}}]"
    return ", ".join(
        f'({made.get(name, "null")})::{kind} as "{name}"'
        for name, kind in RAW_EVENT_COLUMNS.items()
    )


def _no_event() -> str:
    return ", ".join(f"null::{kind}" for kind in RAW_EVENT_COLUMNS.values())
