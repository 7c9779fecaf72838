"""What the sample's visits carry from where they came: tags, click ids, traffic-source records."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_letters
from urllib.parse import quote_plus

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mkt_assets.ingest import sample_shop as shop
from mkt_assets.ingest.sample_campaigns import Campaign
from mkt_assets.ingest.sample_draws import Bools, Floats, Ints
from mkt_assets.ingest.sample_visitors import UNPAID, joined

_CHANNEL_GROUPS = {
    "Search": "Paid Search",
    "Social": "Paid Social",
    "Display": "Display",
    "CTV": "Paid Video",
    "Email": "Email",
}
_UNPAID_GROUPS = ("Organic Search", "Direct", "Referral", "Organic Social", "Unassigned")
_CLICK_IDS = {
    ("google", "cpc"): "gclid",
    ("google", "display"): "gclid",
    ("google", "organic"): "srsltid",
    ("bing", "cpc"): "msclkid",
    ("facebook", "paid_social"): "fbclid",
    ("instagram", "paid_social"): "fbclid",
    ("tiktok", "paid_social"): "ttclid",
    ("dv360", "display"): "dclid",
}
#: share of visits whose link still has its click id; few organic ones come from free listings
_HAS_CLICK_ID = {"srsltid": 0.05}
_KEEPS_CLICK_ID = 0.85
#: newsletter links with the reader's address in them
_MAILED = 0.10
_REFERRERS = {
    "google": "https://www.google.com/",
    "bing": "https://www.bing.com/",
    "facebook": "https://l.facebook.com/",
    "instagram": "https://l.instagram.com/",
    "tiktok": "https://www.tiktok.com/",
    "youtube": "https://www.youtube.com/",
    "pinterest": "https://www.pinterest.com/",
    "blog.example.org": "https://blog.example.org/ten-gifts",
}
#: pages that links lead to; the first, the home page, twice as often
_LANDINGS = np.array([0, 0, 2, 3, 4, 5, 6, 7, 8])
_PAIRS = tuple(a + b for a in ascii_letters for b in ascii_letters)


@dataclass(frozen=True)
class Touch:
    """Where visits may come from: a campaign or one of ``UNPAID``."""

    source: str
    medium: str
    campaign_id: str | None
    campaign: str | None
    group: str

    @property
    def click_id(self) -> str | None:
        """The name of the click id that its links carry."""
        return _CLICK_IDS.get((self.source, self.medium))

    @property
    def query(self) -> str:
        """The tags of its links."""
        if self.campaign is None:
            return ""
        return (
            f"?utm_source={self.source}&utm_medium={self.medium}"
            f"&utm_campaign={quote_plus(self.campaign)}&utm_id={self.campaign_id}"
        )


def touches(campaigns: tuple[Campaign, ...]) -> tuple[Touch, ...]:
    """The campaigns, then ``UNPAID``, in the order of ``Outcomes.touch``."""
    paid = [
        Touch(c.source, c.medium, c.campaign_id, c.name, _CHANNEL_GROUPS[c.channel])
        for c in campaigns
    ]
    unpaid = [
        Touch(source, medium, None, None, group)
        for (source, medium, _), group in zip(UNPAID, _UNPAID_GROUPS, strict=True)
    ]
    return (*paid, *unpaid)


@dataclass(frozen=True)
class Links:
    """The links that visits came by, one element each."""

    url: pa.Array
    page: Ints
    referrer: pa.Array
    token: pa.Array
    click_id: Ints


#: the click ids that the export has a column for
CLICK_ID_COLUMNS = ("gclid", "dclid", "srsltid")
_CLICK_ID_NAMES = (*CLICK_ID_COLUMNS, "msclkid", "fbclid", "ttclid")
NO_CLICK_ID = -1


def links(touch: Ints, places: tuple[Touch, ...], rng: np.random.Generator) -> Links:
    """Draw the link of each visit."""
    size = len(touch)
    page = _LANDINGS[rng.integers(len(_LANDINGS), size=size)]
    names = [place.click_id for place in places]
    codes = np.array([_CLICK_ID_NAMES.index(n) if n else NO_CLICK_ID for n in names])
    chances: Floats = np.array([_HAS_CLICK_ID.get(n or "", _KEEPS_CLICK_ID) for n in names])
    click_id = np.where(rng.random(size) < chances[touch], codes[touch], NO_CLICK_ID)
    pairs = pa.array(_PAIRS)
    token = joined(*(pairs.take(pa.array(rng.integers(len(_PAIRS), size=size))) for _ in range(6)))
    token = pc.if_else(pa.array(click_id == NO_CLICK_ID), pa.scalar(None, pa.string()), token)
    queries = [place.query for place in places]
    tagged = np.array([bool(query) for query in queries])[touch]
    mailed = np.array([place.medium == "email" for place in places])[touch] & (
        rng.random(size) < _MAILED
    )
    bases = pa.array([shop.PAGE_URLS[p] + query for query in queries for p in range(shop.BROWSED)])
    url = joined(
        bases.take(pa.array(touch * shop.BROWSED + page)),
        _click_id_text(click_id, tagged),
        pc.fill_null(token, ""),
        _mail_text(mailed, rng),
    )
    sites = pa.array([_REFERRERS.get(place.source) for place in places], pa.string())
    return Links(url, page, sites.take(pa.array(touch)), token, click_id)


def _click_id_text(click_id: Ints, tagged: Bools) -> pa.Array:
    texts = pa.array(["", *(f"{mark}{n}=" for mark in "?&" for n in _CLICK_ID_NAMES)])
    index = 1 + click_id + tagged * len(_CLICK_ID_NAMES)
    return texts.take(pa.array(np.where(click_id == NO_CLICK_ID, 0, index)))


def _mail_text(mailed: Bools, rng: np.random.Generator) -> pa.Array:
    texts = pa.array(["", *(f"&email={mail.replace('@', '%40')}" for mail in shop.EMAILS)])
    which = 1 + rng.integers(len(shop.EMAILS), size=len(mailed))
    return texts.take(pa.array(np.where(mailed, which, 0)))


def first_touch_records(places: tuple[Touch, ...], kind: pa.DataType) -> pa.Array:
    """``traffic_source`` of each touch."""
    return pa.array(
        [
            {
                "name": p.campaign or f"({p.medium.strip('()')})",
                "medium": p.medium,
                "source": p.source,
            }
            for p in places
        ],
        kind,
    )


def last_click_records(places: tuple[Touch, ...], kind: pa.DataType) -> pa.Array:
    """``session_traffic_source_last_click`` of each touch."""
    records = []
    for place in places:
        names = {
            "campaign_id": place.campaign_id or "(not set)",
            "campaign_name": place.campaign or f"({place.medium.strip('()')})",
            "source": place.source,
            "medium": place.medium,
        }
        manual = names if place.campaign else dict.fromkeys(names, "(not set)")
        cross = names | {"default_channel_group": place.group}
        records.append({"manual_campaign": manual, "cross_channel_campaign": cross})
    return pa.array(records, kind)


def collected_records(
    touch: Ints, places: tuple[Touch, ...], came: Links, kind: pa.StructType
) -> pa.Array:
    """``collected_traffic_source`` of each visit; null where the link said nothing."""
    at = pa.array(touch)
    said = np.array([p.source != "(direct)" for p in places])
    sources = [p.source if p.source != "(direct)" else None for p in places]
    media = [p.medium if p.source != "(direct)" else None for p in places]
    columns: list[pa.Array] = [
        pa.array(values, pa.string()).take(at)
        for values in (
            [p.campaign_id for p in places],
            [p.campaign for p in places],
            sources,
            media,
        )
    ]
    columns += [
        pc.if_else(pa.array(came.click_id == code), came.token, pa.scalar(None, pa.string()))
        for code in range(len(CLICK_ID_COLUMNS))
    ]
    return pa.StructArray.from_arrays(columns, fields=list(kind), mask=pa.array(~said[touch]))
