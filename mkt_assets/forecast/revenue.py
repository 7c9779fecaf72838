"""Daily revenue forecasts with calibrated intervals: Prophet, or on short histories a naive.

Takes plain frames and returns plain frames; what the model is worth is told by ``accuracy``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import InputError
from mkt_assets.forecast import accuracy, calibration
from mkt_assets.forecast.history import known_days
from mkt_assets.forecast.point import MODELS, PROPHET, SEASONAL_NAIVE

METHOD = (
    "Prophet with a piecewise linear trend (flat below 8 weeks) and multiplicative weekly "
    "seasonality; 80 % and 95 % intervals from its own errors at up to 12 past origins "
    "(split-conformal, by week of the horizon), since Prophet's native 80 % interval covers only "
    "about two days in three. With 7 to 27 known days: the value of the same weekday last week, "
    "with a Student-t interval from week-on-week changes."
)

#: four weeks: the least for a weekly pattern, a window to test it on, and something left to learn
#: from
MODEL_MIN_DAYS = 28
#: one week: below it there is not even a value for each weekday
MIN_DAYS = 7
#: a channel silent for longer than this before the last day of the data is taken as ended, not
#: forecast
ENDED_AFTER_DAYS = 28
TOTAL = "total"


def forecast(
    history: pd.DataFrame, horizon: int = 14, levels: Sequence[int] = (80, 95)
) -> pd.DataFrame:
    """Forecast the ``horizon`` days after the last known day.

    Args:
        history: ``ds`` (date), ``y`` (revenue in currency, NaN where unknown); one row a day, gaps
            allowed.
        horizon: days ahead, 1 or more.
        levels: interval levels in percent.

    Returns:
        ``ds, yhat`` and ``lo<level>, hi<level>`` per level, in currency; never negative, and
        nested.

    Raises:
        InputError: a missing column, a repeated or unreadable day, a value that is no finite
            number, fewer than seven known days, or a horizon or level that makes no sense.
    """
    _check_request(horizon, levels)
    return _predict(known_days(history), horizon, levels)[1]


def forecast_all(daily: pd.DataFrame, horizon: int = 14) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecast and backtest the total and each channel.

    Args:
        daily: ``date, channel, revenue``, any number of rows a day and channel.
        horizon: days ahead of the last day with any revenue known.

    Returns:
        The tables ``revenue_forecast`` and ``forecast_accuracy``. A series with fewer than seven
        known days, or one that ended four weeks before the last day, is left out; with no series
        both are empty.
    """
    _check_request(horizon, (80, 95))
    series = _series_of(daily)
    made_on = max([pd.Timestamp(known.index[-1]) for known in series.values()] or [pd.Timestamp(0)])
    forecasts, scores = [], []
    for name, known in series.items():
        late = (made_on - known.index[-1]).days
        if len(known) < MIN_DAYS or late > ENDED_AFTER_DAYS:
            continue
        model, rows, windows = _predict(known, horizon, (80, 95), late)
        rows = rows[rows["ds"] > made_on]
        forecasts.append(rows.assign(series=name, model=model, made_on=made_on))
        folds = accuracy.score(known, windows, horizon, accuracy.FOLDS)
        scores.append(accuracy.summarise(folds, name, horizon, made_on))
    return _table("revenue_forecast", forecasts), _table("forecast_accuracy", scores)


def _predict(
    known: pd.Series[float], horizon: int, levels: Sequence[int], late: int = 0
) -> tuple[str, pd.DataFrame, dict[str, pd.DataFrame]]:
    """The model used, its forecast, and the past windows of every model that could be tested."""
    if len(known) < MIN_DAYS:
        raise InputError(
            f"{len(known)} known days are too few to forecast",
            column="y",
            remedy=f"Give {MIN_DAYS} days or more; from {MODEL_MIN_DAYS} on a model is fitted.",
        )
    windows = {}
    if len(known) >= MODEL_MIN_DAYS:
        windows = accuracy.past_windows(known, horizon, late=late)
    past = windows.get(PROPHET, pd.DataFrame())
    model = PROPHET if len(past) >= calibration.MIN_ERRORS else SEASONAL_NAIVE
    days = pd.date_range(known.index[-1] + pd.Timedelta(days=1), periods=horizon + late, name="ds")
    yhat = MODELS[model](known, days)
    steps = np.arange(1, horizon + late + 1)
    if model == PROPHET:
        bounds = calibration.interval(past, steps, yhat, calibration.recent_level(known), levels)
    else:
        bounds = _short_interval(known, steps, yhat, levels)
    return model, pd.concat([pd.DataFrame({"ds": days, "yhat": yhat}), bounds], axis=1), windows


def _short_interval(
    known: pd.Series[float], steps: np.ndarray, yhat: np.ndarray, levels: Sequence[int]
) -> pd.DataFrame:
    """Student-t bounds from week-on-week changes, wider week by week; of one week, its spread."""
    from scipy.stats import t

    before = known.reindex(pd.DatetimeIndex(known.index) - pd.Timedelta(days=7)).to_numpy()
    change: np.ndarray = (known.to_numpy() - before)[~np.isnan(before)]
    if len(change) <= 1:  # one change has no spread
        change = np.asarray(known.to_numpy() - float(known.mean()), dtype="float64")
    weeks = (steps + 6) // 7
    sigma = np.asarray(float(np.sqrt(np.mean(change**2))) * np.sqrt(weeks))
    columns: dict[str, np.ndarray] = {}
    for percent in levels:
        reach = float(t.ppf(0.5 + percent / 200, df=max(len(change) - 1, 1)))
        margin = np.asarray(sigma * reach)
        columns[f"lo{percent}"] = np.asarray(np.maximum(yhat - margin, 0.0))
        columns[f"hi{percent}"] = yhat + margin
    return pd.DataFrame(columns)


def _series_of(daily: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Known revenue by day, in total and by channel; a day without a known value is a gap."""
    missing = [name for name in ("date", "channel", "revenue") if name not in daily]
    if missing:
        raise InputError(
            "a column is missing", column=missing[0], remedy="Give date, channel, revenue."
        )
    groups = {
        TOTAL: daily,
        **{str(name): rows for name, rows in daily.groupby("channel", sort=True)},
    }
    out = {}
    for name, rows in groups.items():
        sums = rows.groupby("date", sort=True)["revenue"].sum(min_count=1).astype("float64")
        known = known_days(pd.DataFrame({"ds": sums.index, "y": sums.to_numpy()}))
        if len(known):
            out[name] = known
    return out


def _table(name: str, frames: list[pd.DataFrame]) -> pd.DataFrame:
    columns = [column.name for column in REGISTRY[f"forecast/{name}"].columns]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)[columns]


def _check_request(horizon: int, levels: Sequence[int]) -> None:
    if horizon < 1:
        raise InputError("the horizon must be one day or more", value=horizon)
    for level in levels:
        if not 0 < level / 100 < 1:
            raise InputError("an interval level must lie between 0 and 100 percent", value=level)
