"""Planted identifiers in every text of raw events: none comes out in any byte of the output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from mkt_assets.privacy import event_words

Workplace = Any  # the fixture's type lives in conftest

PSEUDO_ID, USER_ID = "1864209753.1739000000", "customer-8821-q"

#: identifiers that have a form; each is planted in every text field
CANARIES = [
    "canary.one@example.com",
    "CANARY.two@Example.ORG",
    "canary%40three.example",
    "canary%2540four.example",
    "c\u00e4nary.five@m\u00fcller.example",
    "canary+six@mail.example.co.uk",
    "+49 151 55500101",
    "+4915155500102",
    "%2B4915155500103",
    "0049 30 55500104",
    "(555) 010-0105",
    "555-010-0106",
    "+1\u00a0415\u00a0555\u00a00107",
    "203.0.113.77",
    "198.51.100.23",
    "2001:db8:85a3::8a2e:370:7334",
    "2001:0db8:85a3:0000:0000:8a2e:0370:7335",
    "fe80::dead:beef",
    "4111 1111 1111 1111",
    "5500005555555559",
    "3782 822463 10005",
    "DE89370400440532013000",
    "GB29 NWBK 6016 1331 9268 19",
    "FR1420041010050500013M02606",
    "1734509021.1740000001",
    "GA1.2.1734509022.1740000002",
    PSEUDO_ID,
    USER_ID,
    hashlib.sha256(b"canary").hexdigest(),
    hashlib.md5(b"canary").hexdigest(),
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl-x",
    "CjwKCAiAcanaryBBhBZEiwAX3gqlxNwQ-x_y",
    "Cj0KCQiAcanary_1-2-3-4-5",
    "EAIaIQobChMIcanary123456",
    "gclid=canary-g-1",
    "canary&#64;seven.example",
    "canary&#x40;eight.example",
    "canary&commat;nine.example",
    "canary\\u0040ten.example",
    "canary @eleven.example",
    "canary@[10.1.2.3]",
    "+49\t151\t55500108",
    "+\uff14\uff19\uff11\uff15\uff11\uff15\uff15\uff15\uff10\uff11\uff10\uff19",
    "+\u0664\u0669\u0661\u0665\u0661\u0665\u0665\u0665\u0660\u0661\u0661\u0660",
    "203%2E0%2E113%2E78",
    "3056 930902 5904",
    "5105/1051/0510/5100",
    "6011\t1111\t1111\t1117",
    "4929  1234  5678  9013",
    "\uff14\uff15\uff13\uff12\uff10\uff11\uff15\uff11\uff11\uff12\uff18\uff13\uff10\uff13\uff16\uff16",
    "1734509023%2E1740000003",
    "1734509024-1740000004",
    "1734509025_1740000005",
    "1734509026 . 1740000006",
    "amp-Xy3kD9fQ2mVb7LtR8sWcZQ",
    "Drmhze6EPcv0fN_81Bj-nA5kQx7wYtZ2uLs9GoVpIeM",
    "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "sk_live_51H8x2pQrStUvWxYz0123456789abcd",
    "ya29.a0AfH6SMBx-9kq_Lz0pQ-rT7uVwXyZ12",
    "q83vEjRWeJCrze8SNFZ4kKvN+xI0VniQq83v/hI0VniQ",
    "_ga=2.1734.canary",
]

#: what stands in a query, a fragment or a login of an address, with or without a form
ADDRESSES = [
    "https://shop.example/a?name=Canaria+Queryname",
    "https://shop.example/a?q=x&gclid=canary-gclid-value",
    "https://shop.example/a?gbraid=canary-gbraid-value;wbraid=canary-wbraid-value",
    "https://shop.example/a?msclkid=canary-msclkid-value#Canaria-Fragment",
    "https://Canarialogin:canarypass@shop.example/a",
    "https://shop.example/a;jsessionid=canarysession/b",
    "https://shop.example/a%3Fname%3DCanariaHidden",
    "https://shop.example/a?utm_source=canary.utm@example.com&utm_medium=cpc",
    "https://shop.example/a?utm_jane=canaryutmname",
]
ADDRESS_CANARIES = [
    "Queryname", "canary-gclid-value", "canary-gbraid-value", "canary-wbraid-value",
    "canary-msclkid-value", "Canaria-Fragment", "Canarialogin", "canarypass", "canarysession",
    "CanariaHidden", "canary.utm", "canaryutmname",
]  # fmt: skip

#: columns that the lake has no place for
UNLISTED = "canary without a form"

TEXT_PARAMS = ("page_title", "source", "medium", "campaign", "currency", "term", "search_term")


def poisoned(workplace: Workplace, canary: str, number: int) -> dict[str, Any]:
    """A raw event with ``canary`` in every text field that GA4 has."""
    text = f"before {canary} after" if number % 2 else canary
    params = dict.fromkeys(TEXT_PARAMS, text) | {"ga_session_id": 17, "email": UNLISTED}
    params |= {
        "page_location": f"https://shop.example/x/{canary}?e={canary}",
        "page_referrer": f"https://shop.example/{canary}#{canary}",
    }
    campaign = {"campaign_id": text, "campaign_name": text, "source": text, "medium": text}
    row: dict[str, Any] = workplace.event(
        params=params,
        event_timestamp=workplace.NOON + number,
        event_name=canary if len(canary) <= 40 else "page_view",
        user_pseudo_id=PSEUDO_ID,
        user_id=USER_ID,
        user_properties=[{"key": "email", "value": {"string_value": text}}],
        device={
            "category": text, "operating_system": text, "mobile_brand_name": UNLISTED,
            "web_info": {"browser": text, "hostname": UNLISTED},
        },
        geo={"city": UNLISTED, "country": text, "region": text},
        traffic_source={"name": text, "medium": text, "source": text},
        collected_traffic_source={
            "manual_campaign_name": text, "manual_source": text, "manual_medium": text,
            "gclid": UNLISTED,
        },
        session_traffic_source_last_click={
            "manual_campaign": campaign, "cross_channel_campaign": campaign if number % 3 else None,
        },
        stream_id=text,
        platform=text,
        ecommerce={"transaction_id": text},
        items=[
            {"item_id": text, "item_name": text, "item_brand": text, "item_category": text},
            {"item_id": "S1", "item_name": canary},
        ],
    )  # fmt: skip
    return row


def texts(value: Any) -> Iterator[str]:
    """Every text inside a decoded row."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def survivors(workplace: Workplace, canaries: list[str]) -> dict[str, str]:
    """Canaries found in what was written, with where; the quarantine is raw by design."""
    found = {}
    for path in (workplace.out, workplace.cookieless):
        decoded = json.dumps(list(texts(pq.read_table(path).to_pylist())), ensure_ascii=False)
        raw = path.read_bytes()
        for canary in canaries:
            if canary.lower() in decoded.lower() or canary.encode() in raw:
                found[canary] = path.name
    return found


