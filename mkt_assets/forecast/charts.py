"""Pictures of the forecast stage as PNG bytes; numbers come in ready, nothing is computed here."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mkt_assets.forecast.response import Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, ACCENT, QUIET = "#1f2933", "#1d6fa5", "#9aa5b1"
#: six weeks show the weekly pattern and leave the fan wide enough to read
HISTORY_SHOWN_DAYS = 42
MAX_CURVES = 12


def forecast_fan(history: pd.DataFrame, forecast: pd.DataFrame, series: str = "total") -> bytes:
    """The last six weeks of a series and the fan of its forecast.

    Args:
        history: ``ds, y``, or ``date, channel, revenue`` as ``revenue.forecast_all`` takes it.
        forecast: ``ds, yhat, lo80, hi80, lo95, hi95``, with or without ``series``.
        series: which one to draw where the frames hold several.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    known = _known(history, series).iloc[-HISTORY_SHOWN_DAYS:]
    fan = forecast[forecast["series"] == series] if "series" in forecast else forecast
    days = pd.to_datetime(fan["ds"]).to_numpy()
    for level, alpha in ((95, 0.15), (80, 0.3)):
        low, high = (fan[f"{side}{level}"].to_numpy(dtype="float64") for side in ("lo", "hi"))
        axes.fill_between(
            days, low, high, color=ACCENT, alpha=alpha, lw=0, label=f"{level} % of days"
        )
    axes.plot(known.index.to_numpy(), known.to_numpy(), color=INK, lw=1.4, label="actual")
    axes.plot(days, fan["yhat"].to_numpy(dtype="float64"), color=ACCENT, lw=1.8, label="forecast")
    if len(known):
        axes.axvline(known.index[-1], color=QUIET, lw=0.8, ls=":")
    axes.set_ylim(bottom=0)
    axes.set_title(f"Daily revenue, {series}", loc="left", fontsize=11, color=INK)
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="upper left", bbox_to_anchor=(0, -0.1))
    _plain(axes)
    return _png(figure)


def _known(history: pd.DataFrame, series: str) -> pd.Series[float]:
    """Known revenue by day, whichever of the two shapes it came in."""
    if "y" in history:
        known = history.set_index(pd.DatetimeIndex(pd.to_datetime(history["ds"])))["y"]
        return known.dropna().sort_index()
    rows = history if series == "total" else history[history["channel"] == series]
    return rows.groupby("date", sort=True)["revenue"].sum(min_count=1).dropna()


def response_curves(curves: Curves) -> bytes:
    """One panel for each of the twelve largest channels: expected revenue over spend, now marked.

    The line is dashed where the spend lies outside what was ever spent on a day.
    """
    from matplotlib.figure import Figure

    shown = np.argsort(-curves.current, kind="stable")[:MAX_CURVES]
    columns = min(3, max(len(shown), 1))
    rows = -(-max(len(shown), 1) // columns)
    figure = Figure(figsize=(2.8 * columns, 2.1 * rows), dpi=110, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    for axes, channel in zip(panels, shown, strict=False):
        _curve(axes, curves, int(channel))
    figure.supxlabel("daily spend", fontsize=8, color=INK)
    figure.supylabel("expected daily revenue", fontsize=8, color=INK)
    return _png(figure)


def _curve(axes: Axes, curves: Curves, channel: int) -> None:
    top = 2 * max(float(curves.current[channel]), float(curves.reference[channel]))
    grid = np.linspace(0, top, 101)
    revenue = np.array([curves.predict(np.full(len(curves.channels), x))[channel] for x in grid])
    seen = (grid >= curves.spend_low[channel]) & (grid <= curves.spend_high[channel])
    axes.plot(grid, revenue, color=QUIET, lw=1.1, ls="--")
    axes.plot(grid, np.where(seen, revenue, np.nan), color=ACCENT, lw=1.8)
    now = float(curves.current[channel])
    axes.plot([now], [curves.predict(curves.current)[channel]], "o", color=INK, ms=5)
    axes.set_title(curves.channels[channel], loc="left", fontsize=9, color=INK)
    axes.set_ylim(bottom=0)
    _plain(axes)


def _plain(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import FuncFormatter

    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=INK)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    if isinstance(axes.xaxis.get_major_locator(), AutoDateLocator):
        locator = axes.xaxis.get_major_locator()
        formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(formatter)


def _png(figure: Figure) -> bytes:
    """The picture without the version stamp, so that the same numbers give the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
