"""How probable it is that a change is under way: windows of days, held against no change.

Each window's likelihood with a change of some size is compared with that without one, and weighted
with how often such changes occur. The sum over windows is the posterior odds of a change; one minus
that probability is Efron's local false discovery rate (2001), by which detectors decide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mkt_assets.insights.baseline import shift, trailing_sum
from mkt_assets.insights.grid import BoolArray, FloatArray, IntArray
from mkt_assets.insights.rates import Expected

#: of the days of a window so long, one may be unknown; of a shorter one none
MAY_MISS_FROM = 4
#: log odds beyond this say nothing more
HIGHEST_LOG = 300.0
#: windows beside the likeliest speak of the same change and multiply its odds by at most e to
#: this; without a limit a strong change would lend its odds to the calm days after it
NEIGHBOURS_LEND = 2.0
#: windowed variances are compared over weeks, and cut so that an anomaly is no noise
INFLATION_DAYS = 7
INFLATION_KEPT = 0.995
INFLATION_CUT = 2.5
#: before windows are known, they are taken to vary as independent days do, with this weight
INFLATION_PRIOR = 300.0
INFLATION_LOW, INFLATION_HIGH = 0.5, 4.0
#: daily rates usually resemble those of the day before so much; with the weight of that prior
USUAL_CORRELATION, CORRELATION_PRIOR = 0.4, 400.0
CORRELATION_HIGH = 0.8


@dataclass(frozen=True)
class Changes:
    """What changes are looked for: factors, each as likely, lengths, and how often they come."""

    factors: Sequence[float]
    lengths: Sequence[int]
    #: changes of a campaign in a year
    yearly: float
    #: how often each length comes, relative to the others; all alike if empty
    weights: Sequence[float] = ()

    def prior(self, length: int) -> float:
        """How probable a change of this length and of one factor is on a day."""
        weights = self.weights or [1.0] * len(self.lengths)
        share = weights[list(self.lengths).index(length)] / sum(weights)
        return self.yearly / 365 * share / len(self.factors)


@dataclass(frozen=True)
class Scan:
    """Per day the log odds that there was a change lately, and its likeliest window.

    ``got``, ``due`` and ``relative`` are the window's sums and relative variance beyond Poisson.
    """

    log_odds: FloatArray
    start: IntArray
    last: IntArray
    got: FloatArray
    due: FloatArray
    relative: FloatArray


@dataclass(frozen=True)
class Window:
    """Sums over a window that ends each day."""

    got: FloatArray
    due: FloatArray
    relative: FloatArray
    known: BoolArray


def windows(model: Expected, skipped: BoolArray, lengths: Sequence[int]) -> dict[int, Window]:
    """The sums over windows of each length that end each day, without the skipped days."""
    usable = np.isfinite(model.seen) & np.isfinite(model.counts) & (model.counts > 0) & ~skipped
    seen, mean = np.where(usable, model.seen, 0.0), np.where(usable, model.counts, 0.0)
    # a window has each weekday once or twice: the errors of their effects are those of single days
    daily = np.where(usable, model.daily + model.weekdays, 0.0) * mean**2
    baseline = np.where(usable, model.baseline, 0.0) * mean
    out = {}
    for days in lengths:
        got, due = trailing_sum(seen, days, 0), trailing_sum(mean, days, 0)
        known = (
            trailing_sum(usable.astype("float64"), days, 0) >= days - (days >= MAY_MISS_FROM)
        ) & (due > 0)
        safe = np.where(known, due, 1.0)
        relative = trailing_sum(daily, days, 0) / safe**2 + trailing_sum(baseline, days, 0) / safe
        out[days] = Window(got, safe, np.maximum(relative, 1e-6), known)
    return out


def inflation(model: Expected, skipped: BoolArray) -> FloatArray:
    """How much more (or less) weekly sums have varied than the model says, (days, 1), causal.

    Days that resemble their neighbours make it more than 1. All campaigns together tell it.
    """
    week = windows(model, skipped, [INFLATION_DAYS])[INFLATION_DAYS]
    extra = week.relative * week.due**2
    variance = week.due + extra
    square = np.minimum((week.got - week.due) ** 2, INFLATION_CUT**2 * variance)
    told = np.where(week.known, (extra / variance) ** 2, 0.0)
    found, total = (told * (square - week.due) / extra).sum(axis=1), told.sum(axis=1)
    ratio = _known_before(found, total, (1.0, INFLATION_PRIOR))
    return np.clip(ratio, INFLATION_LOW, INFLATION_HIGH)[:, None]


def long_run_inflation(model: Expected, skipped: BoolArray) -> FloatArray:
    """How much more a sum over many days varies than independent days' would, (days, 1), causal.

    From the lag-1 correlation r of what is beyond Poisson: (1 + r) / (1 - r), as if each day
    leant on the one before.
    """
    usable = np.isfinite(model.counts) & (model.counts > 0) & np.isfinite(model.seen) & ~skipped
    mean = np.where(usable, model.counts, 1.0)
    variance = 1 / mean + model.daily
    reach = INFLATION_CUT * np.sqrt(variance)
    residual = np.where(usable, np.clip(model.seen / mean - 1, -reach, reach), np.nan)
    product = residual * shift(residual, 1) / model.daily
    known = np.isfinite(product)
    # a day tells as much as its Poisson noise lets through, at most one day's worth
    share = np.where(known, model.daily / variance, 0.0)
    told = share * np.nan_to_num(shift(share, 1))
    together, alone = (told * np.where(known, product, 0.0)).sum(axis=1), told.sum(axis=1)
    prior = (USUAL_CORRELATION, CORRELATION_PRIOR)
    correlation = np.clip(_known_before(together, alone, prior), 0.0, CORRELATION_HIGH)
    return ((1 + correlation) / (1 - correlation))[:, None]


def _known_before(found: FloatArray, total: FloatArray, prior: tuple[float, float]) -> FloatArray:
    """``found`` / ``total`` over the days before each day, old days fading, from a prior ratio."""
    usual, weight = prior
    seen = due = 0.0
    ratio = np.empty(len(found))
    for day in range(len(found)):
        ratio[day] = (seen + weight * usual) / (due + weight)
        seen, due = INFLATION_KEPT * seen + found[day], INFLATION_KEPT * due + total[day]
    return ratio


def of_counts(got: FloatArray, mean: FloatArray, size: FloatArray) -> FloatArray:
    """Log likelihood of a negative binomial count, but for what the mean does not change."""
    out: FloatArray = got * np.log(mean) - (got + size) * np.log(size + mean)
    return out


def of_amounts(got: FloatArray, mean: FloatArray, size: FloatArray) -> FloatArray:
    """Log likelihood of a gamma amount, but for what the mean does not change."""
    out: FloatArray = -size * (np.log(mean) + got / mean)
    return out


Likelihood = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


def scan(
    seen: dict[int, Window],
    changes: Changes,
    inflated: FloatArray | float = 1.0,
    likelihood: Likelihood = of_counts,
) -> Scan:
    """Posterior odds of a change that was under way on some day of the longest window till today.

    ``seen`` is from ``windows``, ``inflated`` multiplies its variances.
    """
    odds, best = {}, _nothing(next(iter(seen.values())).due)
    for days in changes.lengths:
        window = seen[days]
        relative = window.relative * inflated
        size = 1 / relative
        calm = likelihood(window.got, window.due, size)
        logs = [likelihood(window.got, f * window.due, size) - calm for f in changes.factors]
        log_odds = np.where(
            window.known, np.log(changes.prior(days)) + np.logaddexp.reduce(logs), -np.inf
        )
        odds[days] = np.exp(np.minimum(log_odds, HIGHEST_LOG))
        best = _better(best, log_odds, days, window, relative)
    longest = max(changes.lengths)
    top, start, last, got, due, relative = _lately(_distinct(best, longest), longest)
    lately = np.log(np.maximum(_covering(odds, longest), 1e-300))
    return Scan(
        np.minimum(lately, top + NEIGHBOURS_LEND),
        start.astype("int64"),
        last.astype("int64"),
        got,
        due,
        relative,
    )


def _nothing(like: FloatArray) -> tuple[FloatArray, ...]:
    rows = np.arange(len(like))[:, None] + np.zeros_like(like)
    return (
        np.full_like(like, -np.inf),
        rows,
        rows,
        np.zeros_like(like),
        np.ones_like(like),
        np.ones_like(like),
    )


def _better(
    best: tuple[FloatArray, ...],
    log_odds: FloatArray,
    days: int,
    window: Window,
    relative: FloatArray,
) -> tuple[FloatArray, ...]:
    """The likelier of two windows that end each day."""
    rows = best[2]
    start = np.maximum(rows - days + 1, 0)
    wins = log_odds > best[0]
    new = (log_odds, start, rows, window.got, window.due, relative)
    return tuple(np.where(wins, a, b) for a, b in zip(new, best, strict=True))


def _distinct(best: tuple[FloatArray, ...], longest: int) -> tuple[FloatArray, ...]:
    """The windows without those that see only the end of a likelier earlier one."""
    log_odds, start, last = best[:3]
    echo = np.zeros(log_odds.shape, dtype=bool)
    for ago in range(1, longest):
        echo |= (last - ago >= start) & (shift(log_odds, ago) > log_odds)
    return np.where(echo, -np.inf, log_odds), *best[1:]


def _lately(best: tuple[FloatArray, ...], longest: int) -> tuple[FloatArray, ...]:
    """The likeliest window of those that ended in the days of the longest window till today."""
    top = best
    for ago in range(1, longest):
        older = tuple(shift(part, ago) for part in best)
        wins = older[0] > top[0]
        top = tuple(np.where(wins, a, b) for a, b in zip(older, top, strict=True))
    return top


def _covering(odds: dict[int, FloatArray], longest: int) -> FloatArray:
    """The largest sum, over the days till today, of the odds of windows that hold that day."""
    first = next(iter(odds.values()))
    at_least, total = {}, np.zeros_like(first)
    for days in range(longest, 0, -1):
        total = total + odds.get(days, 0.0)
        at_least[days] = total
    # held by a window: it ends today and reaches back so far, or it held the day as of yesterday
    holding, best = np.zeros_like(first), np.zeros_like(first)
    for ago in range(longest):
        holding = at_least[ago + 1] + np.nan_to_num(shift(holding, 1))
        best = np.maximum(best, holding)
    return best
