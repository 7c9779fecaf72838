"""What each weekday usually adds to a campaign's metrics, over the last eight weeks.

Description only: whether a weak weekday deserves a word is decided in structure.
"""

from __future__ import annotations

import numpy as np

from mkt_assets.insights.grid import FloatArray, Grid
from mkt_assets.marts.metrics import kpi_value

#: eight weeks, as for the weekday insight; a weekday is known from four of them on
PROFILE_DAYS, LEAST_OF_EACH = 56, 4
AMOUNTS = ("spend", "impressions", "clicks", "conversions", "revenue")
RATIOS = ("ctr", "roas")
NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def weekday_profiles(grid: Grid) -> dict[str, FloatArray]:
    """Weekday factors (7, campaigns) of each metric: 1 is the average weekday, Monday first.

    Amounts: the mean of that weekday over the mean of the seven means. Ratios: the ratio of means
    of that weekday over the ratio of the summed means, all of the days that tell both parts. NaN
    for the whole week unless each weekday was observed at least four times, or where the average
    is not above zero.
    """
    weekday = grid.dates.day_of_week.to_numpy()
    out = {}
    for name in AMOUNTS:
        means = _means(getattr(grid, name), weekday)
        out[name] = _factors(means, means.sum(axis=0) / len(NAMES))
    for name in RATIOS:
        parts = {part: _means(amount, weekday) for part, amount in grid.parts(name).items()}
        whole = {part: means.sum(axis=0) for part, means in parts.items()}
        out[name] = _factors(kpi_value(name, **parts), kpi_value(name, **whole))
    return out


def _factors(by_day: FloatArray, average: FloatArray) -> FloatArray:
    known = np.isfinite(by_day).all(axis=0) & (average > 0)
    return np.where(known, by_day / np.where(known, average, 1.0), np.nan)


def _means(amount: FloatArray, weekday: np.ndarray[tuple[int], np.dtype[np.int32]]) -> FloatArray:
    out = np.full((len(NAMES), amount.shape[1]), np.nan)
    for number in range(len(NAMES)):
        days = amount[weekday == number]
        count = np.isfinite(days).sum(axis=0)
        mean = np.nansum(days, axis=0) / np.maximum(count, 1)
        out[number] = np.where(count >= LEAST_OF_EACH, mean, np.nan)
    return out
