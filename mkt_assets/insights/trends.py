"""Where each campaign's metrics are heading: slopes with intervals that allow for autocorrelation.

Single days and events are the business of anomalies; this is about the last weeks as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mkt_assets.insights.grid import FloatArray, Grid, IntArray, build_grid, check_daily
from mkt_assets.insights.weekdays import NAMES, PROFILE_DAYS, weekday_profiles
from mkt_assets.marts.metrics import add_kpis

COLUMNS = (
    "campaign", "channel", "metric", "ma7", "slope", "slope_lo", "slope_hi", "p_value", "strength",
    "window_start", "window_end", "n_days", *NAMES,
)  # fmt: skip
METRICS = ("spend", "revenue", "conversions", "ctr", "roas")
RATIOS = ("ctr", "roas")
AMOUNTS = ("spend", "impressions", "clicks", "conversions", "revenue")
WEEK = 7
#: a weekday effect needs the weekday twice
WEEKDAY_LEAST = 2
#: four whole weeks: every weekday weighs the same
WINDOW_DAYS = 28
#: a slope needs two weeks of observed days
LEAST_DAYS = 14
#: strength: change over the window relative to the mean, and the p-value that it takes
STRONG_CHANGE, MODERATE_CHANGE = 0.30, 0.15
SURE_P, WEAK_P = 0.01, 0.05
CONFIDENCE = 0.95
UNKNOWN = np.full(len(NAMES), np.nan)
#: lag-1 autocorrelations that the interval can allow for
AUTOCORRELATIONS = np.linspace(0.0, 0.9, 19)


def compute(daily: pd.DataFrame, window: int = WINDOW_DAYS) -> pd.DataFrame:
    """The trend of every campaign and metric over the last ``window`` days of the data.

    Args:
        daily: as for ``anomalies.detect``.
        window: calendar days up to the last date in ``daily``.

    Returns:
        One row per campaign (with a row in the window) and metric (observed in the window).
        ``ma7`` is the mean of the last seven days (ratio of sums for ctr and roas), null unless
        all seven are there. ``slope`` is per day in the metric's unit, by least squares with
        weekday effects; its 95 % interval and p-value allow for first-order autocorrelation,
        estimated without the usual bias. Null with fewer than 14 observed days. ``strength``:
        none for p >= .05; strong for a change of 30 % of the mean over the window, moderate for
        15 %, both with p < .01; else weak. ``mon`` to ``sun`` are the day-of-week profile of the
        last eight weeks (``weekday_profiles``). Nothing is said of days beyond the window.

    Raises:
        InputError: as ``anomalies.detect``.
    """
    checked = check_daily(daily)
    if checked.empty:
        return _frame([])
    last = checked["date"].max()
    grid = build_grid(checked[checked["date"] > last - pd.Timedelta(days=window)])
    series, week = _daily_series(grid), _last_week(grid)
    longer = build_grid(checked[checked["date"] > last - pd.Timedelta(days=PROFILE_DAYS)])
    profiles, places = weekday_profiles(longer), _places(longer)
    designs: dict[bytes, _Design | None] = {}
    rows = []
    for index, campaign in enumerate(grid.campaigns):
        for metric in METRICS:
            y = series[metric][:, index]
            seen = np.isfinite(y)
            if not seen.any():
                continue
            pattern = seen.tobytes()
            if pattern not in designs:
                designs[pattern] = _design(np.flatnonzero(seen))
            fit = _slope(designs[pattern], y[seen])
            ma7 = float(week[metric][index])
            strength = _strength(fit, float(y[seen].mean()), len(grid.dates))
            bounds = (grid.dates[0], grid.dates[-1], int(seen.sum()))
            shape = profiles[metric][:, places[campaign]] if campaign in places else UNKNOWN
            rows.append(
                (campaign, grid.channels[index], metric, ma7, *fit, strength, *bounds, *shape)
            )
    return _frame(rows)


def _places(grid: Grid) -> dict[str, int]:
    return {campaign: index for index, campaign in enumerate(grid.campaigns)}


def _daily_series(grid: Grid) -> dict[str, FloatArray]:
    """Each metric as a (days, campaigns) matrix, ratios by the one KPI definition."""
    flat = pd.DataFrame({name: getattr(grid, name).ravel() for name in AMOUNTS})
    kpis = add_kpis(flat, RATIOS)
    return {name: kpis[name].to_numpy("float64").reshape(grid.spend.shape) for name in METRICS}


def _last_week(grid: Grid) -> dict[str, FloatArray]:
    """Moving average of the last seven days per campaign; NaN when one of them is missing."""
    if len(grid.dates) < WEEK:
        return {name: np.full(len(grid.campaigns), np.nan) for name in METRICS}
    sums = pd.DataFrame({name: getattr(grid, name)[-WEEK:].sum(axis=0) for name in AMOUNTS})
    kpis = add_kpis(sums, RATIOS)
    return {
        name: kpis[name].to_numpy("float64") / (1 if name in RATIOS else WEEK) for name in METRICS
    }


@dataclass(frozen=True)
class _Design:
    """Least squares for one pattern of observed days, prepared for every autocorrelation."""

    residual_maker: FloatArray
    slope_row: FloatArray
    next_day: IntArray
    #: per autocorrelation: expected lag-1 residual correlation, E[RSS] / variance,
    #: slope variance / variance, degrees of freedom
    expected_lag: FloatArray
    rss_factor: FloatArray
    slope_factor: FloatArray
    freedom: FloatArray


def _design(days: IntArray) -> _Design | None:
    """The design for these day numbers; None when they are too few for a slope."""
    if len(days) < LEAST_DAYS:
        return None
    weekday = days % WEEK
    columns = [np.ones(len(days)), days - days.mean()]
    counts = np.bincount(weekday, minlength=WEEK)
    if counts.min() >= WEEKDAY_LEAST:
        columns += [(weekday == k).astype("float64") for k in range(1, WEEK)]
    x = np.column_stack(columns)
    solver = np.linalg.pinv(x)
    maker = np.eye(len(days)) - x @ solver
    lag = np.abs(days[:, None] - days[None, :])
    next_day = np.flatnonzero(np.diff(days) == 1)
    table = np.array([_moments(maker, solver[1], lag, rho) for rho in AUTOCORRELATIONS])
    # the expected correlation is monotone up to rounding; interpolation needs it so
    rising = np.maximum.accumulate(table[:, 0])
    return _Design(maker, solver[1], next_day, rising, table[:, 1], table[:, 2], table[:, 3])


def _moments(
    maker: FloatArray, slope_row: FloatArray, lag: IntArray, rho: float
) -> tuple[float, float, float, float]:
    correlation = np.where(lag == 0, 1.0, float(rho) ** lag)
    spread = maker @ correlation @ maker
    rss = float(np.trace(spread))
    neighbours = float(spread[lag == 1].sum() / 2)
    freedom = rss**2 / float((spread**2).sum())
    return neighbours / rss, rss, float(slope_row @ correlation @ slope_row), freedom


def _slope(design: _Design | None, y: FloatArray) -> tuple[float, float, float, float]:
    """Slope per day, its 95 % bounds and its p-value; NaN where there is no design."""
    from scipy.special import stdtr, stdtrit

    if design is None:
        return (float("nan"),) * 4
    slope = float(design.slope_row @ y)
    residual = design.residual_maker @ y
    rss = float(residual @ residual)
    if rss <= 1e-20 * float(y @ y):
        # no scatter at all: the slope is what it is
        return slope, slope, slope, 1.0 if abs(slope) <= 1e-12 * float(np.abs(y).max()) else 0.0
    neighbours = float(residual[design.next_day] @ residual[design.next_day + 1]) / rss
    at = float(np.interp(neighbours, design.expected_lag, np.arange(len(design.expected_lag))))
    rss_factor, slope_factor, freedom = (
        float(np.interp(at, np.arange(len(values)), values))
        for values in (design.rss_factor, design.slope_factor, design.freedom)
    )
    error = float(np.sqrt(rss / rss_factor * slope_factor))
    reach = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * error
    p_value = 2 * float(stdtr(freedom, -abs(slope) / error))
    return slope, slope - reach, slope + reach, p_value


def _strength(fit: tuple[float, float, float, float], mean: float, days: int) -> str:
    slope, _, _, p_value = fit
    if not p_value < WEAK_P or mean == 0:
        return "none"
    change = abs(slope) * (days - 1) / abs(mean)
    if p_value < SURE_P and change >= STRONG_CHANGE:
        return "strong"
    return "moderate" if p_value < SURE_P and change >= MODERATE_CHANGE else "weak"


def _frame(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    out = pd.DataFrame(rows, columns=list(COLUMNS))
    for name in ("campaign", "channel", "metric", "strength"):
        out[name] = out[name].astype("str")
    for name in ("ma7", "slope", "slope_lo", "slope_hi", "p_value", *NAMES):
        out[name] = out[name].astype("float64")
    for name in ("window_start", "window_end"):
        out[name] = out[name].astype("datetime64[ns]")
    out["n_days"] = out["n_days"].astype("int64")
    return out
