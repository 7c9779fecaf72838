"""Turns the sample's visits and events into rows of the GA4 export; decides nothing at random."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from string import ascii_uppercase

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mkt_assets.ingest import sample_hits as h
from mkt_assets.ingest import sample_shop as shop
from mkt_assets.ingest.ga4_schema import RAW_EVENT_COLUMNS
from mkt_assets.ingest.sample_campaigns import CAMPAIGNS
from mkt_assets.ingest.sample_draws import DAY, Bools, Floats, Ints, pick
from mkt_assets.ingest.sample_hits import Hits
from mkt_assets.ingest.sample_links import (
    Links,
    Touch,
    collected_records,
    first_touch_records,
    last_click_records,
    touches,
)
from mkt_assets.ingest.sample_params import Param, key_values, listed
from mkt_assets.ingest.sample_visitors import joined, text
from mkt_assets.ingest.sample_visits import BOUNCED, Visits

_STREAM_ID = "4200000001"
_SHIPPING, _FREE_SHIPPING_FROM = 4.90, 60.0
_VAT = 0.19
#: one transaction in this many has lost its id on the way
_TRANSACTION_LOST_EVERY = 97
#: four of these tell the microseconds of a day apart
_PAIRS = tuple(a + b for a in ascii_uppercase for b in ascii_uppercase)
_PRIVACY = (
    ("Yes", "Yes", "No"),
    ("Yes", "No", "No"),
    ("No", "No", "No"),
    ("Unset", "Unset", "No"),
    ("No", "No", "Yes"),
)


@cache
def event_schema() -> pa.Schema:
    """The Arrow schema that DuckDB gives to ``RAW_EVENT_COLUMNS``."""
    columns = ", ".join(f'cast(null as {kind}) as "{n}"' for n, kind in RAW_EVENT_COLUMNS.items())
    with duckdb.connect() as con:
        table: pa.Table = con.sql(f"select {columns} limit 0").to_arrow_table()
    return table.schema


@dataclass(frozen=True)
class Rows:
    """Events with everything that their columns are made from."""

    day: date
    visits: Visits
    hits: Hits
    privacy: Ints
    links: Links
    places: tuple[Touch, ...]
    currency: str

    @cached_property
    def has_id(self) -> Bools:
        """Whether each event has a visitor and a session."""
        return np.asarray(self.privacy[self.hits.visit] != h.COOKIELESS)

    @cached_property
    def by_visit(self) -> pa.Array:
        """The visit of each event, as an index."""
        return pa.array(self.hits.visit)

    @cached_property
    def identified_visit(self) -> pa.Array:
        """The same, null where the event has no visitor."""
        return pa.array(self.hits.visit, mask=~self.has_id)

    def where(self, *kinds: int) -> Ints:
        """The rows of some kinds of events."""
        return np.flatnonzero(self.is_of(*kinds))

    def is_of(self, *kinds: int) -> Bools:
        """Whether each row is of one of some kinds."""
        wanted = np.zeros(len(h.EVENT_NAMES), dtype=np.bool_)
        wanted[list(kinds)] = True
        return np.asarray(wanted[self.hits.kind])

    @cached_property
    def amount(self) -> Floats:
        """``value`` of each event that concerns items."""
        outcomes, hits = self.visits.outcomes, self.hits
        basket = (shop.PRICES[outcomes.products] * outcomes.quantities).sum(axis=1)
        whole = self.is_of(h.CHECKOUT, h.PURCHASE)
        return np.where(whole, np.round(basket[hits.visit], 2), shop.PRICES[hits.product])

    @cached_property
    def transaction(self) -> pa.Array:
        """``transaction_id`` of each event's visit."""
        start = self.visits.start
        # letters, since long digits look like card and phone numbers to a scan for personal data
        pairs = [start % DAY // len(_PAIRS) ** place % len(_PAIRS) for place in range(4)]
        letters = (pa.array(_PAIRS).take(pa.array(pair)) for pair in pairs)
        orders = joined(pa.scalar("T"), text(start // DAY), pa.scalar("-"), *letters)
        lost = pa.array(start % _TRANSACTION_LOST_EVERY == 0)
        return pc.if_else(lost, "(not set)", orders).take(self.by_visit)


def event_rows(rows: Rows) -> pa.Table:
    """The rows of the export, in the order of the events."""
    schema = event_schema()
    size = len(rows.hits)
    columns = _plain(rows) | _sources(rows, schema) | _who(rows, schema) | _shop(rows, schema)
    columns["event_params"] = _event_params(rows, schema.field("event_params").type)
    columns["stream_id"] = _constant(_STREAM_ID, size)
    columns["platform"] = _constant("WEB", size)
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _constant(value: str, size: int) -> pa.Array:
    return pa.array([value], pa.string()).take(pa.array(np.zeros(size, dtype=np.int64)))


def _plain(rows: Rows) -> dict[str, pa.Array]:
    hits = rows.hits
    bought = hits.kind == h.PURCHASE
    in_usd = bought & (rows.currency == "USD")
    return {
        "event_date": _constant(rows.day.strftime("%Y%m%d"), len(hits)),
        "event_timestamp": pa.array(hits.time),
        "event_name": pa.array(h.EVENT_NAMES).take(pa.array(hits.kind)),
        "event_value_in_usd": pa.array(rows.amount, mask=~in_usd),
        "event_bundle_sequence_id": pa.array(hits.number),
    }


def _who(rows: Rows, schema: pa.Schema) -> dict[str, pa.Array]:
    visitors = rows.visits.visitors
    members, known = visitors.member_id, rows.identified_visit
    # a member is logged in on some visits only
    logged_in = pc.if_else(
        pa.array(rows.visits.number % 3 != 0), members, pa.scalar(None, pa.string())
    )
    member_rows = np.flatnonzero(pc.is_valid(logged_in.take(known)).to_numpy(zero_copy_only=False))
    privacy = pa.array(
        [
            dict(zip(("analytics_storage", "ads_storage", "uses_transient_token"), p, strict=True))
            for p in _PRIVACY
        ],
        schema.field("privacy_info").type,
    )
    devices = shop.devices(schema.field("device").type)
    geos = shop.geos(schema.field("geo").type)
    device = pick(visitors.unit("device"), shop.DEVICE_WEIGHTS)
    geo = pick(visitors.unit("geo"), shop.GEO_WEIGHTS)
    return {
        "user_id": logged_in.take(known),
        "user_pseudo_id": visitors.pseudo_id.take(known),
        "user_first_touch_timestamp": pa.array(visitors.born).take(known),
        "privacy_info": privacy.take(pa.array(rows.privacy[rows.hits.visit])),
        "device": devices.take(pa.array(device[rows.hits.visit])),
        "geo": geos.take(pa.array(geo[rows.hits.visit])),
        "user_properties": key_values(
            len(rows.hits),
            [Param("membership", member_rows, string=_constant("member", len(member_rows)))],
            schema.field("user_properties").type,
        ),
    }


def _sources(rows: Rows, schema: pa.Schema) -> dict[str, pa.Array]:
    touch, hits = rows.visits.outcomes.touch, rows.hits
    names = ("traffic_source", "collected_traffic_source", "session_traffic_source_last_click")
    first, collected, last = (schema.field(name).type for name in names)
    # only what the browser sends while the tagged link is its address has collected it
    landed = pa.array(hits.visit, mask=hits.kind > h.LAND)
    first_touch = rows.visits.visitors.first_touch[hits.visit]
    return {
        "traffic_source": first_touch_records(touches(CAMPAIGNS), first).take(
            pa.array(first_touch, mask=~rows.has_id)
        ),
        "collected_traffic_source": collected_records(
            touch, rows.places, rows.links, collected
        ).take(landed),
        "session_traffic_source_last_click": last_click_records(rows.places, last).take(
            pa.array(touch[hits.visit], mask=~rows.has_id)
        ),
    }


def _shop(rows: Rows, schema: pa.Schema) -> dict[str, pa.Array]:
    hits, outcomes = rows.hits, rows.visits.outcomes
    basket = rows.is_of(h.CHECKOUT, h.PURCHASE)
    single = rows.is_of(h.ITEM, h.CART)
    quantities = np.where(basket[:, None], outcomes.quantities[hits.visit], 0)
    quantities[single, 0] = 1
    products = outcomes.products[hits.visit]
    products[single, 0] = hits.product[single]
    row, line = np.nonzero(quantities)
    product, quantity = products[row, line], quantities[row, line]
    sold = np.where(
        hits.kind[row] == h.PURCHASE, np.round(shop.PRICES[product] * quantity, 2), np.nan
    )
    kind = schema.field("items").type
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(hits)))])
    amount = rows.amount
    bought = hits.kind == h.PURCHASE
    shipping = np.where(amount < _FREE_SHIPPING_FROM, _SHIPPING, 0.0)
    tax = np.round(amount * _VAT / (1 + _VAT), 2)
    ecommerce = pa.StructArray.from_arrays(
        [
            pc.if_else(pa.array(bought), rows.transaction, "(not set)"),
            pa.array(quantities.sum(axis=1)),
            pa.array(amount, mask=~bought),
            pa.nulls(len(hits), pa.float64()),
            pa.array(shipping, mask=~bought),
            pa.array(tax, mask=~bought),
        ],
        fields=list(schema.field("ecommerce").type),
        mask=pa.array(~(basket | single)),
    )
    items = shop.products(product, quantity, sold, kind.value_type)
    return {"ecommerce": ecommerce, "items": listed(offsets, items, kind)}


