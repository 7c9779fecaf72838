"""Purchases as plain Python, from the definitions of the issue; no SQL.

One for each transaction id, the earliest event of it; a blank id is one purchase for each user and
instant. What stays out: whom a purchase is credited to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from oracle_sessions import Key, Row, in_order, instant, said, session_of

#: the shop's id, or user and time where it is blank
PurchaseKey = tuple[str] | tuple[str, int]


@dataclass(frozen=True)
class Purchase:
    """What is expected of one row of fct_purchases."""

    key: PurchaseKey
    purchased_at: datetime
    purchase_date: date
    user_key: str
    session: Key | None
    revenue: Decimal | None
    tax: Decimal | None
    shipping: Decimal | None
    quantity: int | None
    is_refunded: bool
    refund_value: Decimal | None
    is_transaction_id_derived: bool
    is_revenue_from_items: bool
    duplicate_events: int
    duplicate_refund_events: int
    lineage_ids: tuple[str, ...]


def purchase_key(event: Row) -> PurchaseKey:
    order = said(event.get("transaction_id"))
    return (order,) if order else (event["user_key"], event["event_timestamp"])


def purchases(rows: Iterable[Row]) -> dict[PurchaseKey, Purchase]:
    """The expected purchases; a refund of no known purchase, or that names none, is none."""
    bought: dict[PurchaseKey, list[Row]] = defaultdict(list)
    refunded: dict[PurchaseKey, list[Row]] = defaultdict(list)
    for row in rows:
        if row["event_name"] == "purchase":
            bought[purchase_key(row)].append(row)
        elif row["event_name"] == "refund" and said(row.get("transaction_id")):
            refunded[purchase_key(row)].append(row)
    return {key: _purchase(key, events, refunded[key]) for key, events in bought.items()}


def _purchase(key: PurchaseKey, events: list[Row], refunds: list[Row]) -> Purchase:
    counted = in_order(events)[0]
    items = counted.get("items") or []
    given_back = _once(refunds)
    revenue = _money(counted.get("purchase_revenue"))
    return Purchase(
        key=key,
        purchased_at=instant(counted),
        purchase_date=counted["event_date"],
        user_key=counted["user_key"],
        session=session_of(counted),
        revenue=_sum(item.get("item_revenue") for item in items) if revenue is None else revenue,
        tax=_money(counted.get("tax_value")),
        shipping=_money(counted.get("shipping_value")),
        quantity=_whole(_sum(item.get("quantity") for item in items)),
        is_refunded=bool(refunds),
        refund_value=_sum(refund.get("refund_value") for refund in given_back),
        is_transaction_id_derived=len(key) == 2,
        is_revenue_from_items=revenue is None,
        duplicate_events=len(events) - 1,
        duplicate_refund_events=len(refunds) - len(given_back),
        lineage_ids=tuple(sorted({event["lineage_id"] for event in (*events, *refunds)})),
    )


def _once(refunds: list[Row]) -> list[Row]:
    """Without those that only repeat one of the same amount and items of a minute before."""
    kept, last = [], {}
    for refund in in_order(refunds):
        same = (refund.get("refund_value"), repr(refund.get("items")))
        time = refund["event_timestamp"]
        if same not in last or time - last[same] > 60_000_000:
            kept.append(refund)
        last[same] = time
    return kept


def _money(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _sum(values: Iterable[Any]) -> Decimal | None:
    """The sum of what is there; None where nothing is."""
    there = [Decimal(value) for value in values if value is not None]
    return sum(there, Decimal(0)) if there else None


def _whole(value: Decimal | None) -> int | None:
    return None if value is None else int(value)
