"""Are a day's totals, ratios and mix in line with the weeks before it? As suites with their frames.

Totals of all channels and of GA4; single campaigns are the anomaly detector's. What stays out: the
statistics (``history``), and judging the frames (``expectations``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

import duckdb
import pandas as pd

from mkt_assets.quality.history import Band, amount_band, count_band, share_band
from mkt_assets.quality.suites import Expected, Suite

_COLUMNS: Final = ("date", "metric", "value", "expected", "lower", "upper")
#: mart -> its counts
_COUNTS: Final[Mapping[str, tuple[str, ...]]] = {
    "kpi_daily": ("impressions", "clicks", "conversions"),
    "ga4_daily": ("events", "users", "sessions", "purchases"),
}
#: mart -> amount or ratio -> the count that it stands on
_AMOUNTS: Final[Mapping[str, Mapping[str, str]]] = {
    "kpi_daily": {
        "mark_spent": "clicks",
        "revenue": "conversions",
        "ctr": "clicks",
        "cpc": "clicks",
        "cvr": "conversions",
        "aov": "conversions",
    },
    "ga4_daily": {"revenue": "purchases"},
}
#: mart -> the query of its shares: day, what, how many, of how many
_SHARES: Final[Mapping[str, str]] = {
    "ga4_daily": """
        with grouped as (
            select session_date as day, channel_group, count(*) as sessions
            from marts.fct_sessions where session_date >= $since group by 1, 2
        ),
        daily as (
            select date as day, sessions, engaged_sessions
            from marts.ga4_daily where date >= $since and sessions > 0
        )
        select
            daily.day, 'share of ' || kinds.channel_group || ' in sessions',
            coalesce(grouped.sessions, 0), daily.sessions
        from daily
        cross join (select distinct channel_group from grouped) as kinds
        left join grouped
            on daily.day = grouped.day and kinds.channel_group = grouped.channel_group
        union all
        select day, 'share of engaged sessions', engaged_sessions, sessions from daily
        order by 2, 1
    """,
}
#: what a year and its eight weeks before need
_YEAR_BACK: Final = timedelta(days=365 + 8 * 7 + 1)
_WHY: Final = "what is unusual may be true: a campaign's end, a sale, a holiday without a precedent"


def trailing_suite(mart: str) -> Suite:
    """The suite of a mart's days beside the weeks before them; it warns, and never blocks."""
    pairs = (("lower", "value", "below"), ("value", "upper", "above"))
    expected = tuple(
        Expected(
            f"no total, ratio or share of a day is {side} what the weeks before it let expect",
            "distribution",
            "ExpectColumnPairValuesAToBeGreaterThanB",
            {
                "column_A": greater,
                "column_B": smaller,
                "or_equal": True,
                "ignore_row_if": "either_value_is_missing",
            },
            blocking=False,
            why=_WHY,
        )
        for smaller, greater, side in pairs
    )
    shown = ("value", "expected", "lower", "upper")
    return Suite(
        f"marts/{mart}", ("date", "metric"), {}, (), expected, batch=f"{mart} by day", shown=shown
    )


def trailing_frame(con: duckdb.DuckDBPyConnection, mart: str, days: Sequence[date]) -> pd.DataFrame:
    """The numbers of ``days`` that have weeks to compare with, each with what it may be."""
    rows = [*_totals(con, mart, days), *_mix(con, mart, days)]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _totals(
    con: duckdb.DuckDBPyConnection, mart: str, days: Sequence[date]
) -> Iterator[tuple[Any, ...]]:
    names = list(dict.fromkeys((*_COUNTS[mart], *_AMOUNTS[mart])))
    found = con.execute(
        f"select date, {', '.join(f'cast({name} as double)' for name in names)} "
        f"from marts.{mart} where date >= $since",
        {"since": min(days) - _YEAR_BACK},
    ).fetchall()
    history = {
        name: {row[0]: row[place] for row in found if row[place] is not None}
        for place, name in enumerate(names, start=1)
    }
    for name in _COUNTS[mart]:
        yield from _banded(name, history[name], days, lambda d, n=name: count_band(history[n], d))
    for name, things in _AMOUNTS[mart].items():
        yield from _banded(
            name,
            history[name],
            days,
            lambda d, n=name, t=things: amount_band(history[n], history[t], d),
        )


def _mix(
    con: duckdb.DuckDBPyConnection, mart: str, days: Sequence[date]
) -> Iterator[tuple[Any, ...]]:
    if mart not in _SHARES:
        return
    values = {"since": min(days) - timedelta(days=8 * 7)}
    parts: dict[str, dict[date, tuple[float, float]]] = {}
    for day, name, part, whole in con.execute(_SHARES[mart], values).fetchall():
        parts.setdefault(name, {})[day] = (float(part), float(whole))
    for name, told in parts.items():
        part = {day: counts[0] for day, counts in told.items()}
        whole = {day: counts[1] for day, counts in told.items()}
        shares = {day: part[day] / whole[day] for day in told}
        yield from _banded(
            name, shares, days, lambda d, p=part, w=whole: share_band(p, w, d, w.get(d, 0.0))
        )


def _banded(
    name: str, values: Mapping[date, float], days: Iterable[date], band_of: Any
) -> Iterator[tuple[Any, ...]]:
    for day in days:
        band: Band | None = band_of(day) if day in values else None
        if band is not None:
            yield pd.Timestamp(day), name, values[day], band.expected, band.lower, band.upper
