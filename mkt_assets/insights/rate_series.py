"""Anomalies of one hourly rate (CPC, CPM): how improbable each hour is, given the hours before it.

Baseline, tail probability and alarm as for the daily series; here the counts behind the rate are
not known, so the law of its noise is learnt from the series itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from mkt_assets.errors import InputError
from mkt_assets.insights.grid import FloatArray

Stamps = npt.NDArray[np.datetime64]

#: the level is the median of half a day: a new price is the usual one half a day later
LEVEL_HOURS, LEVEL_LEAST = 12, 6
#: an hour of the day is held against the same hour of two weeks, shrunk as by some more days
PROFILE_DAYS, PROFILE_PRIOR_DAYS = 14, 4
#: spread and autocorrelation come from the last two weeks, from no fewer than two days
SPREAD_HOURS, SPREAD_LEAST = 336, 48
#: residuals are cut here, in standard deviations, before they enter the autocorrelation
CUT_SD, MOST_CARRIED_SD, LARGEST_AUTOCORRELATION = 3.0, 4.0, 0.9
#: 0.1 % of the rate: a constant series has no smaller spread
LEAST_SPREAD = 1e-3
#: the law of the scores comes from six weeks and is renewed daily, from no fewer than three days
MEMORY_HOURS, REFIT_HOURS, LAW_LEAST = 1_008, 24, 72
#: the largest tenth makes the tail; beyond it nothing is empirical
TAIL_SHARE = 0.10
#: hours over which surprises add up: a spike shows in one, a cluster of dear hours in three
SPANS = (1, 3)
#: a probability of 1e-12 is as improbable as it gets: score 1
SUREST = 12.0
#: one alarm for one thing: a day and a half, unless it gets worse
REFRACTORY = pd.Timedelta(hours=36)
#: a free hour is a deep dip, not an infinite one
FLOOR = 0.05
MAD_TO_SD = 1.4826


def detect_rates(series: pd.DataFrame) -> pd.DataFrame:
    """Causal anomaly scores of an hourly rate such as CPC or CPM.

    Args:
        series: ``ts`` (a time; one with a zone is taken in UTC) and ``value`` (the rate, of any
            unit), a row per hour, in any order. A missing hour is no observation. NaN or a
            negative value is none either: it scores 0 and enters no baseline. Rows of the same
            time (a clock set back repeats an hour) are taken in the order given.

    Returns:
        ``ts, score``: one row per row given, in that order. ``score`` is in [0, 1]:
        -log10(p) / 12, where p is the chance of an hour at least so far from expectation, on
        either side; so scores of different series mean the same. It is 0 where a score as high
        was given in the 36 hours before, and while fewer than about five days are known.

    Raises:
        InputError: a missing column, a time that is none, text or an infinite number as value.

    The score of an hour uses that hour and those before it only. On the log scale: the residual
    from the median of the last 12 hours and a causal hour-of-day profile, less what the last
    residual lets expect (first-order autocorrelation), over a running spread. This and its mean
    over three hours are each judged by their own past: the tail probability is the empirical one in
    the bulk; in the outer tenth it falls exponentially, at the mean excess of the past: a power law
    of the rate itself (Pickands 1975, shape 0). The lesser counts, times two (Bonferroni).
    O(n log n).
    """
    stamps, value = _checked(series)
    order = np.argsort(stamps, kind="stable")
    known = order[np.isfinite(value[order])]
    score = np.zeros(len(value))
    surprise = _surprise(_innovations(_residuals(value[known], stamps[known])))
    score[known] = one_alarm_each(surprise, stamps[known])
    return pd.DataFrame({"ts": series["ts"].reset_index(drop=True), "score": score})


def one_alarm_each(score: FloatArray, stamps: Stamps) -> FloatArray:
    """``score`` (in order of time), 0 where one as high lies in the refractory time before it.

    So at any threshold the first row above it is kept, whatever lower scores came before.
    """
    past = pd.Series(score, index=pd.DatetimeIndex(stamps), dtype="float64")
    highest = past.rolling(REFRACTORY, closed="left").max().to_numpy()
    # NaN (nothing before) compares as false
    return np.where(score <= highest, 0.0, score)


def _checked(series: pd.DataFrame) -> tuple[Stamps, FloatArray]:
    """Times and values as arrays; NaN where there is no observation."""
    for column in ("ts", "value"):
        if column not in series:
            raise InputError("column is missing", column=column, remedy="Add or map it.")
    stamps = pd.to_datetime(series["ts"], errors="coerce", utc=True).dt.tz_localize(None)
    value = pd.to_numeric(series["value"], errors="coerce").astype("float64")
    wrong = (value.isna() & series["value"].notna()) | np.isinf(value)
    for bad, name, problem in (
        (stamps.isna(), "ts", "not a time"),
        (wrong, "value", "not a finite number"),
    ):
        if bad.any():
            row = int(np.argmax(bad.to_numpy()))
            raise InputError(
                problem,
                row=row + 1,
                column=name,
                value=str(series[name].iloc[row]),
                remedy="Correct or leave out the row.",
            )
    observed = value.where(value >= 0).to_numpy("float64")
    return np.asarray(stamps, "datetime64[ns]"), np.asarray(observed, "float64")


def _residuals(value: FloatArray, stamps: Stamps) -> pd.Series:
    """Log residuals from level and hour-of-day profile, in running standard deviations."""
    rate = pd.Series(value)
    usual = _median_before(rate, LEVEL_HOURS, 1)
    floored = np.maximum(value, (FLOOR * usual).to_numpy("float64"))
    log = pd.Series(np.log(np.where(floored > 0, floored, np.nan)))
    residual = log - _median_before(log, LEVEL_HOURS, LEVEL_LEAST)
    residual -= _profile(residual, pd.DatetimeIndex(stamps).hour.to_numpy())
    spread = _median_before(residual.abs(), SPREAD_HOURS, SPREAD_LEAST) * MAD_TO_SD
    standardised: pd.Series = residual / spread.clip(lower=LEAST_SPREAD)
    return standardised


def _profile(residual: pd.Series, hour: npt.NDArray[np.int32]) -> pd.Series:
    """What this hour of the day usually adds, by the days before."""
    days = residual.groupby(hour).rolling(PROFILE_DAYS, min_periods=1)
    shape = days.median().droplevel(0).sort_index().groupby(hour).shift(1).fillna(0.0)
    count = days.count().droplevel(0).sort_index().groupby(hour).shift(1).fillna(0.0)
    return shape * count / (count + PROFILE_PRIOR_DAYS)


def _innovations(residual: pd.Series) -> FloatArray:
    """Residuals less what the one before lets expect."""
    cut = residual.clip(-CUT_SD, CUT_SD)
    products = (cut * cut.shift()).rolling(SPREAD_HOURS, min_periods=SPREAD_LEAST).mean()
    squares = (cut**2).rolling(SPREAD_HOURS, min_periods=SPREAD_LEAST).mean()
    carried = (products / squares).shift().clip(0, LARGEST_AUTOCORRELATION).fillna(0.0)
    before = residual.shift().fillna(0.0).clip(-MOST_CARRIED_SD, MOST_CARRIED_SD)
    return (residual - carried * before).to_numpy("float64")


def _median_before(x: pd.Series, window: int, least: int) -> pd.Series:
    return x.rolling(window, min_periods=least).median().shift(1)


def _surprise(innovation: FloatArray) -> FloatArray:
    """-log10 of the tail probability of what came, among what came before, in [0, 1].

    The least probable of the means over each span, on either side; all of them are paid for.
    """
    hours = pd.Series(innovation)
    means = [hours.rolling(span).mean().to_numpy("float64") for span in SPANS]
    least = np.max([_improbability(side * mean) for mean in means for side in (1, -1)], axis=0)
    surprise: FloatArray = np.clip((least - np.log10(2 * len(SPANS))) / SUREST, 0.0, 1.0)
    return surprise


def _improbability(x: FloatArray) -> FloatArray:
    """-log10 of the upper tail probability; 0 while too little is known."""
    out = np.zeros(len(x))
    for start in range(0, len(x), REFIT_HOURS):
        past = x[max(0, start - MEMORY_HOURS) : start]
        past = np.sort(past[np.isfinite(past)])
        now = x[start : start + REFIT_HOURS]
        if len(past) >= LAW_LEAST:
            judged = np.where(np.isfinite(now), now, past[0])
            out[start : start + REFIT_HOURS] = _tail(past, judged)
    return out


def _tail(past: FloatArray, now: FloatArray) -> FloatArray:
    size = int(TAIL_SHARE * len(past))
    corner = past[-size - 1]
    # a tail without any spread (a constant series) must still not divide by zero
    excess = max(float((past[-size:] - corner).mean()), LEAST_SPREAD)
    rank = len(past) - np.searchsorted(past, now, side="left")
    bulk = -np.log10((rank + 1) / (len(past) + 1))
    beyond = np.log10(len(past) / size) + (now - corner) / excess / np.log(10)
    improbability: FloatArray = np.where(now > corner, beyond, bulk)
    return improbability
