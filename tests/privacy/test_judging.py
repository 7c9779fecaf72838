"""What counts as personal data in a blocking check: all that is, and no order number."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.privacy import judging, pii

CONFIRMED = {
    "phone": ["+49 151 55500101", "0049 30 55500104", "(555) 010-0105", "0151 23456789"],
    "card": ["4111111111111111", "4111-1111-1111-1111", "3782 822463 10005", "5500005555555559"],
    "iban": ["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19", "de89370400440532013000"],
    "ip": ["203.0.113.77", "2001:db8::8a2e:370:7334", "2001%3Adb8%3A%3A1", "x_203.0.113.77_y"],
    "email": ["jane@example.com", "jane%2540example.com"],
    "token": ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    "client_id": ["1234567890.1612345678"],
    "click_id": ["gclid=Tester-123"],
}
#: a pattern finds these, and rightly redacts them; they are no reason to stop a run
REFUTED = [
    "4111111111111112",
    "1234567890123",
    "20250101123000",
    "9999 9999 9999 9999",
    "DE00370400440532013000",
    "AB12 3456 7890 ABCD",
    "999.1.1.1",
    "127.0.0.1",
    "total 5::decimal(18, 4)",
    "1.2.3.4a",
    "+999 123456789",
    "000123456789012345678",
]


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, ts in CONFIRMED.items() for t in ts])
def test_what_is_personal_is_confirmed(kind: str, text: str) -> None:
    for around in ("{}", "see {} there", "x={}"):
        assert kind in judging.kinds(around.format(text))


@pytest.mark.parametrize("text", REFUTED)
def test_what_only_looks_personal_is_refuted(text: str) -> None:
    assert judging.kinds(text) == []


def test_codes_of_goods_and_orders_are_no_finds() -> None:
    for text in ("4006381333931", "012345678905", "123e4567-e89b-12d3-a456-426614174000"):
        assert judging.kinds(text, pii.CODE_PATTERNS) == []


def test_the_rest_of_what_was_redacted_is_no_find() -> None:
    assert judging.kinds("[redacted]0123456789") == []
    assert judging.kinds("[redacted] 0123456789") == ["phone"]


PIECES = st.sampled_from([t for ts in CONFIRMED.values() for t in ts] + REFUTED)
TEXTS = st.lists(PIECES | st.text(alphabet="0123456789abcf.-_ :+@%Z", max_size=9), max_size=6)


@given(text=TEXTS.map("".join), own=st.text(alphabet="abc019-_", min_size=6, max_size=9))
@settings(max_examples=300, deadline=None)
def test_what_the_guard_has_cleaned_never_stops_a_run(text: str, own: str) -> None:
    """As the guard does it: first what has a form, then the person's own identifier."""
    for pattern, patterns in (
        (pii.PROSE, pii.PROSE_PATTERNS),
        (pii.CODE, pii.CODE_PATTERNS),
    ):
        cleaned = pii.redact(f"{text}{own}{text}", pattern).replace(own, pii.REDACTED)
        assert judging.kinds(cleaned, patterns) == []


@given(text=st.text(max_size=30))
@settings(deadline=None)
def test_a_judgement_only_ever_refutes(text: str) -> None:
    assert set(judging.kinds(text)) <= set(pii.findings(text))
