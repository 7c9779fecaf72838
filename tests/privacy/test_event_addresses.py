"""Addresses: cleaned and scanned once each, the same as one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.privacy import pii
from mkt_assets.privacy.urls import clean_url

Workplace = Any  # the fixture's type lives in conftest

PIECES = st.sampled_from(
    [
        *("https://", "//", "/", "a.example", "?", "&", ";", "#", "=", "%3F", "utm_source=", "x"),
        *(
            "gclid=",
            "jane@example.com",
            "+4915123456789",
            "1.2.3.4",
            "utm_campaign=4111111111111111",
        ),
    ]
)
ADDRESSES = st.lists(PIECES, max_size=8).map("".join)


@pytest.mark.slow
@given(pairs=st.lists(st.tuples(ADDRESSES, ADDRESSES), min_size=10, max_size=24))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_each_address_is_cleaned_and_redacted(
    workplace: Workplace, pairs: list[tuple[str, str]]
) -> None:
    workplace.guard(
        [
            workplace.event(
                event_timestamp=workplace.NOON + number,
                params={"page_location": location, "page_referrer": referrer},
            )
            for number, (location, referrer) in enumerate(pairs)
        ]
    )
    told = [tuple(r.values()) for r in workplace.kept("page_location, page_referrer")]
    assert told == [tuple(pii.redact(clean_url(address)) for address in pair) for pair in pairs]


def test_a_number_for_an_address_is_text(workplace: Workplace) -> None:
    workplace.guard([workplace.event(params={"page_location": 404})])
    assert workplace.kept("page_location, page_referrer") == [
        {"page_location": "404", "page_referrer": None}
    ]


@pytest.mark.parametrize("own_id", ["customer-8821-q", "one\x1ftwo\x1fthree"])
def test_an_own_identifier_goes_from_addresses_texts_and_items(
    workplace: Workplace, own_id: str
) -> None:
    params = {"page_location": f"https://a.example/{own_id}/b", "page_title": f"<{own_id}>"}
    items = [{"item_id": own_id, "item_name": f"{own_id} for you", "item_brand": None}]
    stranger = workplace.event(user_pseudo_id="55.66", params=params)
    workplace.guard([workplace.event(user_pseudo_id=own_id, params=params, items=items), stranger])
    owner, other = sorted(
        workplace.kept("page_location, page_title, items"), key=lambda row: not row["items"]
    )
    assert owner == {
        "page_location": "https://a.example/[redacted]/b",
        "page_title": "<[redacted]>",
        "items": [
            {
                "item_id": "[redacted]",
                "item_name": "[redacted] for you",
                "item_brand": None,
                "item_category": None,
                "price": None,
                "quantity": None,
                "item_revenue": None,
            }
        ],
    }
    assert (other["page_location"], other["page_title"]) == tuple(params.values())


def test_what_parts_the_texts_moves_none_of_them(workplace: Workplace) -> None:
    """A control sign in one text must not shift the texts after it."""
    params = {"page_title": "a\x1fb\x1fc jane@example.com", "source": "n\x1ews", "medium": "\x1f"}
    item = {"item_id": "S1", "item_name": "x\x1fy jim@example.com", "item_category": "shoes"}
    workplace.guard([workplace.event(params=params, items=[item])])
    (row,) = workplace.kept("page_title, param_source, param_medium, items")
    assert row["page_title"] == "a\x1fb\x1fc [redacted]"
    assert (row["param_source"], row["param_medium"]) == ("n\x1ews", "\x1f")
    assert row["items"][0]["item_name"] == "x\x1fy [redacted]"
    assert row["items"][0]["item_category"] == "shoes"
