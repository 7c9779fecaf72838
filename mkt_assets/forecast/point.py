"""The two point forecasters: Prophet and the seasonal naive that it has to beat.

Each maps the known days to the days asked for; intervals, checks and tables live elsewhere.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

PROPHET = "prophet"
SEASONAL_NAIVE = "seasonal_naive"

#: below eight weeks a fitted slope is noise and 14 days extrapolate it, so the level stays flat
TREND_MIN_DAYS = 56
#: Prophet's optimiser draws nothing, but CmdStan asks for a seed and would take one from the clock
SEED = 1

#: known days (DatetimeIndex -> revenue, no gaps filled), wanted days -> one number for each
PointModel = Callable[["pd.Series[float]", pd.DatetimeIndex], "np.ndarray"]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep CmdStan's progress lines and Prophet's notes out of the log, for this block only."""
    plots = logging.getLogger("prophet.plot")
    before = plots.level
    plots.setLevel(
        logging.CRITICAL
    )  # it reports at import that plotly, which we do not use, is missing
    try:
        import prophet  # noqa: F401
        from cmdstanpy.utils import get_logger
    finally:
        plots.setLevel(before)
    loggers = (get_logger(), logging.getLogger("prophet"))
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # its use of pandas' deprecated `inplace` is not ours to repair
            warnings.filterwarnings("ignore", category=DeprecationWarning, module="prophet")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def prophet(known: pd.Series[float], days: pd.DatetimeIndex) -> np.ndarray:
    """Prophet with multiplicative weekly seasonality; the yearly one from two years of days on."""
    with _quiet():
        from prophet import Prophet

        model = Prophet(
            growth="linear" if len(known) >= TREND_MIN_DAYS else "flat",
            seasonality_mode="multiplicative",
            weekly_seasonality=True,
            daily_seasonality=False,
            yearly_seasonality="auto",
            uncertainty_samples=0,
        )
        model.fit(pd.DataFrame({"ds": known.index, "y": known.to_numpy()}), seed=SEED)
        answer = model.predict(pd.DataFrame({"ds": days}))["yhat"].to_numpy(dtype="float64")
    return np.asarray(np.maximum(answer, 0.0))


def seasonal_naive(known: pd.Series[float], days: pd.DatetimeIndex) -> np.ndarray:
    """The last known value of the same weekday; of one never seen, the mean of the last week."""
    index = pd.DatetimeIndex(known.index)
    last = pd.Series(known.to_numpy(), index=index.day_of_week).groupby(level=0).last()
    answer = last.reindex(days.day_of_week).fillna(known.iloc[-7:].mean())
    return np.maximum(answer.to_numpy(dtype="float64"), 0.0)


MODELS: dict[str, PointModel] = {PROPHET: prophet, SEASONAL_NAIVE: seasonal_naive}
