"""Did each day bring as many rows as its weekday does, and with as much consent? From the ledger.

What stays out: the statistics (``history``), and reading the ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

import pandas as pd

from mkt_assets.quality.history import (
    LEAST_WEEKS,
    SHARE_DAYS,
    WEEKS,
    Band,
    count_band,
    share_band,
)
from mkt_assets.quality.outcomes import SAMPLE_KEYS, Outcome

#: of a weekday that always brought as many rows, none at all is no chance
_NEVER_EMPTY: Final = 10
#: how to say that an empty day is as it should be
_ACCEPT: Final = "MKT_ACCEPTED_CHANGES"


def days_needed(days: Sequence[date]) -> list[date]:
    """The days of the ledger that tell whether ``days`` are usual, a year ago included."""
    back = [7 * week for week in range(WEEKS + 1)]
    year = [offset + week for offset in (364, 365) for week in back]
    wanted = {day - timedelta(days=n) for day in days for n in (*back, *year)}
    wanted |= {day - timedelta(days=n) for day in days for n in range(SHARE_DAYS + 1)}
    return sorted(wanted)


def volume(
    table: str, rows: Mapping[date, int], days: Sequence[date], accepted: Collection[str] = ()
) -> list[Outcome]:
    """Whether ``days`` brought about as many rows as their weekdays do, and none is empty.

    Args:
        table: ``stage/name`` of the table whose rows they are.
        rows: rows that came in, by day; what is not there was never read.
        days: the days in question; each is compared with days before it only.
        accepted: ``<name>@<day>`` of each empty day that a person has found to be true.
    """
    name = table.rsplit("/", 1)[-1]
    history = {day: float(n) for day, n in rows.items()}
    bands = {day: count_band(history, day) for day in days if day in rows}
    known = {day: band for day, band in bands.items() if band is not None}
    odd = [day for day, band in known.items() if rows[day] and not band.holds(rows[day])]
    empty = [day for day in days if _is_emptied(history, day) and f"{name}@{day}" not in accepted]
    return [
        Outcome(
            table,
            f"a day brings about as many rows as the same weekday of the {WEEKS} weeks before",
            "volume",
            "history",
            tested=len(known),
            broken=len(odd),
            samples=tuple(
                f"{day}: {rows[day]:,} rows, {_told(known[day])}" for day in odd[-SAMPLE_KEYS:]
            ),
            why="an unusual day may be true: a sale, a strike, a holiday without a precedent",
            means="look for files that are missing, cut off or given twice",
        ),
        Outcome(
            table,
            f"no day is empty whose weekday never was in {WEEKS} weeks",
            "volume",
            "history",
            tested=len(days),
            broken=len(empty),
            samples=tuple(str(day) for day in empty[-SAMPLE_KEYS:]),
            blocking=True,
            why="a day without data would be published as a day without business",
            means=_of_empty(name, empty),
        ),
    ]


def _is_emptied(history: Mapping[date, float], day: date) -> bool:
    weeks = [history.get(day - timedelta(weeks=w)) for w in range(1, WEEKS + 1)]
    known = [n for n in weeks if n is not None]
    never = len(known) >= LEAST_WEEKS and min(known) >= _NEVER_EMPTY
    return never and history.get(day) == 0


def _of_empty(name: str, empty: Sequence[date]) -> str:
    if not empty:
        return ""
    told = ",".join(f"{name}@{day}" for day in empty)
    return f"run the day again when its file has come; if nothing happened, set {_ACCEPT}={told}"


def _told(band: Band) -> str:
    return f"usual are {band.lower:,.0f} to {band.upper:,.0f}"


def consent(table: str, fates: pd.DataFrame, days: Sequence[date]) -> Outcome:
    """Whether as many events as before came with consent: a banner looks like a fall of traffic.

    Args:
        table: ``stage/name`` of the guarded events.
        fates: by ``day`` the rows ``kept`` and those without consent, ``consent_denied``,
            ``consent_unset`` and ``cookieless``.
        days: the days in question; each is compared with the four weeks before it.
    """
    without = fates["consent_denied"] + fates["consent_unset"] + fates["cookieless"]
    told = zip(fates["day"].map(_as_date), fates["kept"], without, strict=True)
    counts = {day: (float(kept), float(kept + lost)) for day, kept, lost in told}
    kept = {day: k for day, (k, _) in counts.items()}
    judged = {day: n for day, (_, n) in counts.items()}
    bands = {d: share_band(kept, judged, d, judged[d]) for d in days if judged.get(d)}
    known = {day: band for day, band in bands.items() if band is not None}
    shifted = [day for day, band in known.items() if not band.holds(kept[day] / judged[day])]
    return Outcome(
        table,
        f"the share of events with consent is that of the {SHARE_DAYS} days before",
        "consent",
        "history",
        tested=len(known),
        broken=len(shifted),
        samples=tuple(
            f"{day}: {kept[day] / judged[day]:.0%} of {judged[day]:,.0f} events, "
            f"{known[day].expected:.0%} before"
            for day in shifted[-SAMPLE_KEYS:]
        ),
        why="visitors' choice is theirs, and the events that were consented to are right",
        means=_of_shift(kept, judged, known, shifted),
    )


def _of_shift(
    kept: Mapping[date, float],
    judged: Mapping[date, float],
    known: Mapping[date, Band],
    shifted: Sequence[date],
) -> str:
    if not shifted:
        return ""
    last = shifted[-1]
    change = kept[last] / judged[last] / known[last].expected - 1
    falls = f"a fall of {-change:.0%}" if change < 0 else f"a rise of {change:.0%}"
    return (
        f"with as many visitors GA4's sessions, purchases and revenue show {falls}; ask whether "
        "the consent banner changed before reading it as traffic. Ad spend and the platforms' own "
        "conversions are not concerned"
    )


def _as_date(day: object) -> date:
    return pd.Timestamp(str(day)).date()
