"""Fewer conversions than the clicks should have brought; more revenue than the clicks explain.

Both are decided by the posterior odds of a change over windows of days (scan): small counts need
time, large ones do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mkt_assets.insights.baseline import trailing_sum
from mkt_assets.insights.baskets import expect_baskets
from mkt_assets.insights.flags import Flags
from mkt_assets.insights.grid import BoolArray, FloatArray, Grid, IntArray
from mkt_assets.insights.market import step_chances
from mkt_assets.insights.rates import Expected, count_score, expect
from mkt_assets.insights.scan import Changes, Scan, inflation, of_amounts, scan, windows
from mkt_assets.insights.spend import run_length

#: conversions are judged by rates learnt from days so long ago: a drop's own days are not in them
GAP = 8
#: a drop costs between a third and nearly all of the conversions and lasts from three days to a
#: week and a half; a bad day or two is mostly noise, so a tenth as likely: only a deep loss shows
#: as soon as that, from its first day on. A campaign has one in 20 months
DROPS = Changes(
    (0.65, 0.55, 0.45, 0.35, 0.25, 0.15),
    (1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    0.6,
    (0.1, 0.1, 1, 1, 1, 1, 1, 1, 1, 1),
)
#: log odds from which a drop is reported: at the largest F1 one reports what is half as probable
#: as that F1 (Lipton and others, 2014); more certain ones keep the false share far below
DROP_LOG_ODDS = -1.0
#: at least this much of the expected conversions must be missing for a marketer to act
DROP_LEAST = 0.28
#: a drop that goes on for so long is the new normal, and is learnt as such
DROP_MAX_DAYS = 28
#: more orders, or larger baskets, nearly double to five times, for a day or two; each as rare
SPIKES = Changes((1.8, 2.5, 3.5, 5.0), (1, 2), 0.3)
#: reported when as likely as not
SPIKE_LOG_ODDS = 0.0
#: at least half again as much as expected, for a marketer to look
SPIKE_RATIO = 1.5
#: the week before a spike, leaning on expectation with the weight of so many orders
WEEK, LEVEL_PRIOR = 7, 10.0
#: scores beyond this say nothing more
SCORE_MOST = 40.0


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
    steps = step_chances(grid)
    model = expect(grid.conversions, grid.clicks, high, GAP, step_chance=steps)
    drops, spikes = performance_drops(model, high), revenue_spikes(grid, model, high)
    spiked = _covered(spikes)
    model = expect(grid.conversions, grid.clicks, high, GAP, _covered(drops) | spiked, steps)
    spikes = revenue_spikes(grid, model, high | spiked)
    return Outcomes(performance_drops(model, high), spikes, high | spikes.at)


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


def revenue_spikes(grid: Grid, orders: Expected, late: BoolArray) -> Flags:
    """Days with far more orders than the clicks explain, or with far larger baskets."""
    baskets, basket = expect_baskets(grid.conversions, grid.revenue, late, GAP)
    due = orders.counts * basket
    nothing = np.zeros_like(late)
    by_orders = scan(windows(orders, nothing, SPIKES.lengths), SPIKES, inflation(orders, nothing))
    by_basket = scan(windows(baskets, nothing, SPIKES.lengths), SPIKES, 1.0, of_amounts)
    more = by_orders.log_odds >= by_basket.log_odds
    start, last, got, usual, relative = (
        np.where(more, getattr(by_orders, part), getattr(by_basket, part))
        for part in ("start", "last", "got", "due", "relative")
    )
    level = np.where(more, _week_before(orders, start), 1.0)
    at = np.logaddexp(by_orders.log_odds, by_basket.log_odds) >= SPIKE_LOG_ODDS
    at &= (got >= SPIKE_RATIO * level * usual) & np.isfinite(due) & np.isfinite(grid.revenue)
    spread = np.sqrt(relative * usual**2 + np.where(more, usual, 0.0))
    score = np.clip((got - usual) / spread, 0.0, SCORE_MOST)
    return Flags("revenue_spike", "revenue", at, start, last, score, due, grid.revenue, gap=1)


def _week_before(orders: Expected, start: IntArray) -> FloatArray:
    """How far orders lay above expectation in the week before a day: a drift is no spike."""
    known = np.isfinite(orders.counts) & np.isfinite(orders.seen)
    seen = trailing_sum(np.where(known, orders.seen, 0.0), WEEK, 1)
    due = trailing_sum(np.where(known, orders.counts, 0.0), WEEK, 1)
    ratio = (seen + LEVEL_PRIOR) / (due + LEVEL_PRIOR)
    return np.maximum(np.take_along_axis(ratio, start, axis=0), 1.0)
