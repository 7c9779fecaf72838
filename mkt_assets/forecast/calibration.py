"""Rolling origins and the conformal intervals from them: what past errors say about the next.

Method: a model is refitted at up to twelve past origins and its errors there, divided by the square
root of the forecast (revenue made of orders varies like its root), give the interval as order
statistics with the finite-sample correction of split-conformal prediction, separately above and
below the forecast (Vovk et al. 2005; Lei et al. 2018). Days of one window err together, so the
promise holds on average over windows, not in each of them, and the intervals are widened for having
few windows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mkt_assets.forecast.point import MODELS

#: refits that cost about half a second a series; twenty gained 2 % of the interval score
ORIGINS = 12
#: whole weeks between origins, so that each weekday stands at each step equally often
STEP_DAYS = 7
#: with fewer weekly origins than this the steps are made shorter instead
MIN_WEEKLY_ORIGINS = 6
#: three weeks are the least from which a weekly pattern can be told from one odd day
TRAIN_MIN_DAYS = 21
#: below this many past errors no quantile is worth publishing
MIN_ERRORS = 7
#: the scale never falls below this share of the recent level, so that quiet days keep an interval
SCALE_FLOOR = 0.01
LEVEL_DAYS = 28


def spread(yhat: np.ndarray, level: float) -> np.ndarray:
    """What an error is measured in: the root of the forecast (1 where there is no revenue)."""
    if level <= 0:
        return np.ones_like(yhat)
    return np.asarray(np.sqrt(np.maximum(yhat, SCALE_FLOOR * level)))


def recent_level(known: pd.Series[float]) -> float:
    """The mean of the last four weeks of known days."""
    return float(known.iloc[-LEVEL_DAYS:].mean())


def fold_cutoffs(known: pd.Series[float], horizon: int, folds: int) -> list[pd.Timestamp]:
    """The last ``folds`` origins without overlap that have days enough before them."""
    last = known.index[-1]
    wanted = [last - pd.Timedelta(days=horizon * (fold + 1)) for fold in range(folds)]
    return [cutoff for cutoff in wanted if len(known.loc[:cutoff]) >= TRAIN_MIN_DAYS]


def origin_cutoffs(known: pd.Series[float], horizon: int) -> list[pd.Timestamp]:
    """The origins whose errors calibrate an interval, latest first."""
    last = known.index[-1]
    if len(known) <= TRAIN_MIN_DAYS:
        return []
    earliest = known.index[TRAIN_MIN_DAYS - 1]
    reach = min(
        max(horizon, STEP_DAYS), (last - earliest).days
    )  # a short history has short windows
    room = (last - earliest).days - reach
    step = STEP_DAYS if room >= STEP_DAYS * (MIN_WEEKLY_ORIGINS - 1) else room // (ORIGINS - 1)
    back = range(0, room + 1, max(step, 1))
    return [last - pd.Timedelta(days=reach + days) for days in list(back)[:ORIGINS]]


def windows(
    known: pd.Series[float], model: str, cutoffs: Sequence[pd.Timestamp], horizon: int
) -> pd.DataFrame:
    """Forecast from each cutoff, beside what then came.

    Returns one row per cutoff and known day after it: ``cutoff, ds, step`` (1 is the day after the
    cutoff), ``y, yhat, error`` (in units of :func:`spread`), ``mase_scale``.
    """
    frames = []
    for cutoff in sorted(set(cutoffs)):
        train = known.loc[:cutoff]
        after = known.loc[cutoff + pd.Timedelta(days=1) : cutoff + pd.Timedelta(days=horizon)]
        if after.empty:
            continue
        days = pd.DatetimeIndex(after.index)
        yhat = MODELS[model](train, days)
        frames.append(
            pd.DataFrame(
                {
                    "cutoff": cutoff,
                    "ds": days,
                    "step": (days - cutoff).days,
                    "y": after.to_numpy(),
                    "yhat": yhat,
                    "error": (after.to_numpy() - yhat) / spread(yhat, recent_level(train)),
                    "mase_scale": _weekly_change(train),
                }
            )
        )
    if not frames:
        columns = ["cutoff", "ds", "step", "y", "yhat", "error", "mase_scale"]
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in columns})
    return pd.concat(frames, ignore_index=True)


def interval(
    past: pd.DataFrame, steps: np.ndarray, yhat: np.ndarray, level: float, levels: Sequence[int]
) -> pd.DataFrame:
    """Interval columns ``lo80, hi80, ...`` around ``yhat``, nested, never below zero.

    ``past`` has ``step`` and ``error`` of known windows (at least ``MIN_ERRORS`` rows); ``steps``
    are days ahead. A week of the horizon uses its own errors where they suffice for the level, else
    all of them.
    """
    scale = spread(yhat, level)
    out: dict[str, np.ndarray] = {}
    below, above = np.zeros_like(yhat), np.zeros_like(yhat)
    for percent in sorted(levels):
        tail = (1 - percent / 100) / 2
        for week in np.unique((steps - 1) // 7):
            errors, widen = _errors_of_week(past, int(week), tail)
            here = (steps - 1) // 7 == week
            # never inside a narrower level, and never beyond the forecast itself
            above[here] = np.maximum(above[here], widen * _quantile(errors, 1 - tail))
            below[here] = np.maximum(below[here], widen * _quantile(-errors, 1 - tail))
        out[f"lo{percent}"] = np.maximum(yhat - below * scale, 0.0)
        out[f"hi{percent}"] = yhat + above * scale
    return pd.DataFrame(
        {f"{side}{percent}": out[f"{side}{percent}"] for percent in levels for side in ("lo", "hi")}
    )


def _errors_of_week(past: pd.DataFrame, week: int, tail: float) -> tuple[np.ndarray, float]:
    """The errors to use for a week of the horizon, and by how much to widen them."""
    errors = past["error"].to_numpy(dtype="float64")
    own = errors[((past["step"] - 1) // 7 == week).to_numpy()]
    # days of a window err together: n windows' worth of days know the spread no better than n
    # errors would
    windows_worth = past["ds"].nunique() / float(past["step"].max())
    widen = float(np.sqrt(1 + 1 / windows_worth))
    if len(own) + 1 >= 1 / tail:
        return own, widen
    if len(errors) + 1 < 1 / tail:
        # too few to tell the two sides apart: a few errors all on one side must not close the other
        errors = np.concatenate([errors, -errors])
    # beyond what the history lets us test, errors are taken to grow like those of a random walk
    return errors, widen if len(own) else widen * float(np.sqrt(week + 1))


def _quantile(errors: np.ndarray, share: float) -> float:
    """The order statistic of rank ``ceil((n + 1) share)``; the largest where n is too small."""
    rank = int(np.ceil((len(errors) + 1) * share - 1e-9))
    return float(np.sort(errors)[min(rank, len(errors)) - 1])


def _weekly_change(known: pd.Series[float]) -> float:
    """Mean absolute change against a week before: the scale of MASE (NaN if there is none)."""
    before = known.reindex(pd.DatetimeIndex(known.index) - pd.Timedelta(days=7)).to_numpy()
    change = np.abs(known.to_numpy() - before)
    change = change[~np.isnan(change)]
    return float(change.mean()) if len(change) and change.mean() > 0 else float("nan")
