"""Fewer conversions than the clicks should have brought; more revenue than the clicks explain.

Both are decided by the posterior odds of a change over windows of days (scan): small counts need
time, large ones do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mkt_assets.insights.baseline import shared_effect, trailing_sum
from mkt_assets.insights.flags import Flags
from mkt_assets.insights.grid import BoolArray, FloatArray, Grid
from mkt_assets.insights.rates import Expected, count_score, expect
from mkt_assets.insights.spend import run_length
from mkt_assets.insights.scan import Changes, Scan, inflation, scan, windows
from mkt_assets.marts.metrics import kpi_value

#: conversions are judged by rates learnt from days so long ago: a drop's own days are not in them
GAP = 8
#: a drop costs between a third and nearly all of the conversions and lasts from two days to nine;
#: a campaign has one in some twenty months
DROPS = Changes((0.65, 0.55, 0.45, 0.35, 0.25, 0.15), (2, 3, 4, 5, 6, 7, 9), 0.6)
#: log odds from which a drop is reported: at the largest F1 one reports what is half as probable
#: as that F1 (Lipton and others, 2014); more certain ones keep the false share far below
DROP_LOG_ODDS = -1.25
#: at least this much of the expected conversions must be missing for a marketer to act
DROP_LEAST = 0.28
#: a drop that goes on for so long is the new normal, and is learnt as such
DROP_MAX_DAYS = 28
SPIKE_Z = 4.0
SPIKE_RATIO = 1.5
#: two orders in a basket spike are the fewest that can be unusual together
BASKET_LEAST_ORDERS = 2.0
#: days and orders from which the usual basket is read
BASKET_DAYS, BASKET_LEAST = 35, 8.0
#: squared relative spread of one order's value: typical, and its weight in orders seen
BASKET_SPREAD, BASKET_PRIOR_ORDERS = 0.5, 30.0
#: relative variance of a day's mean basket that does not shrink with orders (the day's offer)
BASKET_DAY_VAR = 0.05**2


@dataclass(frozen=True)
class Outcomes:
    """Verdicts on what the clicks brought, and the days on which that was unusual by itself."""

    drops: Flags
    spikes: Flags
    unusual: BoolArray


def judge_outcomes(grid: Grid, high: BoolArray) -> Outcomes:
    """Drops of conversions and spikes of revenue.

    Days of ``high`` spend (other clicks than usual) are not judged for drops. Two passes: days
    that are unusual, or found in a drop, teach the rates of later days nothing.
    """
    model = expect(grid.conversions, grid.clicks, high, GAP)
    spikes = revenue_spikes(grid, model, high)
    unusual = high | spikes.at
    drops = performance_drops(model, high)
    model = expect(grid.conversions, grid.clicks, unusual, GAP, _covered(drops))
    return Outcomes(
        performance_drops(model, high), revenue_spikes(grid, model, unusual), unusual
    )


def performance_drops(model: Expected, skipped: BoolArray) -> Flags:
    """Conversions below what the clicks promise, over the likeliest window of the last days."""
    found = scan(windows(model, skipped, DROPS.lengths), DROPS, inflation(model, skipped))
    at = (found.log_odds >= DROP_LOG_ODDS) & (found.got <= (1 - DROP_LEAST) * found.due)
    at &= np.isfinite(model.seen)
    return Flags(
        "performance_drop",
        "conversions",
        at,
        found.start,
        found.last,
        _window_score(found, at),
        model.counts,
        model.seen,
        gap=2,
    )


def _window_score(found: Scan, at: BoolArray) -> FloatArray:
    """Standard deviations of the likeliest window's count, where there is a verdict."""
    score = np.zeros_like(found.got)
    got, due = found.got[at], found.due[at]
    score[at] = count_score(got, due, due + found.relative[at] * due**2, upper=False)
    return score


def _covered(flags: Flags) -> BoolArray:
    """Days that a verdict speaks of, as far as their rates are not learnt yet."""
    marks = np.zeros((len(flags.at) + 1, flags.at.shape[1]))
    day, campaign = np.nonzero(flags.at)
    start = np.maximum(flags.start[day, campaign], day - GAP + 1)
    last = np.maximum(flags.last[day, campaign] + 1, start)
    np.add.at(marks, (start, campaign), 1)
    np.add.at(marks, (last, campaign), -1)
    covered = np.cumsum(marks, axis=0)[:-1] > 0
    return covered & (run_length(covered) <= DROP_MAX_DAYS)


def revenue_spikes(grid: Grid, orders: Expected, unusual: BoolArray) -> Flags:
    """Days with far more orders than the clicks explain, or with far larger baskets."""
    variance = orders.counts + (orders.daily + orders.baseline) * orders.counts**2
    by_orders = count_score(orders.seen, orders.counts, variance, upper=True)
    by_basket, basket = _basket_score(grid, unusual)
    score = np.fmax(by_orders, by_basket)
    due = orders.counts * basket
    at = (score >= SPIKE_Z) & (grid.revenue >= SPIKE_RATIO * due)
    rows = np.arange(len(score))[:, None] + np.zeros_like(score, dtype=np.int64)
    return Flags("revenue_spike", "revenue", at, rows, rows, score, due, grid.revenue, gap=1)


def _basket_score(grid: Grid, unusual: BoolArray) -> tuple[FloatArray, FloatArray]:
    """How unusual the day's mean basket is (gamma tail), and the basket that was expected."""
    from scipy.special import gammaincc, ndtri

    orders, revenue = grid.conversions, grid.revenue
    sold = np.isfinite(orders) & np.isfinite(revenue) & (orders > 0)
    usable = sold & ~unusual
    past_orders = trailing_sum(np.where(usable, orders, 0.0), BASKET_DAYS, 1)
    past_revenue = trailing_sum(np.where(usable, revenue, 0.0), BASKET_DAYS, 1)
    enough = (past_orders >= BASKET_LEAST) & (past_revenue > 0)
    usual = kpi_value("aov", revenue=past_revenue, conversions=past_orders)
    basket = np.where(enough, usual, np.nan)
    n = np.where(sold, orders, 1.0)
    ratio = np.where(sold, kpi_value("aov", revenue=revenue, conversions=n) / basket, np.nan)
    shared, shared_var = shared_effect(ratio - 1, BASKET_SPREAD / n + BASKET_DAY_VAR)
    ratio = ratio / np.exp(shared)
    spread = _basket_spread(n, ratio, usable)
    variance = spread / n + BASKET_DAY_VAR + shared_var + spread / np.maximum(past_orders, 1.0)
    shape = 1 / variance
    tail = gammaincc(shape, shape * np.where(np.isfinite(ratio), ratio, 1.0))
    score = np.clip(-ndtri(np.clip(tail, 1e-300, 1.0)), -40.0, 40.0)
    judged = sold & np.isfinite(ratio) & (n >= BASKET_LEAST_ORDERS)
    return np.where(judged, score, np.nan), basket * np.exp(shared)


def _basket_spread(n: FloatArray, ratio: FloatArray, usable: BoolArray) -> FloatArray:
    """Squared relative spread of one order, from how far past days' mean baskets lay apart."""
    ok = usable & np.isfinite(ratio)
    square = np.minimum(np.where(ok, n * (ratio - 1) ** 2, 0.0), 9 * BASKET_SPREAD)
    days, total = trailing_sum(ok.astype("float64"), 56, 1), trailing_sum(square, 56, 1)
    prior_days = BASKET_PRIOR_ORDERS / 2
    return np.maximum((total + prior_days * BASKET_SPREAD) / (days + prior_days), 0.05)
