"""What may be worth telling a marketer, and the words for it: one story, its evidence, one action.

Stories about one campaign's events and trends; those about the whole account are in structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

#: how far back an event is still news, and the horizon over which money is counted
RECENT_DAYS = 28
#: amounts below this are written with cents
SMALL_MONEY = 100
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Story:
    """One candidate insight; ``topic`` is what it speaks of, so that nothing is told twice.

    ``certainty`` is the probability, in (0, 1], that there is something to it; facts have 1.
    """

    kind: str
    subject: str
    headline: str
    evidence: str
    action: str
    money: float
    topic: tuple[str, str]
    certainty: float = 1.0

    @property
    def expected(self) -> float:
        """Money at stake times certainty: what it is worth to look."""
        return self.money * self.certainty


def certainty_of(p: float) -> float:
    """At most how probable an effect is after a p-value, if it was as likely as not before.

    1 / (1 + B) with the bound B = -e p ln p on the Bayes factor of no effect (Sellke, Bayarri and
    Berger, 2001): p of .05 leaves .71, .01 leaves .89, .001 leaves .98. From p of 1 / e on: .5.
    """
    if p <= 0:
        return 1.0
    return float(1 / (1 - np.e * p * np.log(p))) if p < 1 / np.e else 0.5


@dataclass(frozen=True)
class Context:
    """The checked daily frame, its last four weeks, and how money is written."""

    daily: pd.DataFrame
    currency: str

    @property
    def last(self) -> pd.Timestamp:
        """The last day of the data."""
        return pd.Timestamp(self.daily["date"].max())

    @property
    def recent(self) -> pd.DataFrame:
        """The last four weeks."""
        return self.daily[self.daily["date"] > self.last - pd.Timedelta(days=RECENT_DAYS)]

    @property
    def span(self) -> str:
        """The recent days as words for an evidence sentence."""
        return f"{self.recent['date'].min():%Y-%m-%d} to {self.last:%Y-%m-%d}"

    def money(self, amount: float) -> str:
        """An amount with thousands separators; cents only where they matter."""
        digits = 2 if 0 < abs(amount) < SMALL_MONEY else 0
        return f"{amount:,.{digits}f} {self.currency}"


def day(date: pd.Timestamp) -> str:
    """A date as a marketer writes it, whatever the machine's language."""
    return f"{date.day} {MONTHS[date.month - 1]} {date.year}"


def between(start: pd.Timestamp, end: pd.Timestamp) -> str:
    """``on 3 Mar 2025`` or ``from 3 Mar 2025 to 9 Mar 2025``."""
    return f"on {day(start)}" if start == end else f"from {day(start)} to {day(end)}"


#: per type of anomaly: what it speaks of, its headline, what to do
_EVENTS = {
    "spend_spike": (
        "spend",
        "{name} spent {ratio:.1f} times its usual amount {when}",
        "Check bids, daily cap and who changed them; restore the plan if nobody did.",
    ),
    "revenue_spike": (
        "revenue up",
        "{name} brought in {ratio:.1f} times the expected revenue {when}",
        "Rule out orders counted twice; if the sales are real, find what sold and repeat it.",
    ),
    "performance_drop": (
        "revenue down",
        "{name} lost {loss:.0%} of its expected conversions {when}",
        "Check landing page, stock and conversion tag before you cut the budget.",
    ),
    "ctr_decline": (
        "click rate",
        "The click rate of {name} wore down by {loss:.0%} {when}",
        "Bring in fresh creative and look at how often the same people see the ad.",
    ),
    "zero_spend": (
        "delivery",
        "{name} spent nothing {when} although it usually runs",
        "Check budget, payment and ad status; if the pause was planned, ignore this.",
    ),
}


def anomaly_stories(context: Context, anomalies: pd.DataFrame) -> list[Story]:
    """The costliest recent event of each campaign and type."""
    since = context.last - pd.Timedelta(days=RECENT_DAYS - 1)
    recent = anomalies[anomalies["end"] >= since]
    ordered = recent.sort_values(
        ["money_at_risk", "score", "campaign", "start"],
        ascending=[False, False, True, True],
        kind="stable",
    )
    repeats = recent.groupby(["campaign", "type"])["start"].transform("size") - 1
    worst = ordered.assign(more=repeats).drop_duplicates(["campaign", "type"])
    return [_anomaly_story(context, row) for row in worst.itertuples()]


