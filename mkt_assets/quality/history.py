"""Is a day's number in line with the weeks before it? Robust bands that it is no part of itself.

Counts and amounts are compared with the same weekday of the eight weeks before, on a log scale, for
noise grows with size. Shares (of consent, of a channel in the mix) are compared with the four weeks
before, on a logit scale. Centre and spread are median and MAD, so that one odd day among those
before moves neither; the spread is never less than what is usual between equal days plus the noise
of the counts themselves. What stays out: where the numbers come from, and what a break means.

Limits: a slow drift moves the band with it. A level that changed for good is told until half of the
band's days are on the new level: five weeks for counts, two for shares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Final

#: same weekdays before the day: fewer know neither spread nor a change of level
WEEKS: Final = 8
LEAST_WEEKS: Final = 4
#: days before the day that a share is compared with
SHARE_DAYS: Final = 28
LEAST_SHARE_DAYS: Final = 10
#: how far from the centre, in spreads; with eight days the MAD is rough, so farther than a normal
#: law would ask for. `benchmarks/false_alarms.py` tells what it costs and what it finds
LIMIT: Final = 4.5
#: four weeks of shares tell their spread better, and no shift below LEAST_SHIFT is told anyhow
SHARE_LIMIT: Final = 3.5
#: days that are alike differ by a fifth (log scale) however large: weather, mails, half-holidays
_USUAL_NOISE: Final = 0.2
#: shares of days that are alike, on the logit scale: at 70 % that is a point and a half
_USUAL_SHARE_NOISE: Final = 0.07
#: a shift of a share that nobody would act on
LEAST_SHIFT: Final = 0.05
#: the MAD of a normal law is .6745 of its standard deviation
_MAD: Final = 1 / 0.6745
_YEAR: Final = 365
#: added to counts, so that nothing has a logarithm too
_HALF: Final = 0.5
#: with ten expected, none at all is no chance
_LEAST_THINGS: Final = 10
#: the same weekday a year ago
_WEEKS_OF_YEAR: Final = 364


@dataclass(frozen=True)
class Band:
    """What a day may be: the centre and the bounds, from ``days`` days before it."""

    expected: float
    lower: float
    upper: float
    days: int

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies within."""
        return self.lower <= value <= self.upper

    def mapped(self, scale: Callable[[float], float]) -> Band:
        """The same band on another, increasing scale."""
        return Band(scale(self.expected), scale(self.lower), scale(self.upper), self.days)


def count_band(history: Mapping[date, float], day: date) -> Band | None:
    """What a count of ``day`` may be, from the same weekdays before it.

    Args:
        history: count by day; what it says of ``day`` and later is not looked at.
        day: the day in question.

    Returns:
        None where fewer than four such days are known. A day that is as odd as it was a year ago,
        by date or by weekday, is inside: a holiday is no fault.
    """
    levels = {d: math.log(n + _HALF) for d, n in history.items()}
    band = _level_band(levels, history, day)
    if band is None:
        return None
    return band.mapped(lambda level: max(math.exp(level) - _HALF, 0.0))


def amount_band(
    history: Mapping[date, float], things: Mapping[date, float], day: date
) -> Band | None:
    """What an amount or a ratio of ``day`` may be, from the same weekdays before it.

    Args:
        history: positive number by day; days with nothing are left out.
        things: how many things each stands on (the conversions of a mean order value): few things,
            much noise.
        day: the day in question.

    Returns:
        None where fewer than four such days are known, or ten things are more than is usual.
    """
    levels = {d: math.log(v) for d, v in history.items() if v > 0}
    before = _weekdays_before(levels, day)
    if not before or median(things.get(d, 0.0) for d in before) < _LEAST_THINGS:
        return None
    band = _level_band(levels, things, day)
    return None if band is None else band.mapped(math.exp)


def _level_band(
    levels: Mapping[date, float], things: Mapping[date, float], day: date
) -> Band | None:
    """The band on the log scale."""
    before = _weekdays_before(levels, day)
    if len(before) < LEAST_WEEKS:
        return None
    known = [levels[d] for d in before]
    centre = median(known)
    noise = 1 / math.sqrt(median(things.get(d, 0.0) for d in before) + 1)
    spread = math.hypot(max(_mad(known), _USUAL_NOISE), noise)
    shifts = [0.0, *_of_last_year(levels, day)]
    low, high = centre + min(shifts), centre + max(shifts)
    return Band(centre, low - LIMIT * spread, high + LIMIT * spread, len(before))


def share_band(
    part: Mapping[date, float], whole: Mapping[date, float], day: date, of: float
) -> Band | None:
    """What a share of ``day`` may be, from the shares of the four weeks before it.

    Args:
        part: what counts towards the share, by day.
        whole: of how many, by day.
        day: the day in question; what is said of it and later is not looked at.
        of: of how many the share of the day itself is.

    Returns:
        None where fewer than ten days with anything are known, or the day has nothing.
    """
    first = day - timedelta(days=SHARE_DAYS)
    before = [d for d, n in whole.items() if first <= d < day and n > 0]
    if len(before) < LEAST_SHARE_DAYS or of <= 0:
        return None
    levels = [_logit(part.get(d, 0.0), whole[d]) for d in before]
    centre = median(levels)
    share = _share(centre)
    # counts of events come in bunches, visit by visit; the MAD knows, the binomial law does not
    noise = 1 / math.sqrt(max(of * share * (1 - share), _HALF))
    spread = math.hypot(max(_mad(levels), _USUAL_SHARE_NOISE), noise)
    low = min(_unsmoothed(_share(centre - SHARE_LIMIT * spread), of), share - LEAST_SHIFT)
    high = max(_unsmoothed(_share(centre + SHARE_LIMIT * spread), of), share + LEAST_SHIFT)
    return Band(share, max(low, 0.0), min(high, 1.0), len(before))


def _weekdays_before(known: Mapping[date, float], day: date) -> list[date]:
    weeks = (day - timedelta(weeks=w) for w in range(1, WEEKS + 1))
    return [d for d in weeks if d in known]


def _of_last_year(levels: Mapping[date, float], day: date) -> list[float]:
    """How far the day was from its own weeks a year ago, by weekday and by date."""
    shifts = []
    for back in (_WEEKS_OF_YEAR, _YEAR):
        then = day - timedelta(days=back)
        before = _weekdays_before(levels, then)
        if then in levels and len(before) >= LEAST_WEEKS:
            shifts.append(levels[then] - median(levels[d] for d in before))
    return shifts


def _mad(values: list[float]) -> float:
    centre = median(values)
    return _MAD * median(abs(v - centre) for v in values)


def _logit(part: float, whole: float) -> float:
    return math.log((part + _HALF) / (max(whole - part, 0.0) + _HALF))


def _unsmoothed(share: float, of: float) -> float:
    """The share as counted whose smoothed form, half a thing added to each side, is ``share``."""
    return (share * (of + 2 * _HALF) - _HALF) / of


def _share(level: float) -> float:
    return 1 / (1 + math.exp(-level))
