"""Numbers as people write them, read with one decimal sign for the whole file.

Thousands separators, currency signs and accounting brackets are understood; a file in which
1,234 could be a thousand or one and a bit is refused. What stays out: which column is which.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mkt_assets.errors import InputError

Sign = Literal[".", ","]

#: a float64 still carries four decimals below this, so DECIMAL(18,4) casts are exact
LARGEST = 1e11
#: share of numbers that may contradict the rest of the file (a typing mistake)
MOST_ODD = 0.01
_PLACES = 4
#: numbers and dates are shorter; anything longer is text that may be about a person
_LONGEST_SHOWN = 40
_MISSING = {
    "",
    "-",
    "--",
    "\u2013",
    "\u2014",
    "n/a",
    "na",
    "nan",
    "null",
    "none",
    "#n/a",
    "(not set)",
}
_INFINITE = re.compile(r"^[+-]?(inf|infinity|∞)$", re.IGNORECASE)
_CURRENCY = r"(?:[A-Z]{3}|[A-Z]{0,3}[$€£¥₹₩₽₺₪])"
_WITH_CURRENCY = re.compile(rf"^(?:([+-]?)\s*({_CURRENCY})\s*(.*\d)|(.*\d\.?)\s*({_CURRENCY}))$")
_SPACED = re.compile(r"(?<=\d)['\u2019 ](?=\d{3}(?!\d))")
_GROUPED = r"[1-9]\d{{0,2}}(?:{g}\d{{2,3}})*{g}\d{{3}}"
_NUMBER: Mapping[Sign, re.Pattern[str]] = {
    ".": re.compile(
        rf"^[+-]?(?:(?:{_GROUPED.format(g=',')}|\d+)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$"
    ),
    ",": re.compile(rf"^[+-]?(?:(?:{_GROUPED.format(g='[.]')}|\d+)(?:,\d*)?|,\d+)$"),
}


@dataclass(frozen=True)
class Amounts:
    """A column as numbers; ``fault`` holds a reason where a cell is no usable number.

    ``currency`` holds the sign or code that stood beside the number, if any.
    """

    numbers: NDArray[np.float64]
    fault: NDArray[np.object_]
    currency: NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class _Cell:
    body: str
    currency: str | None


def decimal_sign(columns: Mapping[str, Sequence[object]], whole: frozenset[str]) -> Sign:
    """The decimal sign of a file, from all its number columns together.

    Args:
        columns: header -> cells as they stand in the file.
        whole: the headers of counts, where a fraction shows that the sign is the other one.

    Raises:
        InputError: both signs fit and give other numbers, or the file mixes them.
    """
    votes: dict[Sign, int] = {".": 0, ",": 0}
    unsure: tuple[str, str] | None = None
    for name, cells in columns.items():
        for text, times in Counter(cell for cell in cells if isinstance(cell, str)).items():
            body = _dress(text).body
            point, comma = _read(body, ".", name in whole), _read(body, ",", name in whole)
            if point is None or comma is None:
                votes["."] += times * (point is not None)
                votes[","] += times * (comma is not None)
            elif point != comma and unsure is None:
                unsure = (name, text)
    return _decide(votes, unsure)


def _decide(votes: Mapping[Sign, int], unsure: tuple[str, str] | None) -> Sign:
    total = votes["."] + votes[","]
    if total == 0 and unsure is not None:
        raise InputError(
            "a number is ambiguous: its separator may group thousands or mark decimals, and "
            "nothing else in the file tells which",
            column=unsure[0],
            value=shown(unsure[1]),
            remedy="Write numbers without thousands separators, such as 1234.50.",
        )
    if min(votes.values()) > MOST_ODD * total:
        raise InputError(
            f"the file mixes decimal points ({votes['.']} numbers) and decimal commas "
            f"({votes[',']} numbers)",
            remedy="Write all numbers like 1234.50.",
        )
    return "," if votes[","] > votes["."] else "."


def parse(cells: Iterable[object], sign: Sign, *, whole: bool = False, per: float = 1.0) -> Amounts:
    """Read a column.

    Args:
        cells: text, or numbers from a typed file; ``None`` is missing.
        sign: the decimal sign of the file.
        whole: the column counts things, so a fraction is a fault.
        per: how many of the file's units make one (1e6 for micros).
    """
    seen: dict[object, tuple[float, str | None, str | None]] = {}
    numbers, faults, currencies = [], [], []
    for cell in cells:
        # True == 1 and 1 == 1.0 as keys, so the type belongs to the key
        key = (type(cell), cell)
        if key not in seen:
            seen[key] = _one(cell, sign, whole, per)
        value, fault, currency = seen[key]
        numbers.append(value)
        faults.append(fault)
        currencies.append(currency)
    return Amounts(
        np.array(numbers, dtype=np.float64),
        np.array(faults, dtype=object),
        np.array(currencies, dtype=object),
    )


def shown(value: object) -> str | None:
    """``value`` of a number or date column for a message; ``None`` where it might be personal."""
    text = str(value)
    return text if len(text) < _LONGEST_SHOWN and "@" not in text else None


def _one(cell: object, sign: Sign, whole: bool, per: float) -> tuple[float, str | None, str | None]:
    currency = None
    if isinstance(cell, str):
        dressed = _dress(cell)
        body, currency = dressed.body, dressed.currency
        if body.lower() in _MISSING:
            return math.nan, None, None
        if _INFINITE.match(body):
            return math.nan, "infinite", None
        number = _read(body, sign, whole=False)
    elif cell is None:
        return math.nan, None, None
    else:
        is_number = isinstance(cell, int | float | Decimal) and not isinstance(cell, bool)
        number = float(cell) if is_number else None  # type: ignore[arg-type]
    if number is None:
        return math.nan, "not_a_number", None
    value, fault = _bounded(number, whole, per)
    return value, fault, currency


def _bounded(number: float, whole: bool, per: float) -> tuple[float, str | None]:
    if math.isnan(number):
        return math.nan, None
    if math.isinf(number):
        return math.nan, "infinite"
    if abs(number / per) >= LARGEST:
        return math.nan, "too_large"
    if whole and not number.is_integer():
        return math.nan, "not_an_integer"
    return round(number / per, _PLACES), None


def _dress(text: str) -> _Cell:
    """The bare digits of a cell, and the currency beside them."""
    body = unicodedata.normalize("NFKC", text).strip().replace("\u2212", "-")
    if body.isdigit() and body.isascii():
        return _Cell(body, None)
    negative = body.startswith("(") and body.endswith(")") and any(map(str.isdigit, body))
    if negative:
        body = body[1:-1].strip()
    currency = None
    if found := _WITH_CURRENCY.match(body):
        currency = found[2] or found[5]
        body = f"{found[1]}{found[3]}" if found[2] else found[4].strip()
    body = _SPACED.sub("", body)
    return _Cell(f"-{body}" if negative else body, currency)


def _read(body: str, sign: Sign, whole: bool) -> float | None:
    """The number under one decimal sign; ``None`` where it cannot be one."""
    if not _NUMBER[sign].match(body):
        return None
    grouping = "," if sign == "." else "."
    number = float(body.replace(grouping, "").replace(",", "."))
    return None if whole and not number.is_integer() else number
