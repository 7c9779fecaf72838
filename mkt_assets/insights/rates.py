"""Counts given what could have produced them: conversions given clicks, clicks given impressions.

Expected counts with overdispersion from past days, and the exact tail probability of what came.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mkt_assets.insights.baseline import (
    shared_effect,
    trailing_sum,
    weekday_rate_effect,
)
from mkt_assets.insights.grid import BoolArray, FloatArray

#: days of a rate's baseline, and how many counts it needs before it can judge a day
RATE_DAYS = 35
RATE_LEAST_COUNTS = 8.0
RATE_LEAST_DAYS = 14
#: a campaign vouches for what all share on a day only if it expects so many counts
SHARED_LEAST_COUNTS = 1.0
#: overdispersion (variance beyond Poisson, relative to the squared mean): typical value and bounds
DISPERSION, DISPERSION_LOW, DISPERSION_HIGH = 0.04, 0.002, 0.5
#: a campaign's own dispersion leans on all campaigns' as if that were so many informative days
DISPERSION_PRIOR_DAYS = 20.0
DISPERSION_DAYS = 56
#: squared deviations beyond this many standard deviations are cut, so that an anomaly is no noise
CUT_SD = 2.5


@dataclass(frozen=True)
class Expected:
    """Expected counts per day with the three parts of their uncertainty, (days, campaigns).

    ``daily`` and ``baseline`` are relative variances: of a day by itself, and of the baseline
    that all days of a window share. ``effective`` is the exposure with the weekday's and the
    shared effect in it: ``counts`` is a plain rate times it. NaN where there is no baseline yet.
    """

    counts: FloatArray
    seen: FloatArray
    daily: FloatArray
    baseline: FloatArray
    effective: FloatArray


def expect(counts: FloatArray, exposure: FloatArray, unusual: BoolArray, gap: int) -> Expected:
    """What ``exposure`` should have brought at the rate of the days ending ``gap`` days before.

    Days marked ``unusual`` do not enter the baseline. A mark may be made up to ``gap`` - 1 days
    after its day, since no younger day than that is read together with its mark.
    """
    known = np.isfinite(counts) & np.isfinite(exposure)
    usable = known & ~unusual
    effective = exposure * weekday_rate_effect(
        np.where(usable, counts, np.nan), np.where(usable, exposure, np.nan), 1 if gap == 1 else 2
    )
    past_seen = trailing_sum(np.where(usable, counts, 0.0), RATE_DAYS, gap)
    past_exposure = trailing_sum(np.where(usable, effective, 0.0), RATE_DAYS, gap)
    past_days = trailing_sum(usable.astype("float64"), RATE_DAYS, gap)
    rate = np.full_like(counts, np.nan)
    enough = (past_seen >= RATE_LEAST_COUNTS) & (past_days >= RATE_LEAST_DAYS)
    np.divide(past_seen, past_exposure, out=rate, where=enough & (past_exposure > 0))
    own = np.where(known, effective * rate, np.nan)
    judge = own >= SHARED_LEAST_COUNTS
    residual = np.where(judge, counts / np.where(judge, own, 1.0) - 1, np.nan)
    alone = dispersion(counts, own, usable, gap)
    shared, shared_var = shared_effect(residual, 1 / np.where(judge, own, 1.0) + alone)
    mean = own * np.exp(shared)
    spread = dispersion(counts, mean, usable, gap)
    baseline = 1 / np.maximum(past_seen, 1.0) + spread / np.maximum(past_days, 1.0)
    return Expected(
        counts=mean,
        seen=np.where(known, counts, np.nan),
        daily=spread + shared_var,
        baseline=baseline,
        effective=effective * np.exp(shared),
    )


def dispersion(counts: FloatArray, mean: FloatArray, usable: BoolArray, gap: int) -> FloatArray:
    """Variance beyond Poisson from the days before, each campaign leaning on all of them."""
    ok = usable & np.isfinite(mean) & (mean > 0)
    m = np.where(ok, mean, 1.0)
    typical = m + DISPERSION * m**2
    square = np.minimum((np.where(ok, counts, 1.0) - m) ** 2, CUT_SD**2 * typical)
    # a day informs about dispersion as far as its Poisson noise lets it
    weight = np.where(ok, (m**2 / typical) ** 2, 0.0)
    found = trailing_sum(weight * (square - m) / m**2, DISPERSION_DAYS, gap)
    total = trailing_sum(weight, DISPERSION_DAYS, gap)
    prior = DISPERSION_PRIOR_DAYS / DISPERSION**2 / 4
    all_found, all_total = found.sum(axis=1, keepdims=True), total.sum(axis=1, keepdims=True)
    pooled = (all_found + prior * DISPERSION) / (all_total + prior)
    value = (found + prior * pooled) / (total + prior)
    clipped: FloatArray = np.clip(value, DISPERSION_LOW, DISPERSION_HIGH)
    return clipped


def count_score(
    seen: FloatArray, mean: FloatArray, variance: FloatArray, upper: bool
) -> FloatArray:
    """Standard deviations of a count that is negative binomial with that mean and variance.

    From the exact tail probability: positive is unusual in the asked direction; NaN stays NaN.
    """
    from scipy.special import betainc, betaincc, ndtri

    ok = np.isfinite(seen) & np.isfinite(mean) & (mean > 0)
    m = np.where(ok, mean, 1.0)
    size = m**2 / np.maximum(np.where(ok, variance, 1.0) - m, 1e-9 * m)
    p = size / (size + m)
    x = np.where(ok, seen, 0.0)
    # P(X >= x) and P(X <= x); whole counts are not assumed, a shared effect may be none
    tail = betaincc(size, np.maximum(x, 1e-12), p) if upper else betainc(size, x + 1.0, p)
    score = -ndtri(np.clip(tail, 1e-300, 1.0))
    return np.where(ok, np.clip(score, -40.0, 40.0), np.nan)
