"""The sample's events as plain arrays: which visit sends what, when and from where; no Arrow."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mkt_assets.ingest import sample_shop as shop
from mkt_assets.ingest.sample_draws import Bools, Ints
from mkt_assets.ingest.sample_visits import BOUGHT, BOUNCED, CARTED, CHECKED_OUT, VIEWED, Visits

#: kinds of events in the order in which they may share an instant
START, FIRST, LAND, VIEW, SCROLL, ITEM, CART, CHECKOUT, PURCHASE, LEAD, SIGNUP, ENGAGE = range(12)
EVENT_NAMES = (
    *("session_start", "first_visit", "page_view", "page_view", "scroll", "view_item"),
    *("add_to_cart", "begin_checkout", "purchase", "generate_lead", "sign_up", "user_engagement"),
)
#: when in a visit each kind happens, as shares of its duration; GA4 stamps the first three alike
_EARLIEST = np.array([0, 0, 0, 0.05, 0.02, 0.1, 0.62, 0.78, 0.96, 0.7, 0.3, 0.99])
_LATEST = np.array([0, 0, 0, 0.6, 0.6, 0.6, 0.72, 0.84, 0.98, 0.9, 0.9, 1.0])

#: pages of an event: a position among the shop's pages, or
LANDING, ELSEWHERE = -1, -2

#: privacy_info of a visit
ALL_YES, NO_ADS, DENIED, UNSET, COOKIELESS = range(5)
#: of visits whose consent stands: the rest is Unset
_STANDS = 0.97
#: of visits without consent: cookieless, No and Unset with an id all the same; the rest leaks a Yes
_CONSENT_DENIED = np.cumsum([0.70, 0.13, 0.11])

_LATE, _DUPLICATED = 0.02, 0.01
#: events arrive at most this many days after their own
LATEST_DAYS = 3
#: a day has at least this share of the events asked for
_LEAST = 0.86
_LEAKING = 0.015
#: of item views: at what is bought in the end, if anything is
_LOOKS_AT_WANTED = 0.5
#: of events: session_engaged as a string, otherwise as a number
_AS_TEXT = 0.6


@dataclass(frozen=True)
class Hits:
    """Events, one array element each; ``visit`` is the position in the visits they belong to.

    ``page`` and ``referrer`` are positions among the shop's pages, ``LANDING`` or ``ELSEWHERE``;
    ``days_late`` is how many days after its own the event arrives.
    """

    visit: Ints
    kind: Ints
    time: Ints
    page: Ints
    referrer: Ints
    product: Ints
    engagement: Ints
    as_text: Bools
    days_late: Ints
    number: Ints

    def take(self, index: Ints) -> Hits:
        """The events at ``index``."""
        return Hits(*(getattr(self, field.name)[index] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.visit)


def privacy_of(visits: Visits, rng: np.random.Generator) -> Ints:
    """What ``privacy_info`` says of each visit, mostly in line with the consent log."""
    allowed = visits.visitors.grants("analytics_storage", visits.start)
    ads = visits.visitors.grants("ad_storage", visits.start)
    draw = rng.random(len(visits))
    granted = np.where(draw < _STANDS, np.where(ads, ALL_YES, NO_ADS), UNSET)
    codes = np.array([COOKIELESS, DENIED, UNSET, ALL_YES])
    denied = codes[np.searchsorted(_CONSENT_DENIED, draw, side="right")]
    return np.asarray(np.where(allowed, granted, denied))


def hits(visits: Visits, rng: np.random.Generator, *, least: float, first_number: int) -> Hits:
    """All events of the visits in the order of visits and time, without duplicates.

    ``least`` is the number of events that are due; quiet visits are given further page views.
    """
    counts = _counts(visits, rng)
    missing = max(0, int(np.ceil(least * _LEAST)) - int(counts.sum()))
    if len(visits):
        counts[:, VIEW] += missing // len(visits) + (np.arange(len(visits)) < missing % len(visits))
    visit = np.repeat(np.arange(len(visits)), counts.sum(axis=1))
    kind = np.repeat(np.tile(np.arange(len(EVENT_NAMES)), len(visits)), counts.ravel())
    size = len(visit)
    share = _EARLIEST[kind] + (_LATEST - _EARLIEST)[kind] * rng.random(size)
    time = visits.start[visit] + (visits.duration[visit] * share).astype(np.int64)
    order = np.lexsort((kind, time, visit))
    visit, kind, time = visit[order], kind[order], time[order]
    seen = np.floor(rng.random(size) * len(shop.PRODUCTS)).astype(np.int64)
    wanted = (kind == CART) | (rng.random(size) < _LOOKS_AT_WANTED)
    product = np.where(wanted, visits.outcomes.products[visit, 0], seen)
    page, referrer = _pages(kind, product, rng)
    late = rng.random(size) < _LATE
    return Hits(
        visit=visit,
        kind=kind,
        time=time,
        page=page,
        referrer=referrer,
        product=product,
        engagement=rng.exponential(9000, size).astype(np.int64) + 100,
        as_text=rng.random(size) < _AS_TEXT,
        days_late=np.where(late, rng.integers(1, LATEST_DAYS + 1, size), 0),
        number=first_number + np.arange(size),
    )


def duplicated(size: int, rng: np.random.Generator) -> Ints:
    """Positions of all events with the duplicates beside their originals."""
    return np.repeat(np.arange(size), 1 + (rng.random(size) < _DUPLICATED))


def _counts(visits: Visits, rng: np.random.Generator) -> Ints:
    """How many events of each kind (columns) a visit (rows) sends."""
    depth = visits.outcomes.depth
    size = len(visits)
    stays = depth > BOUNCED

    def chance(share: float) -> Bools:
        return np.asarray(rng.random(size) < share)

    counts = np.zeros((size, len(EVENT_NAMES)), dtype=np.int64)
    counts[:, [START, LAND]] = 1
    counts[:, FIRST] = visits.is_first
    counts[:, VIEW] = stays * (1 + rng.poisson(0.8, size))
    counts[:, SCROLL] = chance(0.2) + stays * chance(0.3)
    counts[:, ITEM] = (depth >= VIEWED) * (1 + chance(0.3))
    counts[:, CART] = depth >= CARTED
    counts[:, CHECKOUT] = depth >= CHECKED_OUT
    counts[:, PURCHASE] = depth == BOUGHT
    counts[:, LEAD] = visits.outcomes.is_lead
    counts[:, SIGNUP] = visits.outcomes.signs_up
    counts[:, ENGAGE] = stays * chance(0.7)
    return counts


def _pages(kind: Ints, product: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """The page of each event and the page before it."""
    size = len(kind)
    page = np.full(size, LANDING)
    leak = shop.FIRST_LEAKING_PAGE + rng.integers(len(shop.EMAILS), size=size)
    browsed = np.where(rng.random(size) < _LEAKING, leak, rng.integers(shop.BROWSED, size=size))
    page = np.where(kind == VIEW, browsed, page)
    page = np.where((kind == ITEM) | (kind == CART), shop.FIRST_PRODUCT_PAGE + product, page)
    for acting, place in (
        (CHECKOUT, shop.CHECKOUT),
        (PURCHASE, shop.THANKS),
        (LEAD, shop.CONTACT),
        (SIGNUP, shop.JOIN),
    ):
        page[kind == acting] = place
    # a scroll happens on the page that was opened last; every visit opens one first
    opened = np.maximum.accumulate(
        np.where((kind == SCROLL) | (kind == ENGAGE), 0, np.arange(size))
    )
    page = page[opened]
    before = np.where(kind <= LAND, ELSEWHERE, np.roll(page, 1))
    return page, np.asarray(before[opened])
