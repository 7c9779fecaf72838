"""Daily counts of A/B tests from a file; what stays out: what they may say, and their statistics.

A file is read whole or refused: a test of which a row is missing would be decided on a wrong sum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

import pandas as pd

from mkt_assets.errors import InputError
from mkt_assets.ingest import ad_cells
from mkt_assets.ingest.amounts import shown

#: above this a float is no longer exact to one
_LARGEST_COUNT = 2**53


def read_experiments(path: Path) -> pd.DataFrame:
    """The rows of a CSV, NDJSON (plain or gzipped) or Parquet file that has ``COLUMNS``.

    Returns:
        ``test, arm`` text, ``day`` dates, ``expected_share, revenue, revenue_sq`` float64 (the last
        two may be missing), ``users, conversions`` int64; a row per row of the file.

    Raises:
        InputError: the file cannot be read, lacks a column or has it twice, or a cell of it is not
            what its column holds.
    """
    cells = ad_cells.read(path, allow_empty=True)
    for name in COLUMNS:
        if (times := cells.headers.count(name)) != 1:
            problem = f"has {name} twice" if times else f"lacks {name}"
            raise InputError(
                f"the file of A/B tests {problem}",
                file=path,
                column=name,
                remedy=f"Its columns must be {', '.join(COLUMNS)}.",
            )
    if cells.faults:
        first = cells.faults[0]
        remedy = "Correct the row, or export the file again as CSV in UTF-8."
        raise InputError(
            f"a row cannot be read: {first.reason}", file=path, row=first.row, remedy=remedy
        )
    read = {name: _column(path, name, cells.columns[name], cells.rows) for name in COLUMNS}
    return pd.DataFrame({name: pd.Series(read[name], dtype=_TYPES[name]) for name in COLUMNS})


def _column(path: Path, name: str, cells: Sequence[object], rows: Sequence[int]) -> list[object]:
    understand = _KINDS[name]
    values = []
    for row, cell in zip(rows, cells, strict=True):
        try:
            values.append(understand(cell.strip() if isinstance(cell, str) else cell))
        except (ValueError, TypeError, OverflowError):
            problem, remedy = _PROBLEMS[understand]
            raise InputError(
                problem, file=path, row=row, column=name, value=shown(cell), remedy=remedy
            ) from None
    return values


def _text(cell: object) -> str:
    if cell is None or not str(cell):
        raise ValueError
    return str(cell)


def _day(cell: object) -> date:
    if isinstance(cell, datetime):
        cell = cell.isoformat()
    if isinstance(cell, date):
        return cell
    text = str(cell).removesuffix("T00:00:00").removesuffix(" 00:00:00")
    if date.fromisoformat(text).isoformat() != text:
        raise ValueError
    return date.fromisoformat(text)


def _number(cell: object) -> float:
    number = math.nan if isinstance(cell, bool) else float(cell)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError
    return number


def _count(cell: object) -> int:
    number = _number(cell)
    if not number.is_integer() or abs(number) > _LARGEST_COUNT:
        raise ValueError
    return int(number)


def _sum(cell: object) -> float | None:
    # what is missing in Parquet that pandas wrote is NaN
    missing = cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))
    return None if missing else _number(cell)


_KINDS: dict[str, Callable[[object], object]] = {
    "test": _text,
    "day": _day,
    "arm": _text,
    "expected_share": _number,
    "users": _count,
    "conversions": _count,
    "revenue": _sum,
    "revenue_sq": _sum,
}
COLUMNS = tuple(_KINDS)
_TYPES = dict.fromkeys(COLUMNS, "float64") | {
    "test": "str", "day": "object", "arm": "str", "users": "int64", "conversions": "int64",
}  # fmt: skip
_PROBLEMS: dict[Callable[[object], object], tuple[str, str]] = {
    _text: ("a name is missing", "Give each row its test and arm."),
    _day: ("this is no date", "Write dates as 2025-03-31."),
    _number: ("this is no number", "Write it as 0.5."),
    _count: ("this is no whole number", "Give the count of people, such as 1024."),
    _sum: ("this is no number", "Write it as 1024.50, or leave it blank."),
}