def _anomaly_story(context: Context, row: Any) -> Story:
    ratio = row.actual / row.expected if row.expected else float("nan")
    about, headline, action = _EVENTS[row.type]
    words = {"name": row.campaign, "ratio": ratio, "loss": 1 - ratio}
    again = f" {row.more} more of this kind in the last {RECENT_DAYS} days." if row.more else ""
    evidence = (
        f"{_amounts(context, row)} expected: {row.cause}.{again} Table anomalies, "
        f"key campaign={row.campaign}, metric={row.metric}, type={row.type}, "
        f"start={row.start:%Y-%m-%d}."
    )
    return Story(
        kind="anomaly",
        subject=row.campaign,
        headline=headline.format(when=between(row.start, row.end), **words),
        evidence=evidence,
        action=action,
        money=row.money_at_risk,
        topic=(row.campaign, about),
        certainty=certainty_of(_upper_tail(row.score)),
    )


def _upper_tail(score: float) -> float:
    """Chance of a score so high by noise alone."""
    from scipy.special import ndtr

    return float(ndtr(-score))


def _amounts(context: Context, row: Any) -> str:
    if row.metric == "ctr":
        return f"A click rate of {row.actual:.2%} against {row.expected:.2%}"
    if row.metric == "conversions":
        return f"{row.actual:,.0f} conversions against {row.expected:,.1f}"
    name = row.metric.capitalize()
    return f"{name} of {context.money(row.actual)} against {context.money(row.expected)}"


def trend_stories(context: Context, trends: pd.DataFrame) -> list[Story]:
    """Campaigns whose revenue, return or click rate clearly moved over the window."""
    sums = context.recent.groupby("campaign")[["spend", "revenue"]].sum().reset_index()
    clear = trends[trends["strength"].isin(["strong", "moderate"])]
    out: list[Story] = []
    for row in clear.merge(sums, on="campaign").itertuples():
        if row.metric == "ctr":
            out += _fatigue(row)
        elif row.metric in ("revenue", "roas"):
            out.append(_money_trend(context, row))
    return out


def _trend_key(row: Any) -> str:
    return (
        f"over {row.n_days} days. Table trends, key campaign={row.campaign}, metric={row.metric}; "
        f"window {row.window_start:%Y-%m-%d} to {row.window_end:%Y-%m-%d}."
    )


def _money_trend(context: Context, row: Any) -> Story:
    """Four weeks at the level reached against four weeks at the level left."""
    change = row.slope * (row.window_end - row.window_start).days
    falls, weeks = change < 0, RECENT_DAYS // 7
    if row.metric == "revenue":
        what, amount, money = "revenue", context.money, abs(change) * RECENT_DAYS
    else:
        what, amount, money = "return on ad spend", "{:.3f}".format, abs(change) * row.spend
    lo, hi = amount(row.slope_lo), amount(row.slope_hi)
    return Story(
        kind="trend",
        subject=row.campaign,
        headline=f"The {what} of {row.campaign} has been {'falling' if falls else 'rising'} "
        f"for {weeks} weeks",
        evidence=f"It changed by {amount(row.slope)} a day (95 % interval {lo} to {hi}) "
        + _trend_key(row),
        action="Find what changed (offer, audience, competition) before the next budget round."
        if falls
        else "See whether it can take more budget: raise it in small steps and watch the return.",
        money=money,
        topic=(row.campaign, "revenue down" if falls else "revenue up"),
        certainty=certainty_of(row.p_value),
    )


def _fatigue(row: Any) -> list[Story]:
    """A falling click rate; the money is the revenue of the clicks that were lost."""
    change = row.slope * (row.window_end - row.window_start).days
    before = row.ma7 - change if np.isfinite(row.ma7) else float("nan")
    if change >= 0 or not before > 0:
        return []
    return [
        Story(
            kind="life_cycle",
            subject=row.campaign,
            headline=f"{row.campaign} is tiring: ever fewer people click on it",
            evidence=f"Its click rate fell by {-row.slope:.4%} a day (95 % interval "
            f"{-row.slope_hi:.4%} to {-row.slope_lo:.4%}) " + _trend_key(row),
            action=_EVENTS["ctr_decline"][2],
            money=row.revenue * -change / before / 2,
            topic=(row.campaign, "click rate"),
            certainty=certainty_of(row.p_value),
        )
    ]
