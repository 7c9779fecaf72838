"""Verdicts that belong together become one event; what it cost is worked out here.

Events grow day by day as a reader would have seen them: start and detected_on never change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mkt_assets.insights.flags import Flags
from mkt_assets.insights.grid import BoolArray, FloatArray, Grid
from mkt_assets.marts.metrics import kpi_value, metrics

#: a part that explains more than half of a change is named as its cause
MAINLY = 0.5
#: days before an event from which the worth of a click or an order is read
WORTH_DAYS = 28
#: what the grid calls otherwise than the metrics do
_COLUMN = {"mark_spent": "spend"}


@dataclass
class Event:
    """One anomaly of one campaign; day numbers are positions in the grid."""

    type: str
    metric: str
    campaign: int
    start: int
    end: int
    detected: int
    score: float
    expected: float = float("nan")
    actual: float = float("nan")
    money: float = float("nan")
    cause: str = ""


def events_of(flags: Flags) -> list[Event]:
    """Events of one type, each grown causally from verdicts at most ``flags.gap`` days apart."""
    out: list[Event] = []
    campaigns, days = np.nonzero(flags.at.T)
    for campaign, day in zip(campaigns.tolist(), days.tolist(), strict=True):
        start, last = int(flags.start[day, campaign]), int(flags.last[day, campaign])
        score = float(flags.score[day, campaign])
        known = out[-1] if out and out[-1].campaign == campaign else None
        if known is None or start > known.end + flags.gap + 1:
            out.append(Event(flags.type, flags.metric, campaign, start, last, day, score))
        elif start > known.end or last <= known.end + flags.gap + 1:
            known.end, known.score = max(known.end, last), max(known.score, score)
        # else a window still sees the event after it is over: nothing new
    for event in out:
        _measure(event, flags)
    return out


def _measure(event: Event, flags: Flags) -> None:
    """Expected and actual amounts over the event's days: sums, or a ratio of sums."""
    span = slice(event.start, event.end + 1)
    actual, expected = flags.actual[span, event.campaign], flags.expected[span, event.campaign]
    if flags.exposure is not None:
        shown = flags.exposure[span, event.campaign]
        # the level before the decline as it was seen on the day of the first verdict
        first = event.detected
        clicks, ads = (of[first, event.campaign] for of in (flags.expected, flags.exposure))
        event.expected = float(kpi_value(event.metric, clicks=clicks, impressions=ads))
        came = {"clicks": np.nansum(actual), "impressions": np.nansum(shown)}
        event.actual = float(kpi_value(event.metric, **came))
        return
    both = np.isfinite(actual) & np.isfinite(expected)
    event.actual, event.expected = float(actual[both].sum()), float(expected[both].sum())


def price(event: Event, grid: Grid, unusual: BoolArray) -> None:
    """Fill in the money at risk and the cause that the data show.

    Without any revenue a click or an order counts as what is usually paid for it.
    """
    event.money, event.cause = _WORTH[event.type](event, grid, ~unusual)


def _past(event: Event, usual: BoolArray, grid: Grid, kpi: str) -> float:
    """A KPI over the usual days of the four weeks before; NaN if there are none."""
    span = slice(max(event.start - WORTH_DAYS, 0), event.start)
    names = (metrics()[kpi].numerator, metrics()[kpi].denominator)
    columns = {n: getattr(grid, _COLUMN.get(n, n))[span, event.campaign] for n in names}
    both = np.isfinite(list(columns.values())).all(axis=0) & usual[span, event.campaign]
    return float(kpi_value(kpi, **{n: column[both].sum() for n, column in columns.items()}))


def _during(event: Event, values: FloatArray) -> float:
    return float(np.nansum(values[event.start : event.end + 1, event.campaign]))


def _share(part: float, whole: float) -> float:
    """How much of a factor ``whole`` the factor ``part`` explains (logs); 0 if unknown."""
    if not (np.isfinite(part) and part > 0 and np.isfinite(whole) and whole > 1):
        return 0.0
    return float(np.log(part) / np.log(whole))


def _spend_spike(event: Event, grid: Grid, usual: BoolArray) -> tuple[float, str]:
    extra = event.actual - event.expected
    shown = _during(event, grid.impressions)
    if not shown:
        return extra, "spend without impressions: check the billing"
    usual_cost = _past(event, usual, grid, "cost_per_impression")
    spent = _during(event, grid.spend)
    cost = float(kpi_value("cost_per_impression", mark_spent=spent, impressions=shown))
    dearer = cost / usual_cost if usual_cost else float("nan")
    if _share(dearer, event.actual / event.expected) > MAINLY:
        return extra, "impressions cost more than usual"
    return extra, "more impressions were bought than usual"


def _zero_spend(event: Event, grid: Grid, usual: BoolArray) -> tuple[float, str]:
    cause = "no spend on days on which it usually runs: budget used up or paused"
    roas = _past(event, usual, grid, "roas")
    return (event.expected * roas if np.isfinite(roas) else event.expected), cause


def _revenue_spike(event: Event, grid: Grid, usual: BoolArray) -> tuple[float, str]:
    usual_basket = _past(event, usual, grid, "aov")
    orders = _during(event, grid.conversions)
    basket = float(kpi_value("aov", revenue=event.actual, conversions=orders))
    larger = basket / usual_basket if usual_basket else float("nan")
    extra = event.actual - event.expected
    if _share(larger, event.actual / event.expected) > MAINLY:
        return extra, "larger baskets, not more orders"
    return extra, "more orders from the same clicks"


def _performance_drop(event: Event, grid: Grid, usual: BoolArray) -> tuple[float, str]:
    value = _past(event, usual, grid, "aov")
    if not np.isfinite(value):
        value = _past(event, usual, grid, "cpa")
    missing = max(event.expected - event.actual, 0.0)
    if event.actual == 0:
        return missing * value, "clicks but no conversions at all: check the tracking first"
    return missing * value, "fewer of its clicks convert while the other campaigns hold"


def _ctr_decline(event: Event, grid: Grid, usual: BoolArray) -> tuple[float, str]:
    value = _past(event, usual, grid, "revenue_per_click")
    if not np.isfinite(value):
        value = _past(event, usual, grid, "cpc")
    missing = (event.expected - event.actual) * _during(event, grid.impressions)
    return max(
        missing, 0.0
    ) * value, "ever fewer clicks per impression: the creative may be worn out"


_WORTH = {
    "spend_spike": _spend_spike,
    "zero_spend": _zero_spend,
    "revenue_spike": _revenue_spike,
    "performance_drop": _performance_drop,
    "ctr_decline": _ctr_decline,
}