def test_no_planted_identifier_comes_out(workplace: Workplace) -> None:
    rows = [poisoned(workplace, canary, n) for n, canary in enumerate(CANARIES)]
    # an identifier without a form can only be found beside its owner, and here there is none
    ownerless = [row for row in rows if row["event_name"] != USER_ID]
    nobody = [row | {"user_pseudo_id": None, "user_id": None} for row in ownerless]
    fates = workplace.guard([*rows, *nobody])
    assert (fates.kept, fates.cookieless, fates.duplicates) == (len(rows), len(nobody), 0)
    assert survivors(workplace, [*CANARIES, UNLISTED]) == {}
    assert fates.redactions["page_title"] == len(rows)


@pytest.mark.slow
def test_nor_where_columns_of_few_values_are_scanned_once_a_value(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_words, "MIN_ROWS", 0)
    rows = [poisoned(workplace, canary, n) for n, canary in enumerate(CANARIES)]
    quiet = [workplace.event(geo={"country": "Spain"}, event_timestamp=workplace.NOON + 1000)]
    for some in (rows, rows + quiet, rows[:1]):
        assert workplace.guard(some).kept == len(some)
        assert survivors(workplace, [*CANARIES, UNLISTED]) == {}


def test_nothing_but_campaigns_comes_out_of_addresses(workplace: Workplace) -> None:
    rows = [
        workplace.event(
            params={"page_location": url, "page_referrer": url}, event_timestamp=workplace.NOON + n
        )
        for n, url in enumerate(ADDRESSES)
    ]
    assert workplace.guard(rows).kept == len(rows)
    assert survivors(workplace, ADDRESS_CANARIES) == {}
    kinds = [row["click_id_type"] for row in workplace.kept("click_id_type")]
    assert kinds == [None, "gclid", "gbraid", "msclkid", None, None, None, None, None]


def test_numbers_that_are_none_do_not_pass_as_numbers(workplace: Workplace) -> None:
    params = {
        "ga_session_number": "+4915112345678",
        "engagement_time_msec": "5105105105105100",
    }
    item = {"item_id": "S1", "price": 4915112345678.0, "quantity": 4111111111111111}
    told = workplace.guard(
        [
            workplace.event(params=params, items=[item]),
            workplace.event(params={"ga_session_id": "1740000000"}, event_name="login"),
            workplace.event(params={"ga_session_id": "4111111111111111"}, event_name="scroll"),
        ]
    )
    columns = "ga_session_id, ga_session_number, engagement_time_msec, items"
    rows = {row["ga_session_id"]: row for row in workplace.kept(columns)}
    assert set(rows) == {None, 1740000000}
    assert (rows[None]["ga_session_number"], rows[None]["engagement_time_msec"]) == (None, None)
    assert (rows[None]["items"][0]["price"], rows[None]["items"][0]["quantity"]) == (None, None)
    names = [*params, "items.price", "items.quantity"]
    assert told.redactions == dict.fromkeys(names, 1)
    assert told.quarantined == {"bad_session_id": 1}


def test_a_fate_tells_counts_and_no_content(workplace: Workplace) -> None:
    rows = [poisoned(workplace, canary, n) for n, canary in enumerate(CANARIES)]
    told = repr(workplace.guard(rows))
    assert not [canary for canary in CANARIES if canary in told]
