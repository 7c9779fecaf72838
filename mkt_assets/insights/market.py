"""Days on which the market moved: what all campaigns pay, and what they are paid for, at once.

A holiday or a sale shows in everybody's spend and prices on its first day, far clearer than in few
conversions. Here only how likely such a day is; what it did to a rate is for the rate's filter.
"""

from __future__ import annotations

import numpy as np

from mkt_assets.insights.baseline import MAD_TO_SD
from mkt_assets.insights.grid import FloatArray, Grid
from mkt_assets.insights.rate_filter import STEP_CHANCE
from mkt_assets.marts.metrics import kpi_value

#: so many campaigns make a market; the outer fifth on either side is their own affair
LEAST_CAMPAIGNS, TRIMMED = 3, 0.2
#: a day's change is held against those of the same weekday, so many weeks and two at least
WEEKS, LEAST_WEEKS = 8, 2
#: the usual deviation comes from eight weeks, from no fewer days than two weeks
SPREAD_DAYS, SPREAD_LEAST = 56, 14
#: when the market moves its change is so many times as wide as usual
MOVED_SD = 5.0
#: however clear the move: the rate's own counts must still say that it moved as well
MOST_CHANCE = 0.7


def step_chances(grid: Grid) -> FloatArray:
    """The chance, day by day and causally, that what all campaigns share has made a step (days,).

    Prior odds of a step times the likelihood ratio of the day's common change in spend and in the
    cost of an impression, each in robust standard deviations: normal, or ``MOVED_SD`` as wide.
    """
    spend = np.where(grid.spend > 0, grid.spend, np.nan)
    impressions = np.where(grid.impressions > 0, grid.impressions, np.nan)
    cost = kpi_value("cost_per_impression", mark_spent=spend, impressions=impressions)
    log_odds = np.full(len(spend), np.log(STEP_CHANCE / (1 - STEP_CHANCE)))
    for amount in (spend, cost):
        z = _common_move(np.log(amount))
        ratio = 0.5 * z**2 * (1 - 1 / MOVED_SD**2) - np.log(MOVED_SD)
        log_odds += np.nan_to_num(ratio)
    chance: FloatArray = 1 / (1 + np.exp(-np.minimum(log_odds, 500.0)))
    return np.minimum(chance, MOST_CHANCE)


def _common_move(log: FloatArray) -> FloatArray:
    """All campaigns' common change since yesterday, in its usual deviations; NaN while unknown."""
    change = _trimmed_mean(np.diff(log, axis=0, prepend=np.nan))
    deviation, z = np.full_like(change, np.nan), np.full_like(change, np.nan)
    for day in range(7, len(change)):
        same = change[day - 7 :: -7][:WEEKS]
        same = same[np.isfinite(same)]
        if len(same) < LEAST_WEEKS:
            continue
        # few weeks lean on no change at all, as if that had been seen once
        deviation[day] = change[day] - np.median(same) * len(same) / (len(same) + 1)
        past = np.abs(deviation[max(day - SPREAD_DAYS, 0) : day])
        past = past[np.isfinite(past)]
        usual = MAD_TO_SD * float(np.median(past)) if len(past) >= SPREAD_LEAST else 0.0
        if usual > 0:
            z[day] = deviation[day] / usual
    return z


def _trimmed_mean(x: FloatArray) -> FloatArray:
    """Mean of each row's finite values without the outer ones; NaN below ``LEAST_CAMPAIGNS``."""
    ordered = np.sort(x, axis=1)
    count = np.isfinite(ordered).sum(axis=1)
    cut = (TRIMMED * count).astype("int64")[:, None]
    place = np.arange(x.shape[1])[None]
    kept = (place >= cut) & (place < count[:, None] - cut)
    total = np.where(kept, np.nan_to_num(ordered), 0.0).sum(axis=1)
    mean: FloatArray = total / np.maximum(kept.sum(axis=1), 1)
    return np.where(count >= LEAST_CAMPAIGNS, mean, np.nan)
