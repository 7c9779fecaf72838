"""Spend that jumped and spend that stopped.

Spend is decided by people and caps, not by chance: a robust log-scale baseline judges its size,
its own weekly habit judges a stop. What the money brought is judged in outcomes and click_rate.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mkt_assets.insights.baseline import (
    MAD_TO_SD,
    shared_effect,
    shift,
    trailing_median,
    trailing_sum,
    weekday_log_effect,
)
from mkt_assets.insights.flags import Flags
from mkt_assets.insights.grid import BoolArray, FloatArray, IntArray

#: the level is the median of so many days: a changed budget is the new normal after a week
LEVEL_DAYS = 14
LEVEL_LEAST = 7
#: daily spread is read from so many days; no campaign is steadier than the floor
SPREAD_DAYS = 56
SPREAD_FLOOR = 0.08
#: a young campaign's spread leans on this typical value, as if seen for so many days
SPREAD_PRIOR, SPREAD_PRIOR_DAYS = 0.15, 10
#: at this multiple of the expected spend the first day is enough to raise the alarm
SURE_RATIO = 2.1
#: from this multiple on it is a spike once spend falls back; if it stays, the budget was changed
MAYBE_RATIO = 1.5
SPIKE_Z = 4.5
#: a jump that lasts longer is a changed plan, not a spike
SPIKE_MAX_DAYS = 3
#: a campaign runs on a weekday if it spent on three of its last four (of two at least)
RUNS_SHARE, RUNS_LEAST, RUNS_WEEKS = 0.75, 2, 4
#: of the days on which it should have run lately, more misses than this are a habit
HABIT_SHARE = 0.15
#: days ago at which the same day of the last month lay, and of the month before that
LAST_MONTH, MONTH_BEFORE = (28, 29, 30, 31), (59, 60, 61, 62)
#: until this day of a month no monthly budget is used up
EARLY_IN_MONTH = 15
#: without spend for a week a campaign counts as ended
ENDED_DAYS = 7


def expected_spend(spend: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Expected log spend and the standard deviation of a day around it, (days, campaigns)."""
    x = np.full_like(spend, np.nan)
    np.log(spend, out=x, where=spend > 0)
    weekday = weekday_log_effect(x)
    level = trailing_median(x - weekday, LEVEL_DAYS, least=LEVEL_LEAST)
    residual = x - weekday - level
    shared, shared_var = shared_effect(np.expm1(residual), np.full_like(residual, SPREAD_PRIOR**2))
    quiet = np.abs(residual - shared)
    # day-to-day steps tell a restless campaign from its second day on, before there is a level
    steps = np.abs(x - weekday - shift(x - weekday, 1)) / np.sqrt(2)
    days = trailing_sum(np.isfinite(steps).astype("float64"), SPREAD_DAYS, 1)
    around, apart = trailing_median(quiet, SPREAD_DAYS), trailing_median(steps, SPREAD_DAYS)
    own = MAD_TO_SD * np.nan_to_num(np.fmax(around, apart))
    prior = SPREAD_PRIOR_DAYS
    spread = np.sqrt((days * own**2 + prior * SPREAD_PRIOR**2) / (days + prior))
    return level + weekday + shared, np.sqrt(np.maximum(spread, SPREAD_FLOOR) ** 2 + shared_var)


