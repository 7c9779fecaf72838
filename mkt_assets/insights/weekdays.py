"""What each weekday usually adds to a campaign's metrics, over the last eight weeks.

Description only: whether a weak weekday deserves a word is decided in structure.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mkt_assets.insights.grid import FloatArray, Grid
from mkt_assets.marts.metrics import add_kpis

#: eight weeks, as for the weekday insight; a weekday is known from four of them on
PROFILE_DAYS, LEAST_OF_EACH = 56, 4
AMOUNTS = ("spend", "impressions", "clicks", "conversions", "revenue")
RATIOS = ("ctr", "roas")
NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def weekday_profiles(grid: Grid) -> dict[str, FloatArray]:
    """Weekday factors (7, campaigns) of each metric: 1 is the average weekday, Monday first.

    Amounts: the mean of that weekday over the mean of the seven means. Ratios: the ratio of sums
    of that weekday over the ratio of the summed means. NaN for the whole week unless each weekday
    was observed at least four times, or where the average is not above zero.
    """
    weekday = grid.dates.day_of_week.to_numpy()
    means = {name: _means(getattr(grid, name), weekday) for name in AMOUNTS}
    shape = means["spend"].shape
    by_day = add_kpis(pd.DataFrame({n: m.ravel() for n, m in means.items()}), RATIOS)
    whole = add_kpis(pd.DataFrame({n: m.sum(axis=0) for n, m in means.items()}), RATIOS)
    out = {}
    for name in (*AMOUNTS, *RATIOS):
        average = whole[name].to_numpy("float64") / (1 if name in RATIOS else len(NAMES))
        factor = by_day[name].to_numpy("float64").reshape(shape)
        known = np.isfinite(factor).all(axis=0) & (average > 0)
        out[name] = np.where(known, factor / np.where(known, average, 1.0), np.nan)
    return out


def _means(amount: FloatArray, weekday: np.ndarray[tuple[int], np.dtype[np.int32]]) -> FloatArray:
    out = np.full((len(NAMES), amount.shape[1]), np.nan)
    for number in range(len(NAMES)):
        days = amount[weekday == number]
        count = np.isfinite(days).sum(axis=0)
        mean = np.nansum(days, axis=0) / np.maximum(count, 1)
        out[number] = np.where(count >= LEAST_OF_EACH, mean, np.nan)
    return out
