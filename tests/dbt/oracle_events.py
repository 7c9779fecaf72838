"""Guarded events of many users that do whatever hurts a sessionization; random, from a seed.

What stays out: what is to be made of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

Event = dict[str, Any]

START = datetime(2024, 2, 20, tzinfo=UTC)  # a leap day is among the days
SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
DAY = 24 * HOUR
#: the property's days do not begin at midnight UTC
ZONE = timedelta(hours=2)

#: between the visits of a user; the look-back ends after 30 days
PAUSES = [20 * MINUTE, 5 * HOUR, DAY, 3 * DAY, 11 * DAY, 29 * DAY]
PAUSES += [30 * DAY - SECOND, 30 * DAY, 30 * DAY + SECOND, 31 * DAY]
STREAMS = ["web", "web", "app", None]
CLICKS = ["gclid", "gbraid", "wbraid", "dclid", "gclsrc", "srsltid", "msclkid"]
BLANKS = [None, None, "", "  ", "(not set)", "\t(Not Set) "]
SOURCES = ["google", "Google", " bing ", "facebook.com", "t.co", "youtube.com", "amazon", "e-mail"]
SOURCES += ["news", "partner", "sms", "blog.example", "(direct)", "(Direct)", *BLANKS]
MEDIA = ["organic", "Organic", "referral", "REFERRAL", "(none)", "cpc", "CPC", "cpm", "paid_social"]
MEDIA += ["email", "affiliate", "display", "audio", "webpush", "video", "link", "social", *BLANKS]
CAMPAIGNS = [
    *("brand", "Summer-Shop", "workshop", "x cross-network", " may ", "(organic)"),
    *("(UK) Shoes (broad)", *BLANKS),
]
ORDERS = [None, "", " ", "(not set)", "(Not Set)", "T-own", "T-own", "T-own", "T-shared"]
NAMES = [
    "page_view",
    "page_view",
    "scroll",
    "view_item",
    "user_engagement",
    "sign_up",
    "screen_view",
]


def events(seed: int, users: int = 300) -> list[Event]:
    """About twenty events a user over some months, in no order, each with a key of its own."""
    draw = random.Random(seed)
    made = [event for number in range(users) for event in _user(draw, f"user{number}")]
    for number, event in enumerate(made):
        event["event_key"] = f"{draw.getrandbits(80):020x}{number:012x}"
        day = (instant(event) + ZONE).date()
        event |= {"event_date": day, "lineage_id": f"events-{day}"}
    draw.shuffle(made)
    return made


def by_day(made: Sequence[Event]) -> dict[date, list[Event]]:
    days: dict[date, list[Event]] = {}
    for event in made:
        days.setdefault(event["event_date"], []).append(event)
    return days


def instant(event: Event) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event["event_timestamp"])


def _user(draw: random.Random, user: str) -> Iterator[Event]:
    # half of them begin so close to midnight that their first session crosses it
    begin = START + draw.randrange(20) * timedelta(days=1) - ZONE
    begin += draw.choice([timedelta(hours=draw.randrange(24)), timedelta(minutes=-3)])
    time = round(begin.timestamp()) * SECOND
    only_direct = draw.random() < 0.1
    for visit in range(draw.randint(1, 5)):
        source = {} if only_direct else _source(draw)
        # a number seen before continues that session: over midnight, over days, on another stream
        number = draw.choice([visit, visit, visit, 1, None])
        common = {"user_key": user, "ga_session_id": number, "stream_id": draw.choice(STREAMS)}
        for event in _visit(draw, user, time, opening=visit == 0):
            # the words of a source come with some events only
            yield event | common | (source if draw.random() < 0.5 else _noise(draw, only_direct))
        time += draw.choice(PAUSES)


def _source(draw: random.Random) -> Event:
    told: Event = {}
    for prefix, share in (("param", 0.7), ("collected", 0.4), ("session", 0.2)):
        if draw.random() < share:
            told[f"{prefix}_source"] = draw.choice(SOURCES)
            told[f"{prefix}_medium"] = draw.choice(MEDIA)
            told[f"{prefix}_campaign"] = draw.choice(CAMPAIGNS)
    if draw.random() < 0.3:
        told["click_id_type"] = draw.choice(CLICKS)
    return told


def _noise(draw: random.Random, only_direct: bool) -> Event:
    if only_direct:
        direct = {"param_source": "(direct)", "param_medium": "(none)"}
        return draw.choice([{}, direct, {"first_user_source": "never"}])
    return {} if draw.random() < 0.8 else _source(draw)


def _visit(draw: random.Random, user: str, time: int, *, opening: bool) -> Iterator[Event]:
    page = draw.choice([None, "https://shop.example/a", "https://shop.example/b?utm_source=x"])
    device = {"device_category": draw.choice([None, "mobile", "desktop"])}
    start = device | {"page_location": page, "country": draw.choice([None, "France", "Chad"])}
    yield {"event_name": "session_start", "event_timestamp": time} | start
    if opening:
        yield {"event_name": "first_visit", "event_timestamp": time} | start
    flag_only = draw.random() < 0.2
    # exactly ten seconds do not engage, a millisecond more does
    parts = draw.choice([[None], [10_000], [10_001], [4_000, 6_000], [4_000, 6_001], [0, None]])
    for step, part in enumerate(parts if flag_only or draw.random() < 0.5 else [*parts, 1, 1]):
        name = "scroll" if flag_only else draw.choice(NAMES)
        yield {
            "event_name": name,
            "event_timestamp": time,
            "engagement_time_msec": None if flag_only else part,
            "session_engaged": True if flag_only and step == 0 else draw.choice([None, False]),
            "page_location": draw.choice([page, None, "https://shop.example/next"]),
        }
        # often the same instant, at times the next days
        time += draw.choice([0, 0, SECOND, MINUTE, 8 * MINUTE, 30 * HOUR])
    for _ in range(draw.choice([0, 0, 1, 2])):
        yield _purchase(draw, user, time)
        time += draw.choice([0, MINUTE, DAY])
    if draw.random() < 0.2:
        refund = _refund(draw, user, time)
        # a minute later it is the same refund, a second more makes it another
        for later in draw.choice([[0], [0, MINUTE], [0, MINUTE, 2 * MINUTE], [0, MINUTE + SECOND]]):
            yield refund | {"event_timestamp": refund["event_timestamp"] + later}


def _order(draw: random.Random, user: str) -> str | None:
    order = draw.choice(ORDERS)
    if order == "T-own":
        # a few for each user, with and without blanks around them
        return draw.choice([f"T-{user}", f" T-{user}", f"T-{user}-{draw.randrange(3)}"])
    return f"T-shared-{draw.randrange(9)}" if order == "T-shared" else order


def _purchase(draw: random.Random, user: str, time: int) -> Event:
    item = {"item_id": "i", "price": "2.5", "quantity": 2, "item_revenue": "5.25"}
    bare = {"item_id": "j", "price": None, "quantity": None, "item_revenue": None}
    return {
        "event_name": "purchase",
        "event_timestamp": time,
        "transaction_id": _order(draw, user),
        "purchase_revenue": draw.choice([None, "0", "20.10", "0.0001", "999999.99"]),
        "tax_value": draw.choice([None, "1.5"]),
        "shipping_value": draw.choice([None, "4.9"]),
        "currency": "EUR",
        "items": draw.choice([None, [], [item], [item, item, bare], [bare]]),
    }


def _refund(draw: random.Random, user: str, time: int) -> Event:
    return {
        "event_name": "refund",
        # a refund may reach us with an earlier time than its purchase, and may refund nothing known
        "event_timestamp": time - draw.choice([0, DAY]),
        "transaction_id": draw.choice([_order(draw, user), "T-unknown"]),
        "refund_value": draw.choice([None, "5", "20.10"]),
        "currency": "EUR",
    }
