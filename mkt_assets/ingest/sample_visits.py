"""The sample's visits: which campaign brought each, what it came to, who made it and when.

First what follows from the day's plan (campaign, outcome, basket), which ad rows need, too; then
the visitors and the times, which depend on the property's time zone. Events are made elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date

import numpy as np
from numpy.typing import NDArray

from mkt_assets.ingest.sample_campaigns import BASE_EVENTS, CAMPAIGNS, DailyPlan, daily_plan, demand
from mkt_assets.ingest.sample_draws import (
    MICROS,
    Bools,
    Floats,
    Ints,
    day_bounds,
    stream,
    time_of_day,
)
from mkt_assets.ingest.sample_shop import PRICES
from mkt_assets.ingest.sample_visitors import (
    DIRECT,
    LIFE,
    UNPAID,
    Visitors,
    night_slots,
    slots,
    visitors_at,
)

#: how far a visit goes
BOUNCED, BROWSED, VIEWED, CARTED, CHECKED_OUT, BOUGHT = range(6)
_SPLIT_WITHOUT_PURCHASE = np.cumsum([0.38, 0.30, 0.19, 0.08])
MAX_LINES = 3
_SECOND_LINE, _THIRD_LINE, _TWO_OF_A_KIND = 0.35, 0.15, 0.15
_SIGNS_UP = 0.02
#: GA4 ends a session after 30 idle minutes; ours last no longer in all, so they never overlap
MAX_DURATION = 30 * 60 * MICROS
_SECOND_VISITS = 0.06
#: share of a day before which the first of two visits begins; the least and most between the two
_FIRST_OF_TWO_BEFORE, _BETWEEN_TWO = 0.55, (0.15, 0.4)
#: leaves room for the longest visit before midnight
_LAST_START = 1 - 35 / (24 * 60)


@dataclass(frozen=True)
class Outcomes:
    """What visits came to: one element (or row) each, in the order of ``touch``.

    ``touch`` is a position among the campaigns, then ``UNPAID``; ``products`` and ``quantities``
    have a column for each of ``MAX_LINES`` basket lines; ``revenue`` is zero without a purchase.
    """

    touch: Ints
    depth: Ints
    is_lead: Bools
    signs_up: Bools
    products: NDArray[np.int64]
    quantities: NDArray[np.int64]
    revenue: Floats

    def take(self, index: Ints) -> Outcomes:
        """The visits at ``index``."""
        return Outcomes(*(getattr(self, field.name)[index] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.touch)


@dataclass(frozen=True)
class Visits:
    """Visits with their visitors and times (microseconds since 1970 in UTC)."""

    outcomes: Outcomes
    visitors: Visitors
    start: Ints
    duration: Ints
    is_first: Bools
    number: Ints

    def __len__(self) -> int:
        return len(self.start)

    def part(self, start: int, stop: int) -> Visits:
        """The visits from ``start`` to before ``stop``."""
        at, who = slice(start, stop), self.visitors
        return Visits(
            self.outcomes.take(np.arange(len(self))[at]),
            Visitors(who.slot[at], who.generation[at], who.born[at], who.seed),
            self.start[at],
            self.duration[at],
            self.is_first[at],
            self.number[at],
        )


def outcomes(plan: DailyPlan, *, seed: int, events_per_day: int) -> Outcomes:
    """What all visits of a day came to; the same in every time zone."""
    rng = stream(seed, plan.day, "visits")
    scale = demand(plan.day) * events_per_day / BASE_EVENTS
    unpaid = rng.poisson([weight * scale for _, _, weight in UNPAID])
    counts = np.concatenate([plan.visits, unpaid])
    touch = np.repeat(np.arange(len(counts)), counts)
    none = np.ones(len(UNPAID))
    return _drawn(
        rng,
        touch,
        buys=np.concatenate([plan.buys, 0.03 * none])[touch],
        leads=np.concatenate([plan.leads, 0.02 * none])[touch],
        tilt=np.array([c.price_tilt for c in CAMPAIGNS] + [1.0] * len(UNPAID))[touch],
    )


def _drawn(
    rng: np.random.Generator, touch: Ints, *, buys: Floats, leads: Floats, tilt: Floats
) -> Outcomes:
    size = len(touch)
    depth = np.searchsorted(_SPLIT_WITHOUT_PURCHASE, rng.random(size), side="right")
    depth[rng.random(size) < buys] = BOUGHT
    products = np.floor(rng.random((size, MAX_LINES)) ** tilt[:, None] * len(PRICES)).astype(
        np.int64
    )
    lines = 1 + (rng.random(size) < _SECOND_LINE) + (rng.random(size) < _THIRD_LINE)
    quantities = 1 + (rng.random((size, MAX_LINES)) < _TWO_OF_A_KIND)
    quantities[np.arange(MAX_LINES) >= lines[:, None]] = 0
    return Outcomes(
        touch=touch.astype(np.int64),
        depth=depth.astype(np.int64),
        is_lead=rng.random(size) < leads,
        signs_up=(rng.random(size) < _SIGNS_UP) & (depth > BOUNCED),
        products=products,
        quantities=quantities.astype(np.int64),
        revenue=np.round((PRICES[products] * quantities).sum(axis=1), 2) * (depth == BOUGHT),
    )


def visits(day: date, *, seed: int, events_per_day: int, timezone: str) -> Visits:
    """The visits that begin and end on ``day``, by their start."""
    plan = daily_plan(day, seed=seed, events_per_day=events_per_day)
    drawn = outcomes(plan, seed=seed, events_per_day=events_per_day)
    rng = stream(seed, day, "visitors")
    start, end = day_bounds(day, timezone)
    slot = np.arange(slots(events_per_day), dtype=np.int64)
    today = visitors_at(slot, end - 1, seed)
    new, at_new = _newcomers(today, start, drawn.touch)
    at_known = np.setdiff1d(np.arange(len(drawn)), at_new)
    # a slot that changes hands today has its newcomer's visit only
    known = _those(today, np.flatnonzero(today.born < start))
    back, at_known, begun = _returning(rng, known, start, at_known, drawn.depth)
    share = np.concatenate([np.zeros(len(at_new)), begun])
    who = Visitors(
        np.concatenate([new.slot, back.slot]),
        np.concatenate([new.generation, back.generation]),
        np.concatenate([new.born, back.born]),
        seed,
    )
    is_first = np.arange(len(who.slot)) < len(at_new)
    # a newcomer's visit begins with the answer to the consent banner, seconds after the first sight
    delay = np.minimum(20 * MICROS, end - who.born) * (0.1 + 0.8 * rng.random(len(who.slot)))
    begins = np.where(is_first, who.born + delay, start + share * (end - start)).astype(np.int64)
    lasts = rng.lognormal(np.log(150), 0.9, len(begins)) * MICROS
    lasts = np.minimum(np.minimum(lasts, MAX_DURATION), (end - begins) * 0.99).astype(np.int64)
    seen = 2 + np.floor((begins - who.born) / LIFE * 4 * who.activity)
    order = np.argsort(begins, kind="stable")
    return Visits(
        drawn.take(np.concatenate([at_new, at_known])[order]),
        Visitors(who.slot[order], who.generation[order], who.born[order], seed),
        begins[order],
        lasts[order],
        is_first[order],
        np.where(is_first, 1, seen).astype(np.int64)[order],
    )


def _newcomers(today: Visitors, start: int, touch: Ints) -> tuple[Visitors, Ints]:
    """Those born today, and the visits they make: each one of its own first touch."""
    born = np.flatnonzero(today.born >= start)
    first = today.first_touch[born]
    by_touch = np.argsort(first, kind="stable")
    born, first = born[by_touch], first[by_touch]
    rank = np.arange(len(first)) - np.searchsorted(first, first)
    # where a campaign has fewer visits than newcomers (it was paused), the rest comes another day
    begin, end = np.searchsorted(touch, first), np.searchsorted(touch, first, side="right")
    comes = begin + rank < end
    return _those(today, born[comes]), (begin + rank)[comes]


def _returning(
    rng: np.random.Generator, known: Visitors, start: int, at: Ints, depth: Ints
) -> tuple[Visitors, Ints, Floats]:
    """Visitors known before today for the visits ``at``: who, which visit, which share of the day.

    Those with an affinity to buy get the deeper visits more often, so that segments can be found.
    """
    size = len(at)
    age = (start - known.born) / LIFE
    weight = known.activity * (0.3 + 0.7 * np.exp(-4 * age))
    twice = int(_SECOND_VISITS * size)
    # the smallest of exponential times: a draw by weight without putting back
    arrival = rng.exponential(size=len(weight)) / weight
    chosen = np.sort(np.argpartition(arrival, size - twice)[: size - twice])
    rng.shuffle(chosen)
    share = time_of_day(rng.random(size)) * _LAST_START
    share[:twice] *= _FIRST_OF_TWO_BEFORE
    share[size - twice :] = share[:twice] + rng.uniform(*_BETWEEN_TWO, twice)
    who = _those(known, np.concatenate([chosen, chosen[:twice]]))
    liking = np.argsort(who.unit("affinity") + rng.uniform(0, 2, size), kind="stable")
    deepness = np.argsort(depth[at] + rng.uniform(0, 6, size), kind="stable")
    visit = np.empty_like(at)
    visit[liking] = at[deepness]
    return who, visit, share


def night_visits(day: date, *, seed: int, events_per_day: int, timezone: str) -> Visits:
    """The few visits that begin on ``day`` and end on the next, all of them direct."""
    rng = stream(seed, day, "night")
    _, end = day_bounds(day, timezone)
    slot = night_slots(events_per_day)
    slot = np.sort(rng.choice(slot, size=max(1, len(slot) // 60), replace=False))
    begins = end - (rng.uniform(2, 12, len(slot)) * 60 * MICROS).astype(np.int64)
    who = visitors_at(slot, begins, seed)
    size = np.ones(len(slot))
    drawn = _drawn(rng, np.full(len(slot), DIRECT), buys=0.03 * size, leads=0.02 * size, tilt=size)
    return Visits(
        drawn,
        who,
        begins,
        (rng.uniform(13, 28, len(slot)) * 60 * MICROS).astype(np.int64),
        np.zeros(len(slot), dtype=np.bool_),
        2 + np.floor((begins - who.born) / LIFE * 4 * who.activity).astype(np.int64),
    )


def _those(visitors: Visitors, index: Ints) -> Visitors:
    return Visitors(
        visitors.slot[index], visitors.generation[index], visitors.born[index], visitors.seed
    )
