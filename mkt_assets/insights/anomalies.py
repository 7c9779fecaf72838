"""Anomalies of daily campaign data: what is out of the ordinary, since when, and what it may cost.

Here the detectors are put together; how each one judges lies in spend,
outcomes, click_rate and tracking, how an event is explained in causes.
"""

from __future__ import annotations

import pandas as pd

from mkt_assets.insights.causes import explain
from mkt_assets.insights.click_rate import ctr_declines
from mkt_assets.insights.events import Event, events_of
from mkt_assets.insights.grid import Grid, build_grid, check_daily
from mkt_assets.insights.outcomes import judge_outcomes
from mkt_assets.insights.rates import expect
from mkt_assets.insights.spend import spend_spikes, zero_spends
from mkt_assets.insights.tracking import lost_clicks

TYPES = ("spend_spike", "revenue_spike", "performance_drop", "ctr_decline", "zero_spend")
COLUMNS = (
    "campaign", "channel", "metric", "type", "start", "end", "detected_on",
    "score", "expected", "actual", "money_at_risk", "cause",
)  # fmt: skip


def detect(daily: pd.DataFrame) -> pd.DataFrame:
    """Anomalous events in daily campaign data, strictly causal.

    Args:
        daily: ``date, channel, campaign, spend, impressions, clicks`` and, where known,
            ``conversions, revenue``; one row per date and campaign. A missing day is not zero.
            For causes only, where known: ``sessions`` that the clicks began, and ``consent_rate``,
            the share of visitors who consented.
            A negative amount (refund, credit) is no observation of that day.

    Returns:
        One row per event, ordered by start, campaign, type. ``score`` is in standard deviations;
        ``expected`` and ``actual`` are sums over the event's days in the metric's unit (for ctr
        the ratio); ``money_at_risk`` is in the property's currency, at the worth of a click or an
        order in the four weeks before. It is spend beyond plan, revenue missed, or revenue to be
        verified (revenue_spike).

    What was known by a day does not change when later days arrive: an event's campaign, metric,
    type, start and detected_on are final once it is detected. Its end, and what is summed over its
    days, grow while flags keep coming; ``end`` never shrinks and never lies after the last day.

    Raises:
        InputError: a missing column, a date or number that is none, or a repeated key.
    """
    checked = check_daily(daily)
    if checked.empty:
        return _frame([], None)
    grid = build_grid(checked)
    return _frame(_events(grid), grid)


def _events(grid: Grid) -> list[Event]:
    spikes, high = spend_spikes(grid.spend)
    clicks = expect(grid.clicks, grid.impressions, high)
    lost = lost_clicks(grid, clicks)
    outcomes = judge_outcomes(grid, high)
    declines = ctr_declines(grid, high | lost.at)
    found = []
    stops = zero_spends(grid.spend, grid.dates)
    for flags in (spikes, outcomes.spikes, outcomes.drops, lost, declines, stops):
        events = events_of(flags)
        for event in events:
            explain(event, grid, flags, ~outcomes.unusual)
        found += events
    return found


def _frame(events: list[Event], grid: Grid | None) -> pd.DataFrame:
    rows = [] if grid is None else [_row(event, grid) for event in events]
    out = pd.DataFrame(rows, columns=list(COLUMNS))
    for name in ("campaign", "channel", "metric", "type", "cause"):
        out[name] = out[name].astype("str")
    for name in ("start", "end", "detected_on"):
        out[name] = out[name].astype("datetime64[ns]")
    for name in ("score", "expected", "actual", "money_at_risk"):
        out[name] = out[name].astype("float64")
    return out.sort_values(["start", "campaign", "type"], kind="stable", ignore_index=True)


def _row(event: Event, grid: Grid) -> tuple[object, ...]:
    day = grid.dates
    return (
        grid.campaigns[event.campaign], grid.channels[event.campaign], event.metric, event.type,
        day[event.start], day[event.end], day[event.detected],
        event.score, event.expected, event.actual, event.money, event.cause,
    )  # fmt: skip


__all__ = ["COLUMNS", "TYPES", "detect"]
