"""Verdicts that belong together become one event; what it cost and why is for causes.

Events grow day by day as a reader would have seen them: start and detected_on never change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mkt_assets.insights.flags import Flags
from mkt_assets.marts.metrics import kpi_value


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
        # a day that does not tell both is in neither sum
        told = np.isfinite(actual) & np.isfinite(shown)
        came = {"clicks": actual[told].sum(), "impressions": shown[told].sum()}
        event.actual = float(kpi_value(event.metric, **came))
        return
    both = np.isfinite(actual) & np.isfinite(expected)
    event.actual, event.expected = float(actual[both].sum()), float(expected[both].sum())
