"""The guard of the ad rows: exact types, and no personal data in names that people typed.

Ad rows are about campaigns, not persons; what can be personal in them is what somebody wrote into a
name. Daily campaign rows are few, so they may pass through Python.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mkt_assets.errors import InputError, MktError
from mkt_assets.privacy import pii
from mkt_assets.privacy.event_numbers import AMOUNT_LIMIT

_MONEY: Final = pa.decimal128(18, 4)
_CENT_OF_A_CENT: Final = Decimal("0.0001")

SCHEMA: Final = pa.schema(
    [
        ("date", pa.date32()),
        ("channel", pa.string()),
        ("campaign", pa.string()),
        ("campaign_id", pa.string()),
        ("currency", pa.string()),
        ("impressions", pa.int64()),
        ("clicks", pa.int64()),
        ("leads", pa.int64()),
        ("conversions", _MONEY),
        ("spend", _MONEY),
        ("revenue", _MONEY),
        ("lineage_id", pa.string()),
        ("processed_at", pa.timestamp("us", tz="UTC")),
    ]
)

#: names are read by people; an id is a code, where a long number is no card
_TEXTS: Final = {
    "channel": pii.PROSE,
    "campaign": pii.PROSE,
    "campaign_id": pii.CODE,
    "currency": pii.PROSE,
}


def guard_ads(
    frame: pd.DataFrame,
    *,
    day: date,
    lineage_of: Mapping[str, str],
    processed_at: datetime,
) -> tuple[pa.Table, dict[str, int]]:
    """Guard one day's ad rows; every row stays, in the order of date, channel and campaign.

    Names that become the same by redaction are told apart by ``campaign_id``, or else by a number
    that may mean another campaign on another day.

    Args:
        frame: canonical ad rows of one day with ``source_file``; one row per channel and campaign.
        day: the partition; a row of another day is refused.
        lineage_of: source file -> lineage id.
        processed_at: stamped on every row; must know its time zone.

    Returns:
        the table in the lake's types, and the number of redacted values by column.

    Raises:
        InputError: a column is missing, a row is of another day, or a number does not fit.
    """
    if processed_at.tzinfo is None:
        raise MktError("processed_at has no time zone: give an aware datetime")
    missing = [n for n in (*SCHEMA.names[:-2], "source_file") if n not in frame]
    if missing:
        raise InputError("ad rows lack columns", column=", ".join(missing))
    columns: dict[str, Any] = {name: list(_known(frame[name])) for name in _TEXTS}
    clean = {
        name: [None if text is None else pii.redact(text, pattern) for text in columns[name]]
        for name, pattern in _TEXTS.items()
    }
    clean["campaign_id"] = [
        before if before is not None and _is_plain_id(before) else after
        for before, after in zip(columns["campaign_id"], clean["campaign_id"], strict=True)
    ]
    redactions = Counter(
        name
        for name in _TEXTS
        for before, after in zip(columns[name], clean[name], strict=True)
        if before != after
    )
    clean["campaign"] = _told_apart(clean, columns["campaign"])
    arrays = [
        pa.array(clean[field.name], field.type)
        if field.name in _TEXTS
        else _typed(frame[field.name], field)
        for field in list(SCHEMA)[:-2]
    ]
    lineage = pa.array(
        [_lineage(lineage_of, source) for source in frame["source_file"]], pa.string()
    )
    stamps = pa.array([processed_at] * len(frame), SCHEMA.field("processed_at").type)
    table = pa.table([*arrays, lineage, stamps], schema=SCHEMA)
    if pc.any(pc.not_equal(table["date"], pa.scalar(day))).as_py():
        raise InputError(f"an ad row is not of {day}", column="date", remedy="Land the day again.")
    order = [("date", "ascending"), ("channel", "ascending"), ("campaign", "ascending")]
    return table.sort_by(order), dict(sorted(redactions.items()))


def _lineage(lineage_of: Mapping[str, str], source: Any) -> str:
    if source not in lineage_of:
        raise MktError("an ad row's source file has no lineage: land the partition again")
    return lineage_of[source]


def _is_plain_id(text: str) -> bool:
    """Ad platforms give ids of 15 to 19 digits; a card has a check digit."""
    from stdnum import luhn

    return text.isdecimal() and text.isascii() and not luhn.is_valid(text)


def _known(column: pd.Series[Any]) -> list[str | None]:
    return [None if pd.isna(value) else str(value) for value in column]


def _told_apart(clean: dict[str, list[Any]], before: list[Any]) -> list[Any]:
    """Campaign names that redaction made equal get their id, or a number in the order of before."""
    names = list(clean["campaign"])
    together: dict[tuple[Any, Any], list[int]] = {}
    for row, place in enumerate(zip(clean["channel"], names, strict=True)):
        together.setdefault(place, []).append(row)
    for (_, name), rows in together.items():
        redacted = sorted((r for r in rows if name != before[r]), key=lambda r: str(before[r]))
        if len(rows) == 1 or not redacted:
            continue
        ids = [clean["campaign_id"][row] for row in redacted]
        # a long id behind the mark would look like a card to every scan
        use_ids = all(i and not pii.findings(f"{name} #{i}") for i in ids)
        use_ids = use_ids and len(set(ids)) == len(ids)
        for number, (row, campaign_id) in enumerate(zip(redacted, ids, strict=True), start=1):
            names[row] = f"{name} #{campaign_id if use_ids else number}"
    return names


def _typed(column: pd.Series[Any], field: pa.Field) -> pa.Array:
    try:
        if field.type == pa.date32():
            return pa.array(pd.to_datetime(column).dt.date, field.type)
        exact = _rounded if field.type == _MONEY else _whole
        return pa.array([None if pd.isna(v) else exact(v) for v in column], field.type)
    except (pa.ArrowException, ArithmeticError, ValueError, TypeError):
        fault = field.name
    # outside of the handler: the library's error quotes the value
    raise InputError(f"a value does not fit the type {field.type}", column=fault)


def _rounded(value: Any) -> Decimal:
    rounded = Decimal(str(value)).quantize(_CENT_OF_A_CENT)
    if abs(rounded) >= AMOUNT_LIMIT:
        raise ValueError
    return rounded


def _whole(value: Any) -> int:
    whole = int(value)
    if whole != value or abs(whole) >= AMOUNT_LIMIT:
        raise ValueError
    return whole
