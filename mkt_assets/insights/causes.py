"""What an event may cost, and what the data show about why it happened.

A cause is named only where a number stands behind it: which factor explains most of the change,
whether others changed with it, whether sessions or consent went missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mkt_assets.insights.events import Event
from mkt_assets.insights.flags import Flags
from mkt_assets.insights.grid import BoolArray, FloatArray, Grid
from mkt_assets.marts.metrics import kpi_value

#: a part that explains more than half of a change is named as its cause
MAINLY = 0.5
#: others took part if they lost more than half of what the event lost, or most of them stopped
MOSTLY = 0.5
#: others are told apart from noise if so many conversions were due from them
OTHERS_LEAST = 10.0
#: days before an event from which the worth of a click or an order is read
WORTH_DAYS = 28
#: sessions per click fall below this share of what is usual only if they are not measured
SESSIONS_LOST = 0.5


@dataclass(frozen=True)
class _Case:
    """An event with what is needed to explain it."""

    event: Event
    grid: Grid
    flags: Flags
    usual: BoolArray

    @property
    def days(self) -> slice:
        return slice(self.event.start, self.event.end + 1)

    @property
    def before(self) -> slice:
        return slice(max(self.event.start - WORTH_DAYS, 0), self.event.start)

    def during(self, values: FloatArray) -> float:
        """Sum over the event's days."""
        return float(np.nansum(values[self.days, self.event.campaign]))

    def past(self, kpi: str) -> float:
        """A KPI over the usual days of the four weeks before; NaN if there are none."""
        parts = self.grid.parts(kpi)
        sums = self._usual_sums(*parts.values())
        return float(kpi_value(kpi, **dict(zip(parts, sums, strict=True))))

    def change(self, part: FloatArray, whole: FloatArray) -> float:
        """By what factor ``part`` per ``whole`` changed against the four weeks before."""
        then_part, then_whole = self._usual_sums(part, whole)
        columns = part[self.days, self.event.campaign], whole[self.days, self.event.campaign]
        known = np.isfinite(columns).all(axis=0)
        now_part, now_whole = (float(column[known].sum()) for column in columns)
        if not (then_part > 0 and then_whole > 0 and now_whole > 0):
            return float("nan")
        return now_part * then_whole / (now_whole * then_part)

    def _usual_sums(self, *columns: FloatArray) -> tuple[float, ...]:
        cut = [column[self.before, self.event.campaign] for column in columns]
        both = np.isfinite(cut).all(axis=0) & self.usual[self.before, self.event.campaign]
        return tuple(float(column[both].sum()) for column in cut)

    def others(self, same_channel: bool) -> BoolArray:
        """The other campaigns, of this channel or of the others."""
        channels = np.array(self.grid.channels)
        chosen = (channels == channels[self.event.campaign]) == same_channel
        chosen[self.event.campaign] = False
        return np.asarray(chosen)


def explain(event: Event, grid: Grid, flags: Flags, usual: BoolArray) -> None:
    """Fill in the money at risk and the cause that the data show.

    Without any revenue a click or an order counts as what is usually paid for it.
    """
    case = _Case(event, grid, flags, usual)
    event.money, event.cause = _EXPLAINED[event.type, event.metric](case)


def _share(part: float, whole: float) -> float:
    """How much of a change by the factor ``whole`` a change by ``part`` explains (logs)."""
    if not (np.isfinite(part) and part > 0 and np.isfinite(whole) and whole > 0 and whole != 1):
        return 0.0
    return float(np.log(part) / np.log(whole))


def _spend_spike(case: _Case) -> tuple[float, str]:
    event, grid = case.event, case.grid
    extra = event.actual - event.expected
    if not np.isfinite(grid.impressions[case.days, event.campaign]).any():
        return extra, "more was spent than usual; impressions are not reported"
    if not case.during(grid.impressions):
        return extra, "spend without impressions: check the billing"
    dearer = case.change(grid.spend, grid.impressions)
    if _share(dearer, event.actual / event.expected) > MAINLY:
        return extra, "impressions cost more than usual"
    return extra, "more impressions were bought than usual"


