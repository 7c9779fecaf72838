"""Pictures for the Dagster UI and the report: PNG bytes, drawn without a screen.

No numbers are worked out here that a table does not hold.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mkt_assets.insights.grid import Grid, build_grid, check_daily
from mkt_assets.insights.stories import between
from mkt_assets.marts.metrics import add_kpis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: days shown before and after an event: enough to see what is usual
BEFORE_DAYS, AFTER_DAYS = 42, 21
#: blue, vermilion and grey stay apart for colour-blind readers and in print
BLUE, RED, GREY = "#0072B2", "#D55E00", "#595959"
DPI = 100
#: so few days are drawn as dots
FEW_DAYS = 3
TITLES = {
    "spend_spike": "spend far above plan",
    "revenue_spike": "revenue far above expectation",
    "performance_drop": "conversions missing",
    "ctr_decline": "click rate wearing down",
    "zero_spend": "no spend on a running campaign",
}
LABELS = {"spend": "Spend a day", "revenue": "Revenue a day", "conversions": "Conversions a day",
          "ctr": "Click rate"}  # fmt: skip


def anomaly_chart(daily: pd.DataFrame, anomalies: pd.DataFrame, limit: int = 4) -> bytes:
    """The ``limit`` anomalies with the most money at risk, each in its weeks, as a PNG.

    The event is shaded and its days are marked; the dashed line is what was expected.
    """
    worst = anomalies.sort_values(
        ["money_at_risk", "score", "campaign", "start"],
        ascending=[False, False, True, True],
        kind="stable",
    ).head(limit)
    if worst.empty:
        return _message("No anomalies found")
    grid = build_grid(check_daily(daily))
    figure = _figure(2.3 * len(worst) + 0.4)
    axes = figure.subplots(len(worst), 1, squeeze=False)[:, 0]
    for axis, event in zip(axes, worst.itertuples(), strict=True):
        _draw_event(axis, grid, event)
    return _png(figure)


def _draw_event(axis: Axes, grid: Grid, event: Any) -> None:
    series = _series(grid, event.campaign, event.metric)
    first = event.start - pd.Timedelta(days=BEFORE_DAYS)
    series = series.loc[first : event.end + pd.Timedelta(days=AFTER_DAYS)]
    inside = series.loc[event.start : event.end]
    half = pd.Timedelta(hours=12)
    axis.axvspan(event.start - half, event.end + half, color=RED, alpha=0.12, linewidth=0)
    axis.plot(series.index, series.to_numpy(), color=BLUE, linewidth=1.4)
    axis.plot(
        inside.index, inside.to_numpy(), color=RED, linewidth=0, marker="o", markersize=4,
        clip_on=False,
    )  # fmt: skip
    level = event.expected / (1 if event.metric == "ctr" else max(len(inside), 1))
    axis.plot(
        [event.start - half, event.end + half], [level, level],
        color=GREY, linewidth=1.6, linestyle="--",
    )  # fmt: skip
    title = f"{event.campaign}: {TITLES[event.type]} {between(event.start, event.end)}"
    axis.set_title(title, loc="left", fontsize=10)
    axis.set_title("- - -  expected", loc="right", fontsize=8, color=GREY)
    axis.set_ylabel(LABELS[event.metric], fontsize=8)
    _clean(axis, series.index, percent=event.metric == "ctr")


def _series(grid: Grid, campaign: str, metric: str) -> pd.Series:
    """One campaign's metric by day; a missing day stays a gap in the line."""
    index = grid.campaigns.index(campaign)
    names = ("spend", "impressions", "clicks", "conversions", "revenue")
    frame = pd.DataFrame({n: getattr(grid, n)[:, index] for n in names}, index=grid.dates)
    return add_kpis(frame, ["ctr"])[metric]


def daily_spend_revenue(daily: pd.DataFrame) -> bytes:
    """Spend and revenue of all campaigns by day, as a PNG."""
    checked = check_daily(daily)
    if checked.empty:
        return _message("No data")
    sums = checked.groupby("date")[["spend", "revenue"]].sum(min_count=1).asfreq("D")
    figure = _figure(3.4)
    axis = figure.subplots()
    for name, color, style in (("revenue", BLUE, "-"), ("spend", RED, "--")):
        if sums[name].notna().any():
            axis.plot(sums.index, sums[name], color=color, linestyle=style, label=name.capitalize())
    span = between(sums.index[0], sums.index[-1])
    axis.set_title(f"Spend and revenue of all campaigns {span}", loc="left", fontsize=10)
    axis.set_ylabel("Amount a day", fontsize=8)
    axis.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    _clean(axis, sums.index, percent=False)
    top = np.nanmax(sums.to_numpy("float64"))
    # room for the legend above the lines
    axis.set_ylim(0, top * 1.2 if top > 0 else 1)
    return _png(figure)


def _figure(height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # no pyplot: it keeps every figure alive and is not safe across threads
    figure = Figure(figsize=(9, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _clean(axis: Axes, days: pd.Index, *, percent: bool) -> None:
    """A quiet frame: few ticks, whole numbers with separators, zero at the bottom."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if len(days) <= FEW_DAYS:
        # a line of one day has no length: dots, and a week of room so that ticks are days
        for line in axis.get_lines():
            line.set_marker("o")
        axis.set_xlim(days[0] - pd.Timedelta(days=3), days[-1] + pd.Timedelta(days=4))
    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.yaxis.set_major_formatter(
        FuncFormatter(lambda v, _: f"{v:.2%}" if percent else f"{v:,.10g}")
    )
    axis.set_ylim(bottom=0)
    axis.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def _message(text: str) -> bytes:
    figure = _figure(1.2)
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=12, color=GREY)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    # the program's name and version in the file would change the bytes with every upgrade
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
