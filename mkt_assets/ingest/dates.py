"""The order of day, month and year, recognised from a whole column; what stays out: reading files.

A column has one format. It is accepted when at least 99 % of the readable values fit it and no
other format fits 99 % of them with other days, so one odd value never decides about the rest; what
two formats fit is refused, never guessed, even where one of them would look more natural.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from mkt_assets.errors import InputError

Order = Literal["ymd", "dmy", "mdy"]

#: a column in one format may hold this share of values in another (a typing mistake, not an order)
MOST_ODD = 0.01
#: beyond this share of values that no format reads, the column is not a date column
_MOST_UNREADABLE = 0.5
#: digital advertising with daily reports; keeps 01022021 from being read as the year 102
_YEARS = range(2000, 2100)
#: two digits stand for these years only, so that 01/02/21 cannot be 21 February 2001
_SHORT_YEARS = range(2010, 2040)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

_TIME = re.compile(
    r"[T ]\s*\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(\s*[ap]\.?m\.?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?$",
    re.IGNORECASE,
)
_WEEKDAY = re.compile(r"^(mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+", re.IGNORECASE)
_YEAR_FIRST = re.compile(r"^(\d{4})\s*[-/. ]\s*(\d{1,2})\s*[-/. ]\s*(\d{1,2})$")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})$")
_YEAR_LAST = re.compile(r"^(\d{1,2})\s*[-/. ]\s*(\d{1,2})\s*[-/. ]\s*(\d{4}|\d{2})$")
_SHORT_FIRST = re.compile(r"^(\d{2})\s*[-/. ]\s*(\d{1,2})\s*[-/. ]\s*(\d{1,2})$")
_NAMED_DAY = re.compile(
    r"^(\d{1,2})(?:st|nd|rd|th)?[-/. ,]*([a-z]{3,9})[-/. ,]*(\d{4}|\d{2})$", re.IGNORECASE
)
_NAMED_MONTH = re.compile(
    r"^([a-z]{3,9})[-/. ]*(\d{1,2})(?:st|nd|rd|th)?[-/. ,]+(\d{4}|\d{2})$", re.IGNORECASE
)
_NAMED_YEAR = re.compile(r"^(\d{4})[-/. ,]*([a-z]{3,9})[-/. ,]*(\d{1,2})$", re.IGNORECASE)


@dataclass(frozen=True)
class Dates:
    """The days of a column (``None`` where unreadable) and the name of their format."""

    days: list[date | None]
    format: str


def _day(year: str, month: str | int, day: str) -> date | None:
    number = int(year)
    if len(year) < len("2021"):
        number += 2000
        if number not in _SHORT_YEARS:
            return None
    if number not in _YEARS:
        return None
    try:
        return date(number, int(month), int(day))
    except ValueError:
        return None


def _month(name: str) -> int:
    """1 to 12 for an English month name or its start; 0 for any other word, which is no month."""
    short = name[:3].lower()
    full = "january february march april may june july august september october november december"
    spelled = any(word.startswith(name.lower()) for word in full.split()) or name.lower() == "sept"
    return _MONTHS.index(short) + 1 if short in _MONTHS and spelled else 0


def _year_first(text: str) -> date | None:
    found = _YEAR_FIRST.match(text)
    return _day(*found.groups()) if found else None


def _compact(text: str) -> date | None:
    found = _COMPACT.match(text)
    return _day(*found.groups()) if found else None


def _day_first(text: str) -> date | None:
    found = _YEAR_LAST.match(text)
    return _day(found[3], found[2], found[1]) if found else None


def _month_first(text: str) -> date | None:
    found = _YEAR_LAST.match(text)
    return _day(found[3], found[1], found[2]) if found else None


def _short_year_first(text: str) -> date | None:
    found = _SHORT_FIRST.match(text)
    return _day(*found.groups()) if found else None


def _named(text: str) -> date | None:
    if found := _NAMED_DAY.match(text):
        return _day(found[3], _month(found[2]), found[1])
    if found := _NAMED_MONTH.match(text):
        return _day(found[3], _month(found[1]), found[2])
    if found := _NAMED_YEAR.match(text):
        return _day(found[1], _month(found[2]), found[3])
    return None


#: format -> (how a value is read, the order it follows); without an order it cannot be confused
_FORMATS: Mapping[str, tuple[Callable[[str], date | None], Order | None]] = {
    "year-month-day": (_year_first, None),
    "yyyymmdd": (_compact, None),
    "day-month-year": (_day_first, "dmy"),
    "month-day-year": (_month_first, "mdy"),
    "yy-month-day": (_short_year_first, "ymd"),
    "month by name": (_named, None),
}

Readings = dict[str, dict[str, date]]


def recognise(
    values: Sequence[object], *, order: Order | None = None, column: str = "date"
) -> Dates:
    """Read a column of dates in the one format that fits it.

    Args:
        values: the cells; text, or ``date``/``datetime`` from a typed file. A time of day is
            dropped: the day is the one that is written, whatever the offset.
        order: decides between orders that fit equally; a column that clearly has another order
            is still refused.
        column: the header, for messages.

    Raises:
        InputError: no format fits, two formats fit with different days, or two are mixed.
    """
    texts = [_bare(value) for value in values]
    counts = Counter(text for text in texts if isinstance(text, str) and text)
    if not counts:
        return Dates([text if isinstance(text, date) else None for text in texts], "typed")
    readings = _readings(counts)
    _refuse_unreadable(counts, readings, column)
    chosen = _choose(counts, readings, order, column)
    found = readings[chosen]
    days = [text if isinstance(text, date) else found.get(text or "") for text in texts]
    return Dates(days, chosen)


def _bare(value: object) -> str | date | None:
    """A cell without its time of day; ``date`` as it is."""
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    text = " ".join(str(value).split())
    return _WEEKDAY.sub("", _TIME.sub("", text)).strip()


def _readings(counts: Counter[str]) -> Readings:
    """What each format makes of each distinct value that it can read."""
    return {
        name: {text: day for text in counts if (day := read(text)) is not None}
        for name, (read, _) in _FORMATS.items()
    }


def _refuse_unreadable(counts: Counter[str], readings: Readings, column: str) -> None:
    readable = set().union(*readings.values())
    lost = sum(n for text, n in counts.items() if text not in readable)
    if lost > _MOST_UNREADABLE * counts.total():
        raise InputError(
            f"{lost} of {counts.total()} values are not dates in a usual order",
            column=column,
            remedy="Write them as YYYY-MM-DD, or rename the header if this is not the date.",
        )


def _choose(counts: Counter[str], readings: Readings, order: Order | None, column: str) -> str:
    fits = {name: sum(counts[text] for text in found) for name, found in readings.items()}
    readable = sum(counts[text] for text in set().union(*readings.values()))
    best = max(fits.values())
    if best < (1 - MOST_ODD) * readable:
        told = ", ".join(f"{n} as {name}" for name, n in fits.items() if n)
        raise InputError(
            f"the dates are in mixed formats: of {readable} readable values {told}",
            column=column,
            remedy="Write all of them as YYYY-MM-DD.",
        )
    rivals = [name for name, n in fits.items() if n >= (1 - MOST_ODD) * readable]
    if order is not None:
        rivals = _of_order(rivals, order, column)
    first = max(rivals, key=lambda name: fits[name])
    for other in rivals:
        sample = _conflict(readings[first], readings[other])
        if sample is not None:
            one, two = readings[first][sample], readings[other][sample]
            raise InputError(
                f"the dates are ambiguous: {first} and {other} both fit the column "
                f"(this value is {one} or {two})",
                column=column,
                value=sample,
                remedy="Write ISO dates (YYYY-MM-DD), or state the order, dmy, mdy or ymd: "
                "MKT_DATE_ORDER, or --date-order of mkt analyze.",
            )
    return first


def _of_order(rivals: list[str], order: Order, column: str) -> list[str]:
    kept = [name for name in rivals if _FORMATS[name][1] in (None, order)]
    if not kept:
        raise InputError(
            f"the dates do not fit the given order {order!r}: they are written {rivals[0]}",
            column=column,
            remedy="Leave the order (MKT_DATE_ORDER, --date-order) away, or correct the dates.",
        )
    return kept


def _conflict(one: Mapping[str, date], other: Mapping[str, date]) -> str | None:
    """A value that the two formats read as different days."""
    return next((text for text, day in one.items() if other.get(text, day) != day), None)