def _zero_spend(case: _Case) -> tuple[float, str]:
    roas = case.past("roas")
    money = case.event.expected * roas if np.isfinite(roas) else case.event.expected
    stopped = "no spend on days on which it usually runs"
    if _most_stopped(case, same_channel=False):
        return money, f"{stopped}, most others stopped too: account paused or payment failed"
    if _most_stopped(case, same_channel=True):
        return money, f"{stopped}, most of its channel stopped too: channel paused or unpaid"
    return money, f"{stopped}: budget used up or paused"


def _most_stopped(case: _Case, *, same_channel: bool) -> bool:
    """Most of the others that ran the day before stopped on the same day."""
    first = case.event.start
    if first == 0:
        return False
    spend = case.grid.spend[:, case.others(same_channel)]
    ran = spend[first - 1] > 0
    return bool(ran.any() and (spend[first][ran] == 0).mean() > MOSTLY)


def _revenue_spike(case: _Case) -> tuple[float, str]:
    event, grid = case.event, case.grid
    extra = event.actual - event.expected
    larger = case.change(grid.revenue, grid.conversions)
    if event.expected > 0 and _share(larger, event.actual / event.expected) > MAINLY:
        return extra, "larger baskets, not more orders"
    return extra, "more orders from the same clicks"


def _performance_drop(case: _Case) -> tuple[float, str]:
    value = case.past("aov")
    if not np.isfinite(value):
        value = case.past("cpa")
    missing = max(case.event.expected - case.event.actual, 0.0)
    return missing * value, f"{_why_dropped(case)}; {_breadth(case)}"


def _why_dropped(case: _Case) -> str:
    """Rate or mix, or what no longer counts."""
    event, grid = case.event, case.grid
    lost = event.actual / event.expected if event.expected > 0 else 1.0
    if case.change(grid.sessions, grid.clicks) < SESSIONS_LOST:
        return "tracking loss: clicks arrive but sessions do not"
    if event.actual == 0:
        return "clicks but no conversions at all: check the tracking first"
    consent = case.change(grid.consent_rate, np.ones_like(grid.consent_rate))
    if _share(consent, lost) > MAINLY:
        return "consent rate fell: fewer conversions are seen, not necessarily made"
    diluted = case.change(np.ones_like(grid.clicks), grid.clicks)
    if _share(diluted, lost) > MAINLY:
        return "mix: more clicks than usual, and the added ones do not convert"
    return "rate: fewer of its clicks convert"


def _breadth(case: _Case) -> str:
    """One campaign, its channel, or all."""
    event = case.event
    depth = 1 - event.actual / event.expected if event.expected > 0 else 0.0
    channel, rest = (_lost_by(case, same) for same in (True, False))
    with_channel, with_rest = channel > MOSTLY * depth, rest > MOSTLY * depth
    if with_rest and (with_channel or np.isnan(channel)):
        return "all campaigns drop together"
    if with_channel:
        return "the channel's other campaigns drop with it"
    if np.isnan(channel) and np.isnan(rest):
        return "no other campaign to compare with"
    return "the other campaigns hold"


def _lost_by(case: _Case, same_channel: bool) -> float:
    """The share of their expected conversions that others lost meanwhile; NaN if too few."""
    chosen = case.others(same_channel)
    got, due = (m[case.days][:, chosen] for m in (case.flags.actual, case.flags.expected))
    both = np.isfinite(got) & np.isfinite(due)
    if due[both].sum() < OTHERS_LEAST:
        return float("nan")
    return float(1 - got[both].sum() / due[both].sum())


def _lost_clicks(case: _Case) -> tuple[float, str]:
    why = "tracking loss: spend and impressions without clicks"
    return _missing_clicks(case), why


def _ctr_decline(case: _Case) -> tuple[float, str]:
    why = "ever fewer clicks per impression: the creative may be worn out"
    return _missing_clicks(case), why


def _missing_clicks(case: _Case) -> float:
    event = case.event
    value = case.past("revenue_per_click")
    if not np.isfinite(value):
        value = case.past("cpc")
    missing = (event.expected - event.actual) * case.during(case.grid.impressions)
    return max(missing, 0.0) * value


_EXPLAINED: dict[tuple[str, str], Callable[[_Case], tuple[float, str]]] = {
    ("spend_spike", "spend"): _spend_spike,
    ("zero_spend", "spend"): _zero_spend,
    ("revenue_spike", "revenue"): _revenue_spike,
    ("performance_drop", "conversions"): _performance_drop,
    ("performance_drop", "ctr"): _lost_clicks,
    ("ctr_decline", "ctr"): _ctr_decline,
}
