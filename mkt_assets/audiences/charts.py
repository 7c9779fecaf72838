"""Pictures of audiences for people, small enough for the Dagster UI; no numbers are made here."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mkt_assets.audiences.campaign_features import prepared, totals
from mkt_assets.marts.metrics import add_kpis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: shapes beside colours, so that no cluster is told apart by colour alone
_SHAPES = "osD^vPX*"
#: more names than this overlap
_MOST_LABELS = 16
_INK = "#333333"


def cluster_scatter(daily: pd.DataFrame, clusters: pd.DataFrame) -> bytes:
    """A PNG of the campaigns by daily spend and return, in the colours of their clusters.

    Where there is no revenue the upper axis is the click-through rate. Campaigns without a positive
    value on an axis cannot be drawn on a log scale; how many is said in the picture.
    """
    from matplotlib.figure import Figure

    points = add_kpis(totals(prepared(daily)), ["roas", "ctr"]).join(
        clusters.set_index("campaign")[["cluster", "name", "colour"]], how="inner"
    )
    column, label = (
        ("roas", "ROAS (revenue / spend)") if points["roas"].notna().any() else ("ctr", "CTR")
    )
    drawn = points[(points["daily_spend"] > 0) & (points[column] > 0)]
    figure = Figure(figsize=(8.4, 4.8), dpi=110, layout="constrained")
    axes = figure.subplots()
    _draw(axes, drawn, column)
    axes.set_xlabel("Mean spend a day (log scale)", color=_INK)
    axes.set_ylabel(f"{label}, log scale", color=_INK)
    left_out = len(points) - len(drawn)
    note = f" ({left_out} without spend or return not drawn)" if left_out else ""
    axes.set_title(f"{_headline(points)}{note}", loc="left", fontsize=11, color=_INK)
    out = io.BytesIO()
    # no version or date in the file: the same campaigns give the same bytes
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _headline(points: pd.DataFrame) -> str:
    groups = points["cluster"].nunique()
    if groups <= 1:
        return f"{len(points)} campaigns, no clear groups"
    return f"{len(points)} campaigns in {groups} groups"


def _draw(axes: Axes, drawn: pd.DataFrame, column: str) -> None:
    for (cluster, name, colour), group in drawn.groupby(["cluster", "name", "colour"], sort=True):
        axes.scatter(
            group["daily_spend"],
            group[column],
            s=64,
            c=str(colour),
            marker=_SHAPES[int(str(cluster)) % len(_SHAPES)],
            edgecolors="white",
            linewidths=0.8,
            label=f"{name} ({len(group)})",
            zorder=3,
        )
    axes.grid(visible=True, which="major", color="#E5E5E5", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK)
    if drawn.empty:
        axes.text(0.5, 0.5, "nothing to draw", transform=axes.transAxes, ha="center", color=_INK)
        return
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(0.12)
    _plain_ticks(axes, percent=column == "ctr")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8.5)
    if len(drawn) <= _MOST_LABELS:
        for campaign, row in drawn.iterrows():
            axes.annotate(
                str(campaign)[:28],
                (row["daily_spend"], row[column]),
                xytext=(5, 5),
                textcoords="offset points",
                fontsize=7.5,
                color=_INK,
            )


def _plain_ticks(axes: Axes, *, percent: bool) -> None:
    """Numbers as people write them, not powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    def written(value: float, _: float) -> str:
        if percent:
            return f"{100 * value:g} %"
        return f"{value:,.0f}" if value >= 1 and np.isclose(value, round(value)) else f"{value:g}"

    for axis, style in ((axes.xaxis, "{:,.0f}"), (axes.yaxis, "")):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_minor_formatter(NullFormatter())
        if style:
            axis.set_major_formatter(
                FuncFormatter(lambda v, _: f"{v:,.0f}" if v >= 1 else f"{v:g}")
            )
        else:
            axis.set_major_formatter(FuncFormatter(written))
