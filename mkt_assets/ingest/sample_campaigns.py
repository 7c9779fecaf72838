"""The sample's campaigns and what each does on a day; visits and ad rows both follow from it.

Diminishing returns: clicks = base clicks * (spend / base spend) ** elasticity, so a budget has an
optimum to be found. Spend varies by week and day apart from demand, so the curves can be read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from mkt_assets.ingest.sample_anomalies import month_anomalies
from mkt_assets.ingest.sample_draws import Floats, Ints, stream

#: the size that the base figures of the campaigns are written for
BASE_EVENTS = 2500


@dataclass(frozen=True)
class Campaign:
    """A campaign at its base budget, for a property of 2,500 events a day.

    ``landing`` is the chance that a click becomes a visit; ``buys`` and ``leads`` are chances per
    visit; ``price_tilt`` below 1 means dearer baskets; ``overclaim`` is the share of conversions
    that the platform claims beyond the purchases in its visits (view-through, modelled).
    """

    name: str
    channel: str
    source: str
    medium: str
    campaign_id: str
    clicks: float
    cpc: float
    ctr: float
    elasticity: float
    buys: float
    leads: float
    landing: float
    price_tilt: float
    overclaim: float


# fmt: off
CAMPAIGNS: tuple[Campaign, ...] = (
    #        name, channel, source, medium, id,
    #        clicks, cpc, ctr, elasticity, buys, leads, landing, price_tilt, overclaim
    Campaign("Brand Search", "Search", "google", "cpc", "1001",
             66, 1.05, 0.090, 0.55, 0.062, 0.02, 0.93, 1.0, 0.05),
    Campaign("Generic Search", "Search", "google", "cpc", "1002",
             66, 2.10, 0.040, 0.80, 0.036, 0.04, 0.88, 1.0, 0.10),
    Campaign("Microsoft Search", "Search", "bing", "cpc", "1003",
             24, 1.60, 0.035, 0.70, 0.038, 0.04, 0.88, 1.0, 0.10),
    Campaign("Social Prospecting", "Social", "facebook", "paid_social", "2001",
             56, 0.95, 0.011, 0.75, 0.019, 0.02, 0.82, 1.3, 0.25),
    Campaign("Social Retargeting", "Social", "instagram", "paid_social", "2002",
             50, 1.10, 0.018, 0.50, 0.046, 0.02, 0.88, 1.0, 0.20),
    Campaign("New Collection", "Social", "tiktok", "paid_social", "2100",
             38, 1.30, 0.014, 0.85, 0.032, 0.02, 0.84, 0.8, 0.20),
    Campaign("Display Prospecting", "Display", "dv360", "display", "3001",
             32, 0.85, 0.0028, 0.70, 0.014, 0.03, 0.78, 1.0, 0.30),
    Campaign("Display Retargeting", "Display", "google", "display", "3002",
             28, 1.35, 0.0055, 0.60, 0.038, 0.02, 0.80, 1.0, 0.30),
    Campaign("CTV Awareness", "CTV", "youtube", "cpv", "4001",
             11, 6.00, 0.0018, 0.65, 0.035, 0.02, 0.88, 0.7, 0.80),
    Campaign("Partner Newsletter", "Email", "newsletter", "email", "5001",
             42, 0.75, 0.024, 0.65, 0.038, 0.02, 0.95, 1.0, 0.0),
)
# fmt: on

#: relaunched each quarter under a new name, so that a recent window has a campaign without history
NEW = 5
#: its audience tires of one creative until the next one
FATIGUED = 3
FATIGUE_CYCLE_DAYS = 84
#: the creative holds for four weeks and has lost 45 % of its click rate by the end of the cycle
FATIGUE_GRACE_DAYS, FATIGUE_LOSS = 28, 0.45
RAMP_DAYS = 14
#: a spend spike buys hardly any further clicks
SPIKE_ELASTICITY = 0.2

_WEEK_SPREAD, _DAY_SPREAD = 0.28, 0.10
_WEEKDAY_SPEND = (1.02, 1.0, 1.0, 1.03, 1.08, 0.96, 0.91)
_WEEKDAY_DEMAND = (1.04, 1.0, 0.99, 1.0, 0.97, 0.95, 1.05)
_TREND_ORIGIN = date(2025, 1, 1)


@dataclass(frozen=True)
class DailyPlan:
    """What each campaign does on a day; arrays are in the order of ``campaigns``.

    ``visits`` is binomial in ``clicks`` with the chance ``campaign.landing``: how many sessions
    there are with that campaign among the day's events, late and cookieless ones included.
    """

    day: date
    campaigns: tuple[Campaign, ...]
    spend: Floats
    impressions: Ints
    clicks: Ints
    visits: Ints
    buys: Floats
    leads: Floats


def demand(day: date) -> float:
    """Visits on a day against the long-run mean: mild trend, a peak in early December, weekdays."""
    trend = 1 + 0.08 * math.tanh((day - _TREND_ORIGIN).days / 730)
    season = 1 + 0.10 * math.cos(2 * math.pi * (day.timetuple().tm_yday - 340) / 365.25)
    return trend * season * _WEEKDAY_DEMAND[day.weekday()]


def launch_of(day: date) -> date:
    """When the quarterly campaign of ``day`` began: the 15th of a quarter's first month."""
    first = date(day.year, 3 * ((day.month - 1) // 3) + 1, 15)
    if day >= first:
        return first
    before = first.replace(day=1) - timedelta(days=1)
    return date(before.year, 3 * ((before.month - 1) // 3) + 1, 15)


def campaigns_on(day: date) -> tuple[Campaign, ...]:
    """The campaigns that run on a day; only the quarterly one changes."""
    launch = launch_of(day)
    quarter = (launch.month + 2) // 3
    new = replace(
        CAMPAIGNS[NEW],
        name=f"New Collection {launch.year} Q{quarter}",
        campaign_id=f"21{launch.year % 100:02d}{quarter}",
    )
    return (*CAMPAIGNS[:NEW], new, *CAMPAIGNS[NEW + 1 :])


def fatigue(day: date) -> float:
    """Click rate of the tiring creative against its first weeks."""
    age = day.toordinal() % FATIGUE_CYCLE_DAYS
    tired = max(0, age - FATIGUE_GRACE_DAYS) / (FATIGUE_CYCLE_DAYS - FATIGUE_GRACE_DAYS)
    return 1 - FATIGUE_LOSS * tired


def _budgets(day: date, seed: int) -> Floats:
    """Spend against the base budget: a step each week, some noise each day, the quarterly ramp."""
    monday = day - timedelta(days=day.weekday())
    size = len(CAMPAIGNS)
    week = stream(seed, monday, "budget").normal(-(_WEEK_SPREAD**2) / 2, _WEEK_SPREAD, size)
    noise = stream(seed, day, "spend").normal(0, _DAY_SPREAD, size)
    budgets = np.exp(np.clip(week + noise, -1, 1)) * _WEEKDAY_SPEND[day.weekday()]
    budgets[NEW] *= min(1.0, 0.3 + 0.7 * (day - launch_of(day)).days / RAMP_DAYS)
    return np.asarray(budgets * math.sqrt(demand(day)))


def daily_plan(day: date, *, seed: int = 7, events_per_day: int = BASE_EVENTS) -> DailyPlan:
    """Spend, impressions, clicks and visits of each campaign on ``day``."""
    campaigns = campaigns_on(day)

    def each(name: str) -> Floats:
        return np.array([getattr(c, name) for c in campaigns], dtype=np.float64)

    scale = events_per_day / BASE_EVENTS
    budget = _budgets(day, seed)
    response = budget ** each("elasticity")
    rate = each("ctr")
    buys, leads = each("buys") * _WEEKDAY_DEMAND[day.weekday()], each("leads")
    for anomaly in month_anomalies(day.year, day.month, seed):
        if anomaly.start <= day <= anomaly.end:
            at = anomaly.campaign
            if anomaly.type == "spend_spike":
                budget[at] *= anomaly.magnitude
                response[at] *= anomaly.magnitude**SPIKE_ELASTICITY
            elif anomaly.type == "zero_spend":
                budget[at] = response[at] = 0.0
            else:
                buys[at] *= 1 - anomaly.magnitude
                leads[at] *= 1 - anomaly.magnitude
    rng = stream(seed, day, "plan")
    clicks = each("clicks") * scale * response * math.sqrt(demand(day))
    impressions = rng.poisson(clicks / rate * rng.lognormal(0, 0.04, len(campaigns)))
    rate[FATIGUED] *= fatigue(day)
    clicked = rng.binomial(impressions, np.clip(rate * rng.lognormal(0, 0.05, len(rate)), 0, 1))
    return DailyPlan(
        day=day,
        campaigns=campaigns,
        spend=np.round(each("clicks") * scale * each("cpc") * budget, 2),
        impressions=impressions.astype(np.int64),
        clicks=clicked.astype(np.int64),
        visits=rng.binomial(clicked, each("landing")).astype(np.int64),
        buys=buys,
        leads=leads,
    )