def spend_spikes(spend: FloatArray) -> tuple[Flags, BoolArray]:
    """Spike verdicts, and the days on which spend stands out at all (causal, day by day)."""
    center, spread = expected_spend(spend)
    jump = np.full_like(spend, np.nan)
    np.log(spend, out=jump, where=spend > 0)
    jump = np.where(spend == 0, -np.inf, jump - center)
    high = (jump >= np.log(MAYBE_RATIO)) & (jump / spread >= SPIKE_Z)
    sure = high & (jump >= np.log(SURE_RATIO)) & (run_length(high) <= SPIKE_MAX_DAYS)
    rows = np.arange(len(spend))[:, None] + np.zeros_like(spend, dtype=np.int64)
    at, start, last = sure.copy(), rows.copy(), rows.copy()
    score = np.where(sure, jump / spread, 0.0)
    for length in range(1, SPIKE_MAX_DAYS + 1):
        over = _fell_back(jump, high, length) & ~sure
        at |= over
        start = np.where(over, rows - length, start)
        last = np.where(over, rows - 1, last)
        peak = np.nanmax([np.nan_to_num(shift(jump / spread, k)) for k in range(1, length + 1)], 0)
        score = np.where(over, peak, score)
    flags = Flags("spend_spike", "spend", at, start, last, score, np.exp(center), spend, gap=1)
    return flags, high


def run_length(on: BoolArray) -> IntArray:
    """How many days in a row, this one included, a condition has held."""
    rows = np.arange(len(on))[:, None]
    broken = np.maximum.accumulate(np.where(on, -1, rows), axis=0)
    run: IntArray = np.where(on, rows - broken, 0)
    return run


def _fell_back(jump: FloatArray, high: BoolArray, length: int) -> BoolArray:
    """A run of ``length`` high days rose from normal and has returned to normal today."""
    first = shift(jump, length)
    before = shift(jump, length + 1)
    calm = (jump <= first / 2) & (np.isnan(before) | (before <= first / 2))
    for k in range(1, length + 1):
        calm &= shift(high.astype("float64"), k) == 1.0
    return calm


def _monthly_pause(missed: BoolArray, dates: pd.DatetimeIndex) -> BoolArray:
    """Days on which spend was missed a month ago and two months ago: a schedule, not a stop.

    In the first half of a month once is enough, if it was on the same day of the month: no monthly
    budget has run out by then.
    """
    none = missed.astype("float64")
    paused = [
        np.any([shift(none, days) == 1.0 for days in month], axis=0)
        for month in (LAST_MONTH, MONTH_BEFORE)
    ]
    month_ago = dates.get_indexer(dates - pd.DateOffset(months=1))
    early = (dates.day <= EARLY_IN_MONTH) & (month_ago >= 0)
    same_day = early[:, None] & missed[month_ago]
    scheduled: BoolArray = (paused[0] & paused[1]) | same_day
    return scheduled


def zero_spends(spend: FloatArray, dates: pd.DatetimeIndex) -> Flags:
    """A running campaign without spend on a day on which it usually runs.

    A weekday off, a monthly pause, an irregular flight and a campaign that has ended are none.
    """
    zero = spend == 0
    seen, on = np.isfinite(spend).astype("float64"), (spend > 0).astype("float64")
    lags = [7 * k for k in range(1, RUNS_WEEKS + 1)]
    same_seen = sum((np.nan_to_num(shift(seen, k)) for k in lags), np.zeros_like(spend))
    same_on = sum((np.nan_to_num(shift(on, k)) for k in lags), np.zeros_like(spend))
    due = (same_seen >= RUNS_LEAST) & (same_on >= RUNS_SHARE * same_seen)
    alive = trailing_sum(on, ENDED_DAYS, 1) > 0
    # the last week is left out, or a stop would excuse itself as a habit
    due_days = trailing_sum((due & (seen > 0)).astype("float64"), 28, 8)
    missed = trailing_sum((due & zero).astype("float64"), 28, 8)
    habit = missed > HABIT_SHARE * np.maximum(due_days, 7)
    center, _ = expected_spend(spend)
    at = zero & due & alive & ~habit & ~_monthly_pause(zero & due, dates) & np.isfinite(center)
    rows = np.arange(len(spend))[:, None] + np.zeros_like(spend, dtype=np.int64)
    # how surprising a stop is grows with the number of days on which there was none
    score = np.sqrt(2 * np.log(2 + trailing_sum(on, SPREAD_DAYS, 1)))
    return Flags("zero_spend", "spend", at, rows, rows, score, np.exp(center), spend, gap=2)
