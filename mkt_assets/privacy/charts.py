"""The consent waterfall as a picture for the Dagster UI: PNG bytes, no numbers are made here."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: column of ``ledger.by_day`` -> label and colour; in the order in which rows are lost
#: (Okabe and Ito's colours stay apart for colour-blind readers)
LOSSES: Final = {
    "consent_denied": ("consent denied", "#D55E00"),
    "consent_unset": ("consent unset", "#E69F00"),
    "cookieless": ("cookieless", "#CC79A7"),
    "duplicate": ("duplicate", "#56B4E9"),
    "quarantined": ("quarantined", "#595959"),
    "erased": ("erased", "#000000"),
}
KEPT: Final = ("kept", "#0072B2")
_IN: Final = ("in", "#BBBBBB")
_INK: Final = "#333333"
_DPI: Final = 100
#: so many days have their names beside each other; of more only some are named
_NAMED_DAYS: Final = 12


def waterfall_chart(by_day: pd.DataFrame, table: str) -> bytes:
    """Rows in, what was lost and why, rows kept; below it the shares of each day.

    Args:
        by_day: as ``ledger.by_day`` returns it: ``day, rows_in, kept`` and a column a loss.
        table: named in the title.

    Returns:
        a PNG; the same rows give the same bytes.
    """
    total = int(by_day["rows_in"].sum()) if len(by_day) else 0
    if not total:
        return _message(f"No rows of {table} came in on these days")
    figure = _figure(6.2)
    above, below = figure.subplots(2, 1, height_ratios=[1.25, 1])
    _draw_steps(above, by_day, total)
    first, last = _name(by_day["day"].min()), _name(by_day["day"].max())
    span = first if first == last else f"{first} to {last}"
    above.set_title(f"What became of {total:,} rows of {table}, {span}", loc="left", fontsize=10)
    _draw_days(below, by_day)
    return _png(figure)


def _draw_steps(axis: Axes, by_day: pd.DataFrame, total: int) -> None:
    """A floating bar a loss, from what was left before it to what is left after it."""
    steps: list[tuple[str, str, int, int]] = [(*_IN, 0, total)]
    left = total
    for column, (label, colour) in LOSSES.items():
        lost = int(by_day[column].sum())
        left -= lost
        steps.append((label, colour, left, lost))
    steps.append((*KEPT, 0, int(by_day["kept"].sum())))
    places = range(len(steps))
    axis.bar(
        places,
        [rows for _, _, _, rows in steps],
        bottom=[floor for _, _, floor, _ in steps],
        color=[colour for _, colour, _, _ in steps],
        width=0.62,
    )
    for place, (_, _, floor, rows) in zip(places, steps, strict=True):
        axis.annotate(
            f"{rows:,}\n{rows / total:.1%}",
            (place, floor + rows),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=_INK,
        )
    axis.set_xticks(list(places), [label.replace(" ", "\n") for label, *_ in steps])
    axis.set_ylabel("Rows", fontsize=8)
    # room for the two lines above the highest bar
    axis.set_ylim(0, total * 1.2)
    _clean(axis, percent=False)


def _draw_days(axis: Axes, by_day: pd.DataFrame) -> None:
    """Shares of the rows of each day; a day without rows stays a gap."""
    came = by_day["rows_in"].where(by_day["rows_in"] > 0)
    places = range(len(by_day))
    floor = pd.Series(0.0, index=by_day.index)
    for column, (label, colour) in {"kept": KEPT, **LOSSES}.items():
        share = (by_day[column] / came).fillna(0.0).astype("float64")
        if by_day[column].sum():
            axis.bar(places, share, bottom=floor, color=colour, width=0.8, label=label)
        floor += share
    step = -(-len(by_day) // _NAMED_DAYS)
    named = list(places)[::step]
    axis.set_xticks(named, [_name(by_day["day"].iloc[place])[5:] for place in named], fontsize=8)
    axis.set_title("Shares by day", loc="left", fontsize=9)
    axis.set_ylim(0, 1)
    # a single day would be as wide as the picture
    axis.set_xlim(-0.6, max(len(by_day), 7) - 0.4)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    _clean(axis, percent=True)


def _name(day: object) -> str:
    return str(day)[:10]


def _clean(axis: Axes, *, percent: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.yaxis.set_major_formatter(
        FuncFormatter(lambda v, _: f"{v:.0%}" if percent else f"{v:,.10g}")
    )
    axis.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=8, length=0)
    axis.spines[["top", "right"]].set_visible(False)


def _figure(height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # no pyplot: it keeps every figure alive and is not safe across threads
    figure = Figure(figsize=(9, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _message(text: str) -> bytes:
    figure = _figure(1.2)
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=12, color=_INK)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    # the program's name and version in the file would change the bytes with every upgrade
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
