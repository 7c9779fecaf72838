"""How large a number of an event may be: a larger one is no number but a card's or a phone's.

What stays out: texts, which are scanned (``pii``).

Limits: a number of ten digits is a time in seconds as well as a phone number without its country.
"""

from __future__ import annotations

from typing import Final

import duckdb

from mkt_assets.privacy.quiet import quietly

#: the second in which the session began; GA4's public sample has other numbers of ten digits.
#: A row with a larger one is set aside: without its session it would be counted as another visit
SESSION_ID_LIMIT: Final = 10_000_000_000
#: parameter -> its bound, itself excluded; a number beyond is left out and counted
NUMBER_LIMITS: Final = {
    "ga_session_number": 1_000_000,
    # a day: no page is looked at for longer
    "engagement_time_msec": 86_400_001,
}
#: the worth of an order; an E.164 number with its country has 11 digits or more, a card 13
AMOUNT_LIMIT: Final = 100_000_000_000
QUANTITY_LIMIT: Final = 1_000_000
_OF_ITEMS: Final = {
    "price": AMOUNT_LIMIT,
    "quantity": QUANTITY_LIMIT,
    "item_revenue": AMOUNT_LIMIT,
}


def within_sql(number: str, limit: int) -> str:
    """Whether a number is between the limit and its negative; NULL of NULL."""
    return f"({number} > -{limit} and {number} < {limit})"


def refused_numbers(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How often kept rows have a number beyond its limit, by its name in the lake.

    Needs ``guard_found`` (see ``event_findings``).
    """
    found = quietly(
        con,
        "select name, sum(times) from guard_found where finding is not null "
        "group by name order by name",
    )
    return {name: int(times) for name, times in found if times}


def beyond_of_items_sql(rows: str) -> str:
    """SELECT of ``name`` and ``times``: numbers beyond their limits in ``items`` of a FROM item."""
    limits = ", ".join(
        f"(not {within_sql(f'item.{name}', limit)})::int as {name}"
        for name, limit in _OF_ITEMS.items()
    )
    sums = ", ".join(f"{{'name': 'items.{name}', 'times': sum({name})}}" for name in _OF_ITEMS)
    return f"""
        select unnest([{sums}], recursive := true) from (
            select {limits} from (select unnest(items) as item from {rows} where len(items) > 0)
        )"""
