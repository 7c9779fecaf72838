"""The sample's visitors: who they are, what brought them first, what they consent to and when.

A visitor is a slot and a generation: a browser keeps its id for ``LIFE``, then a new visitor takes
its slot. So any day knows all its visitors without the days before, and the consent log of the last
two years has the same size whenever it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mkt_assets.ingest.sample_campaigns import CAMPAIGNS, NEW
from mkt_assets.ingest.sample_draws import (
    DAY,
    Bools,
    Floats,
    Ints,
    day_bounds,
    pick,
    time_of_day,
    unit,
)

#: how long a browser keeps its id; with the number of slots it makes one visit in eight a first one
LIFE_DAYS = 120
LIFE = LIFE_DAYS * DAY
#: consent of ids that were in use within this time; a proof of consent is not kept for ever
CONSENT_KEPT = 730 * DAY
#: visits that cross midnight come from slots of their own, so that nobody has two visits at a time
NIGHT_SHARE = 0.02

SIGNALS = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
#: a visitor grants a signal whose threshold is above its reluctance, a uniform number
_GRANTED_BELOW = {
    "ad_storage": 0.78,
    "analytics_storage": 0.91,
    "ad_user_data": 0.70,
    "ad_personalization": 0.62,
}
_ONLY_ANALYTICS, _NOTHING = 0.85, 1.0
#: share of those who let analytics be that withdraw later, and of those who refused that give in
_WITHDRAWS, _GIVES_IN = 0.08, 0.10

#: share of visitors that have an account
_MEMBERS = 0.25

#: touches that are no campaign come after the campaigns in every list: source, medium, base visits
UNPAID: tuple[tuple[str, str, float], ...] = (
    ("google", "organic", 66),
    ("(direct)", "(none)", 48),
    ("blog.example.org", "referral", 14),
    ("pinterest", "social", 10),
    ("(not set)", "(not set)", 3),
)
DIRECT = len(CAMPAIGNS) + 1
#: the quarterly campaign is shown to known customers, so nobody's first touch
_FIRST_TOUCH = [0.0 if i == NEW else c.clicks * c.landing for i, c in enumerate(CAMPAIGNS)] + [
    weight for _, _, weight in UNPAID
]


@dataclass(frozen=True)
class Visitors:
    """Some visitors, one array element each; times are microseconds since 1970 in UTC."""

    slot: Ints
    generation: Ints
    born: Ints
    seed: int

    def unit(self, name: str) -> Floats:
        """A uniform number for each visitor, always the same one."""
        return unit(self.seed, name, self.slot, self.generation)

    @property
    def pseudo_id(self) -> pa.Array:
        """``user_pseudo_id`` as the web tag makes it: a random number and the first second."""
        number = (self.unit("id") * 2**31).astype(np.int64)
        return joined(text(number), pa.scalar("."), text(self.born // 1_000_000))

    @property
    def member_id(self) -> pa.Array:
        """``user_id`` of those who have an account, null otherwise."""
        number = (self.unit("member id") * 1e9).astype(np.int64)
        ids = joined(pa.scalar("member-"), text(number))
        return pc.if_else(
            pa.array(self.unit("member") < _MEMBERS), ids, pa.scalar(None, pa.string())
        )

    @property
    def first_touch(self) -> Ints:
        """Position among the campaigns and ``UNPAID`` of what first brought the visitor."""
        return pick(self.unit("first touch"), _FIRST_TOUCH)

    @property
    def activity(self) -> Floats:
        """How often the visitor comes back: few do so often."""
        return np.asarray((self.unit("activity") + 0.01) ** -0.5)

    def reluctance(self) -> tuple[Floats, Ints, Floats]:
        """Reluctance at first, when it changes (never: after the visitor's life), and then."""
        first = self.unit("reluctance")
        refuses = first >= _GRANTED_BELOW["analytics_storage"]
        chance = self.unit("change")
        changes = chance < np.where(refuses, _GIVES_IN, _WITHDRAWS)
        after = (self.unit("change after") * 0.9 + 0.02) * LIFE
        changed_at = np.where(changes, self.born + after.astype(np.int64), self.born + 2 * LIFE)
        withdrawn = np.where(chance < _WITHDRAWS / 2, _NOTHING, _ONLY_ANALYTICS)
        then = np.where(refuses, 0.0, np.maximum(withdrawn, first))
        return first, changed_at, np.asarray(then)

    def grants(self, signal: str, at: Ints) -> Bools:
        """Whether each visitor's consent for a signal stands at a time."""
        first, changed_at, then = self.reluctance()
        return np.asarray(np.where(at >= changed_at, then, first) < _GRANTED_BELOW[signal])


def slots(events_per_day: int) -> int:
    """How many visitors an ordinary day chooses from."""
    return 3 * events_per_day


def night_slots(events_per_day: int) -> Ints:
    """The slots of visitors whose visits cross midnight."""
    first = slots(events_per_day)
    return np.arange(first, first + max(20, int(first * NIGHT_SHARE)), dtype=np.int64)


def visitors_at(slot: Ints, at: Ints | int, seed: int) -> Visitors:
    """Who holds each slot at a time."""
    phase = _phase(slot, seed)
    generation = (at - phase) // LIFE
    return Visitors(slot, generation, generation * LIFE + phase, seed)


def _phase(slot: Ints, seed: int) -> Ints:
    """When in its cycle a slot changes hands; visitors begin by the daily rhythm, too."""
    days = np.floor(unit(seed, "phase", slot) * LIFE_DAYS) + time_of_day(unit(seed, "hour", slot))
    return (days * DAY).astype(np.int64)


def consent_log(upto: date, *, seed: int, events_per_day: int, timezone: str) -> pa.Table:
    """Every choice made up to the end of ``upto`` by ids in use in the two years before it."""
    _, end = day_bounds(upto, timezone)
    slot = np.concatenate(
        [np.arange(slots(events_per_day), dtype=np.int64), night_slots(events_per_day)]
    )
    generations = range((CONSENT_KEPT // LIFE) + 2)
    now = visitors_at(slot, end - 1, seed)
    visitors = Visitors(
        np.tile(slot, len(generations)),
        np.concatenate([now.generation - back for back in generations]),
        np.concatenate([now.born - back * LIFE for back in generations]),
        seed,
    )
    first, changed_at, then = visitors.reluctance()
    at = np.concatenate([visitors.born, changed_at])
    reluctance = np.concatenate([first, then])
    # a change beyond the visitor's life stands for none
    happens = np.concatenate([first >= 0, changed_at < visitors.born + LIFE])
    kept = happens & (at < end)
    order = np.flatnonzero(kept)[np.argsort(at[kept], kind="stable")]
    granted = {name: pa.array(reluctance[order] < _GRANTED_BELOW[name]) for name in SIGNALS}
    return pa.table(
        {
            "subject_id": visitors.pseudo_id.take(pa.array(order % len(first))),
            "changed_at": pa.array(at[order]).cast(pa.timestamp("us", "UTC")),
            **{name: pc.if_else(yes, "granted", "denied") for name, yes in granted.items()},
        }
    )


def text(numbers: Ints) -> pa.Array:
    """Whole numbers as strings."""
    return pa.array(numbers).cast(pa.string())


def joined(*parts: pa.Array | pa.Scalar) -> pa.Array:
    """Strings put together, element by element."""
    return pc.binary_join_element_wise(*parts, pa.scalar(""))