def _event_params(rows: Rows, kind: pa.ListType) -> pa.Array:
    size = len(rows.hits)
    params = [
        *_session_params(rows),
        *_page_params(rows),
        *_source_params(rows),
        *_item_params(rows),
    ]
    return key_values(size, params, kind)


def _session_params(rows: Rows) -> list[Param]:
    hits, visits = rows.hits, rows.visits
    known = np.flatnonzero(rows.has_id)
    engaged = ((visits.outcomes.depth > BOUNCED) | visits.outcomes.is_lead).astype(np.int64)[
        hits.visit
    ]
    as_text, as_number = np.flatnonzero(hits.as_text), np.flatnonzero(~hits.as_text)
    timed = np.flatnonzero(hits.kind > h.LAND)
    scrolls = rows.where(h.SCROLL)
    return [
        Param("ga_session_id", known, whole=visits.start[hits.visit[known]] // 1_000_000),
        Param("ga_session_number", known, whole=visits.number[hits.visit[known]]),
        # real exports have both, whatever the reference says
        Param("session_engaged", as_text, string=text(engaged[as_text])),
        Param("session_engaged", as_number, whole=engaged[as_number]),
        Param("engagement_time_msec", timed, whole=hits.engagement[timed]),
        Param("percent_scrolled", scrolls, whole=np.full(len(scrolls), 90)),
    ]


def _page_params(rows: Rows) -> list[Param]:
    hits, links = rows.hits, rows.links
    pages = len(shop.PAGE_URLS)
    urls = pa.concat_arrays([pa.array(shop.PAGE_URLS), links.url, links.referrer])
    every = np.arange(len(hits))

    def place(page: Ints) -> Ints:
        at = np.where(page == h.LANDING, pages + hits.visit, page)
        return np.where(page == h.ELSEWHERE, pages + len(links.url) + hits.visit, at)

    before = urls.take(pa.array(place(hits.referrer)))
    referred = np.flatnonzero(pc.is_valid(before).to_numpy(zero_copy_only=False))
    title = np.where(hits.page == h.LANDING, links.page[hits.visit], hits.page)
    return [
        Param("page_location", every, string=urls.take(pa.array(place(hits.page)))),
        Param("page_referrer", referred, string=before.take(pa.array(referred))),
        Param("page_title", every, string=pa.array(shop.PAGE_TITLES).take(pa.array(title))),
        Param(
            "entrances", landed := rows.where(h.LAND), whole=np.ones(len(landed), dtype=np.int64)
        ),
    ]


def _source_params(rows: Rows) -> list[Param]:
    landed = rows.where(h.LAND)
    touch = rows.visits.outcomes.touch[rows.hits.visit[landed]]
    said = np.array([place.source != "(direct)" for place in rows.places])[touch]
    landed, touch = landed[said], touch[said]
    campaigns = [p.campaign or f"({p.medium.strip('()')})" for p in rows.places]
    return [
        Param(key, landed, string=pa.array(values).take(pa.array(touch)))
        for key, values in (
            ("source", [place.source for place in rows.places]),
            ("medium", [place.medium for place in rows.places]),
            ("campaign", campaigns),
        )
    ]


def _item_params(rows: Rows) -> list[Param]:
    priced = rows.where(h.ITEM, h.CART, h.CHECKOUT, h.PURCHASE)
    bought = rows.where(h.PURCHASE)
    amount = rows.amount[priced]
    # GA4 stores a value without decimals as a whole number
    whole = amount == np.floor(amount)
    return [
        Param("currency", priced, string=_constant(rows.currency, len(priced))),
        Param("value", priced[whole], whole=amount[whole].astype(np.int64)),
        Param("value", priced[~whole], real=amount[~whole]),
        Param("transaction_id", bought, string=rows.transaction.take(pa.array(bought))),
    ]
