"""Counts given what could have produced them: conversions given clicks, clicks given impressions.

Expected counts with overdispersion from past days, and the exact tail probability of what came.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mkt_assets.insights.grid import BoolArray, FloatArray
from mkt_assets.insights.rate_filter import (
    SHARED_LEAST_COUNTS,
    SHARED_LOWEST,
    STEP_CHANCE,
    Day,
    Dispersion,
    Levels,
    Shared,
    Weekdays,
    skew,
)


@dataclass(frozen=True)
class Expected:
    """Expected counts per day with the two parts of their uncertainty, (days, campaigns).

    ``daily``, ``baseline`` and ``weekdays`` are relative variances: of a day by itself, of what all
    days of a window share, and of the weekday's effect, each weekday's own. ``effective`` is the
    exposure with the weekday's and the shared effect in it: ``counts`` is a plain rate times it.
    NaN where there is no baseline yet.
    """

    counts: FloatArray
    seen: FloatArray
    daily: FloatArray
    baseline: FloatArray
    effective: FloatArray
    weekdays: FloatArray | float = 0.0


def expect(  # noqa: PLR0913, PLR0917  counts, what brought them, and what is known of the days
    counts: FloatArray,
    exposure: FloatArray,
    odd: BoolArray,
    gap: int = 1,
    late: BoolArray | None = None,
    step_chance: FloatArray | None = None,
) -> Expected:
    """What ``exposure`` should have brought at the rate of the days ending ``gap`` days before.

    Days marked ``odd`` (on the day itself) or ``late`` (up to ``gap`` - 1 days after it) teach
    nothing: no younger day than ``gap`` is learnt from, so a late mark is read in time.
    ``step_chance`` (days,) says how likely it is that what all campaigns share has made a step.
    """
    known = np.isfinite(counts) & np.isfinite(exposure) & (exposure > 0)
    teaches = known & ~odd if late is None else known & ~odd & ~late
    state = _Rates(counts.shape[1])
    steps = np.full(len(counts), STEP_CHANCE) if step_chance is None else step_chance
    out = [np.full_like(counts, np.nan) for _ in range(5)]
    for today in range(len(counts)):
        shown = np.where(known[today], exposure[today], np.nan)
        for row, values in zip(
            out,
            state.judge(today, counts[today], shown, odd[today], float(steps[today])),
            strict=True,
        ):
            row[today] = values
        past = today - gap + 1
        if past >= 0:
            state.learn(past, counts[past], exposure[past], teaches[past])
    expected, daily, baseline, effective, weekdays = out
    observed = np.where(known, counts, np.nan)
    return Expected(expected, observed, daily, baseline, effective, weekdays)


class _Rates:
    """All that is known of the campaigns' rates so far."""

    def __init__(self, campaigns: int) -> None:
        self.levels, self.weekdays = Levels(campaigns), Weekdays(campaigns)
        self.spread, self.shared = Dispersion(campaigns), Shared(campaigns)
        #: what all shared, as seen with a day's own counts and as foreseen without them
        self.shared_at: list[tuple[float, float]] = []
        self.foreseen_at: list[float] = []

    def judge(
        self, today: int, seen: FloatArray, exposure: FloatArray, odd: BoolArray, step_chance: float
    ) -> tuple[FloatArray, ...]:
        """Expected counts, daily and baseline variance, effective exposure, weekday's variance."""
        rate, rate_variance = self.levels.rate()
        weekday, weekday_variance = self.weekdays.effect(today)
        daily, due = self.spread.value(), exposure * weekday
        self.foreseen_at.append(self.shared.of_all[0])
        of_all = due * rate * np.exp(self.shared.of_all[0])
        judges = (of_all >= SHARED_LEAST_COUNTS) & ~odd
        mean = np.where(judges, of_all, 1.0)
        noise = 1 / mean + daily + np.where(judges, rate_variance, 0.0) + weekday_variance
        self.shared.see(seen / mean, noise, skew(mean, daily), judges, step_chance)
        self.shared_at.append(self.shared.of_all)
        effect, effect_variance = self.shared.of_others
        # when all of them lose more than half at once it is no holiday but an outage
        effect = np.maximum(effect, SHARED_LOWEST)
        effective = due * np.exp(effect)
        baseline = rate_variance + effect_variance
        return effective * rate, daily, baseline, effective, weekday_variance

    def learn(self, past: int, seen: FloatArray, exposure: FloatArray, teaches: BoolArray) -> None:
        """Take in a day, with the shared effect as it was seen then."""
        effect, variance = self.shared_at[past]
        rate, rate_variance = self.levels.rate()
        day = Day(
            seen=seen,
            exposure=exposure * self.weekdays.effect(past)[0] * np.exp(effect),
            known=teaches,
            rate=rate,
            rate_variance=rate_variance,
            variance=self.spread.value() + variance,
        )
        self.spread.learn(day, variance)
        self.weekdays.learn(past, day, np.exp(self.foreseen_at[past] - effect))
        self.levels.learn(day)


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
