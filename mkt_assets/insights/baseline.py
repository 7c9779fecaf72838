"""What a day should have looked like, from the days before it: levels, weekday and shared effects.

Every function here is causal: the value for a day never reads a later day, and a level never
reads the day itself. Verdicts live in the detectors, not here.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mkt_assets.insights.grid import FloatArray

#: cells of a sorted window block held at once: about 160 MB however many campaigns there are
BLOCK_CELLS = 20_000_000
#: weeks of the same weekday that a weekday effect is read from
WEEKDAY_WEEKS = 8
#: how many own weeks weigh as much as what all campaigns share
WEEKDAY_PRIOR_WEEKS = 3.0
#: prior of what all campaigns share on a day (log scale): nearly nothing on an ordinary day, a
#: holiday's size on some; an unknown effect has the first two's rough mix as its variance
ORDINARY_SD, SPECIAL_SD, SPECIAL_SHARE = 0.05, 0.40, 0.08
UNKNOWN_VAR = 0.10**2
#: residuals further from the others than this many standard deviations are cut back to it
CUT_SD = 2.0
#: consistency factor of the median absolute deviation for a normal law
MAD_TO_SD = 1.4826


def shift(x: FloatArray, days: int) -> FloatArray:
    """The matrix of ``days`` days earlier (NaN before the first day)."""
    out = np.full_like(x, np.nan)
    if days < len(x):
        out[days:] = x[: len(x) - days]
    return out


def trailing_sum(x: FloatArray, window: int, gap: int) -> FloatArray:
    """Sum over the ``window`` days that end ``gap`` days before each day; NaN counts as nothing."""
    total = np.vstack([np.zeros((1, x.shape[1])), np.cumsum(np.nan_to_num(x), axis=0)])
    stop = np.clip(np.arange(len(x)) - gap + 1, 0, None)
    start = np.clip(stop - window, 0, None)
    return total[stop] - total[start]


def trailing_median(x: FloatArray, window: int, gap: int = 1, least: int = 1) -> FloatArray:
    """Median of the ``window`` days that end ``gap`` days before; NaN below ``least`` values."""
    rows = len(x)
    padded = np.vstack([np.full((window + gap - 1, x.shape[1]), np.nan), x])[: rows + window - 1]
    out = np.empty_like(x)
    step = max(1, BLOCK_CELLS // max(rows * window, 1))
    for left in range(0, x.shape[1], step):
        view = sliding_window_view(padded[:, left : left + step], window, axis=0)
        out[:, left : left + step] = _sorted_median(np.sort(view, axis=-1), least)
    return out


def _sorted_median(ordered: FloatArray, least: int) -> FloatArray:
    """Median along the last axis of values sorted with NaN last."""
    count = np.isfinite(ordered).sum(axis=-1)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[..., None], axis=-1)
    high = np.take_along_axis(
        ordered, np.maximum(count // 2, 0)[..., None] * (count > 0)[..., None], axis=-1
    )
    middle: FloatArray = ((low + high) / 2)[..., 0]
    return np.where(count >= max(least, 1), middle, np.nan)


def weekday_log_effect(x: FloatArray) -> FloatArray:
    """Additive weekday effect on a log series, from the last eight same weekdays.

    A day is held against the median of the seven days around it, all of them known by the
    time the effect is used a week later; few own weeks lean on what all campaigns share.
    """
    around = trailing_median(np.vstack([x, np.full((3, x.shape[1]), np.nan)]), 7, 0, 5)[3:]
    deviation = x - around
    weeks = np.stack([shift(deviation, 7 * k) for k in range(1, WEEKDAY_WEEKS + 1)], axis=-1)
    ordered = np.sort(weeks, axis=-1)
    count = np.isfinite(ordered).sum(axis=-1)
    own = np.nan_to_num(_sorted_median(ordered, 1))
    shared = _row_median(np.where(count > 0, own, np.nan))[:, None]
    prior = WEEKDAY_PRIOR_WEEKS
    effect: FloatArray = (count * own + prior * shared) / (count + prior)
    return effect


def _row_median(x: FloatArray) -> FloatArray:
    """Median of each row's finite values, 0 for a row without any."""
    return np.nan_to_num(_sorted_median(np.sort(x, axis=1), 1))


def shared_effect(residual: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What the other campaigns did on the same day, as a log effect, and its variance.

    A precision-weighted, outlier-cut mean of the others' relative residuals, then the posterior
    under a prior of ordinary and special days: noise is taken for nothing, a holiday for itself.
    The campaign itself is left out, so it cannot vouch for itself.
    """
    ok = np.isfinite(residual) & np.isfinite(variance)
    weight = np.where(ok, 1 / np.where(ok, variance, 1.0), 0.0)
    middle = weighted_median(np.where(ok, residual, np.nan), weight)[:, None]
    sd = np.sqrt(np.where(ok, variance, 1.0))
    cut = np.clip(np.where(ok, residual - middle, 0.0), -CUT_SD * sd, CUT_SD * sd) + middle
    others = weight.sum(axis=1, keepdims=True) - weight
    total = (weight * cut).sum(axis=1, keepdims=True) - weight * cut
    known = (ok.sum(axis=1, keepdims=True) - ok) > 0
    others = np.where(known, others, 1.0)
    # residuals are relative: the log makes them an effect that multiplies
    seen = np.log1p(np.clip(np.where(known, total / others, 0.0), -0.9, None))
    effect, var = _posterior(seen, 1 / others)
    return np.where(known, effect, 0.0), np.where(known, var, UNKNOWN_VAR)


def _posterior(seen: FloatArray, var: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of an effect seen with variance ``var`` under the two-part prior."""
    ordinary, special = ORDINARY_SD**2, SPECIAL_SD**2
    log_odds = (
        np.log(SPECIAL_SHARE / (1 - SPECIAL_SHARE))
        + 0.5 * np.log((var + ordinary) / (var + special))
        + 0.5 * seen**2 * (1 / (var + ordinary) - 1 / (var + special))
    )
    chance = 1 / (1 + np.exp(-np.clip(log_odds, -500, 500)))
    keep0, keep1 = ordinary / (ordinary + var), special / (special + var)
    mean = seen * ((1 - chance) * keep0 + chance * keep1)
    second = (1 - chance) * (keep0 * var + (keep0 * seen) ** 2)
    second += chance * (keep1 * var + (keep1 * seen) ** 2)
    return mean, second - mean**2


def weighted_median(x: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted median of each row's finite values, 0 for a row without any."""
    order = np.argsort(x, axis=1, kind="stable")
    cumulated = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    half = cumulated >= cumulated[:, -1:] / 2
    at = np.take_along_axis(order, half.argmax(axis=1)[:, None], axis=1)
    return np.nan_to_num(np.take_along_axis(x, at, axis=1)[:, 0])
