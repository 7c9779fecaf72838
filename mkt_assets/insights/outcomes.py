"""Fewer conversions than the clicks should have brought; more revenue than the clicks explain.

Windows of days for a drop (small counts need time), single days for a spike.
"""

from __future__ import annotations

import numpy as np

from mkt_assets.insights.baseline import shared_effect, trailing_sum
from mkt_assets.insights.flags import Flags
from mkt_assets.insights.grid import BoolArray, FloatArray, Grid
from mkt_assets.insights.rates import RATE_DAYS, RATE_LEAST_COUNTS, count_score, expect
from mkt_assets.marts.metrics import kpi_value

#: a drop is looked for in windows of so many days; baselines end before the longest begins
DROP_WINDOWS = (2, 3, 4, 5, 6, 8)
DROP_GAP = 8
DROP_Z = 3.7
#: at least this much of the expected conversions must be missing for a marketer to act
DROP_LEAST = 0.28
#: neighbouring days resemble each other: the variance of a window's sum beyond independent days
WINDOW_VARIANCE = 1.3
SPIKE_Z = 4.0
SPIKE_RATIO = 1.5
#: two orders in a basket spike are the fewest that can be unusual together
BASKET_LEAST_ORDERS = 2.0
#: squared relative spread of one order's value: typical, and its weight in orders seen
BASKET_SPREAD, BASKET_PRIOR_ORDERS = 0.5, 30.0
#: relative variance of a day's mean basket that does not shrink with orders (the day's offer)
BASKET_DAY_VAR = 0.05**2


def performance_drops(grid: Grid, skipped: BoolArray, unusual: BoolArray) -> Flags:
    """Conversions below what the clicks promise, over the worst window that ends each day.

    Days ``skipped`` (unusual spend: other clicks than usual) are not judged, and ``unusual`` ones
    are in no baseline. Two passes: days found in a drop leave the baseline of later days.
    """
    first = _drop_pass(grid, skipped, unusual)
    return _drop_pass(grid, skipped, unusual | _covered(first))


def _covered(flags: Flags) -> BoolArray:
    """Days that a verdict speaks of."""
    marks = np.zeros((len(flags.at) + 1, flags.at.shape[1]))
    day, campaign = np.nonzero(flags.at)
    np.add.at(marks, (flags.start[day, campaign], campaign), 1)
    np.add.at(marks, (flags.last[day, campaign] + 1, campaign), -1)
    covered: BoolArray = np.cumsum(marks, axis=0)[:-1] > 0
    return covered


def _drop_pass(grid: Grid, skipped: BoolArray, unusual: BoolArray) -> Flags:
    model = expect(grid.conversions, grid.clicks, unusual, DROP_GAP)
    usable = np.isfinite(model.seen) & np.isfinite(model.counts) & ~skipped
    seen, mean = np.where(usable, model.seen, 0.0), np.where(usable, model.counts, 0.0)
    score = np.full_like(seen, -np.inf)
    rows = np.arange(len(seen))[:, None] + np.zeros_like(seen, dtype=np.int64)
    start, depth = rows.copy(), np.ones_like(seen)
    for days in DROP_WINDOWS:
        got, due = trailing_sum(seen, days, 0), trailing_sum(mean, days, 0)
        daily = WINDOW_VARIANCE * trailing_sum(model.daily * mean**2, days, 0)
        z = count_score(got, due, due + daily + model.baseline * due**2, upper=False)
        better = (z > score) & (got <= (1 - DROP_LEAST) * due)
        score, start = np.where(better, z, score), np.where(better, rows - days + 1, start)
        depth = np.where(better, got / np.where(better, due, 1.0), depth)
    start = np.maximum(start, 0)
    # a day nearer to normal than to its window's depth is over the drop
    today = usable & (seen <= (1 + depth) / 2 * mean)
    at = (score >= DROP_Z) & today
    return Flags(
        "performance_drop", "conversions", at, start, rows, score, model.counts, model.seen, gap=2
    )


def revenue_spikes(grid: Grid, unusual: BoolArray) -> Flags:
    """Days with far more orders than the clicks explain, or with far larger baskets."""
    first = _spike_pass(grid, unusual)
    return _spike_pass(grid, unusual | first.at)


def _spike_pass(grid: Grid, unusual: BoolArray) -> Flags:
    orders = expect(grid.conversions, grid.clicks, unusual, 1)
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
    past_orders = trailing_sum(np.where(usable, orders, 0.0), RATE_DAYS, 1)
    past_revenue = trailing_sum(np.where(usable, revenue, 0.0), RATE_DAYS, 1)
    enough = (past_orders >= RATE_LEAST_COUNTS) & (past_revenue > 0)
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
