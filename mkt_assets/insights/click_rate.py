"""A click rate that wears out slowly: a ramp is fitted to the last weeks against those before."""

from __future__ import annotations

import numpy as np

from mkt_assets.insights.baseline import trailing_sum
from mkt_assets.insights.flags import Flags
from mkt_assets.insights.grid import BoolArray, FloatArray, Grid
from mkt_assets.insights.rates import expect
from mkt_assets.insights.scan import long_run_inflation

#: lengths of decline that are looked for, and the days before them that give the level
DECLINE_WINDOWS = (14, 21, 28)
LEVEL_DAYS = 28
#: the level needs so many days that were seen, and the decline so large a share of its own
LEVEL_LEAST_DAYS = 14.0
SEEN_SHARE = 0.7
DECLINE_Z = 3.8
#: by the end of the window the rate has lost at least so much
DECLINE_LEAST = 0.10
#: the last days, and the day itself, must still lie this share of the fitted loss below the level
RECENT_DAYS, RECENT_SHARE, TODAY_SHARE = 4, 0.5, 0.3


def ctr_declines(grid: Grid, unusual: BoolArray) -> Flags:
    """Declines of clicks given impressions that have gone on for two weeks or longer.

    Two passes: once a decline is known its further days are no level for the next one.
    """
    first = _decline_pass(grid, unusual, np.zeros_like(unusual))
    return _decline_pass(grid, unusual, first.at)


def _decline_pass(grid: Grid, unusual: BoolArray, declined: BoolArray) -> Flags:
    model = expect(grid.clicks, grid.impressions, unusual | declined)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log((grid.clicks + 0.5) / model.effective)
    y = np.where(np.isfinite(y) & (grid.impressions > 0) & ~unusual, y, np.nan)
    # neighbouring days' click rates resemble each other: how much, past weeks tell
    variance = long_run_inflation(model, unusual | declined) * model.daily + 1 / np.maximum(
        model.counts, 1.0
    )
    weight = np.where(np.isfinite(y) & np.isfinite(variance), 1 / variance, 0.0)
    y = np.where(weight > 0, y, 0.0)
    score = np.full_like(y, -np.inf)
    rows = np.arange(len(y))[:, None] + np.zeros_like(y, dtype=np.int64)
    start, level = rows.copy(), np.full_like(y, np.nan)
    for days in DECLINE_WINDOWS:
        loss, error, base = _ramp(y, weight, np.where(declined, 0.0, weight), days)
        recent, today = _recent(y, weight) - base, y - base
        low = (recent <= RECENT_SHARE * loss) & (today <= TODAY_SHARE * loss)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(low & (loss <= np.log(1 - DECLINE_LEAST)), -loss / error, -np.inf)
        better = z > score
        score, start = np.where(better, z, score), np.where(better, rows - days + 1, start)
        level = np.where(better, base, level)
    at = (score >= DECLINE_Z) & (weight > 0)
    expected = np.where(at, model.effective * np.exp(np.nan_to_num(level)), np.nan)
    return Flags(
        "ctr_decline",
        "ctr",
        at,
        np.maximum(start, 0),
        rows,
        score,
        expected,
        grid.clicks,
        gap=7,
        exposure=grid.impressions,
    )


def _ramp(
    y: FloatArray, weight: FloatArray, level_weight: FloatArray, days: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weighted least squares of level + loss * ramp: loss at the window's end, its error, level.

    The ramp is 0 on the level days and rises evenly to 1 on the last of ``days``.
    """
    s1, s2, sy = (np.zeros_like(y) for _ in range(3))
    padded_w = np.vstack([np.zeros((days, y.shape[1])), weight])
    padded_wy = np.vstack([np.zeros((days, y.shape[1])), weight * y])
    for ago in range(days):
        ramp = (days - ago) / days
        w = padded_w[days - ago : days - ago + len(y)]
        s1 += ramp * w
        s2 += ramp**2 * w
        sy += ramp * padded_wy[days - ago : days - ago + len(y)]
    s0 = trailing_sum(weight, days, 0) + trailing_sum(level_weight, LEVEL_DAYS, days)
    s0y = trailing_sum(weight * y, days, 0) + trailing_sum(level_weight * y, LEVEL_DAYS, days)
    on, level_on = (weight > 0).astype("float64"), (level_weight > 0).astype("float64")
    enough = (trailing_sum(level_on, LEVEL_DAYS, days) >= LEVEL_LEAST_DAYS) & (
        trailing_sum(on, days, 0) >= SEEN_SHARE * days
    )
    determinant = np.where(enough, s0 * s2 - s1**2, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = (s0 * sy - s1 * s0y) / determinant
        level = (s2 * s0y - s1 * sy) / determinant
        error = np.sqrt(s0 / determinant)
    return loss, error, level


def _recent(y: FloatArray, weight: FloatArray) -> FloatArray:
    total = trailing_sum(weight, RECENT_DAYS, 0)
    out = np.full_like(y, np.nan)
    np.divide(trailing_sum(weight * y, RECENT_DAYS, 0), total, out=out, where=total > 0)
    return out
