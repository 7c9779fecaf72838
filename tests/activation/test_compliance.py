"""Compliance: what may not run is found, what is harmless is left alone, tricks do not help."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkt_assets.activation.compliance import RULES, RULES_VERSION, check

GREEN = ("Still looking?", "Compare items side by side.", "Compare")


def ids(headline: str = GREEN[0], body: str = GREEN[1], cta: str = GREEN[2]) -> list[str]:
    return [reason.split(":")[0] for reason in check(headline, body, cta).reasons]


@pytest.mark.parametrize(
    ("body", "rule", "status"),
    [
        ("The best shoes in town.", "SUPERLATIVE", "amber"),
        ("The #1 choice.", "SUPERLATIVE", "amber"),
        ("Results guaranteed.", "ABSOLUTE", "red"),
        ("A 100% safe choice.", "ABSOLUTE", "red"),
        ("Lose weight by Friday.", "HEALTH", "red"),
        ("Cures colds.", "HEALTH", "red"),
        ("Get rich from home.", "FINANCE-PROMISE", "red"),
        ("A mortgage for your home.", "FINANCE", "amber"),
        ("Because you are single.", "PERSONAL", "red"),
        ("Are you pregnant?", "PERSONAL", "red"),
        ("Get rid of your debts.", "PERSONAL", "red"),
        ("Climate neutral delivery.", "GREEN-CLAIM", "amber"),
        ("Now 20% off.", "PRICE-TERMS", "amber"),
        ("Only $5 a month.", "PRICE-TERMS", "amber"),
        ("From EUR 20.", "PRICE-TERMS", "amber"),
        ("A free gift.", "FREE", "amber"),
        ("Hurry, look now.", "URGENCY", "amber"),
        ("AMAZING shoes.", "CAPITALS", "amber"),
        ("Look at this!!", "PUNCTUATION", "amber"),
        ("Write to me@example.com.", "CONTACT", "amber"),
        ("Hello {name}.", "PLACEHOLDER", "red"),
        ("", "EMPTY", "red"),
        ("x" * 91, "LENGTH-BODY", "red"),
    ],
)
def test_each_rule_finds_its_case(body: str, rule: str, status: str) -> None:
    verdict = check(GREEN[0], body, GREEN[2])
    assert rule in [reason.split(":")[0] for reason in verdict.reasons]
    assert verdict.status == status


@pytest.mark.parametrize(
    "body",
    [
        "A bestseller shelf for summer.",
        "Cured ham and secure delivery."[10:],
        "Your new black shoes are waiting.",
        "Order a single item if you like.",
        "Now 20% off, terms apply.",
        "Only $5 a month incl. VAT.",
        "Sugar-free drinks and gluten-free bread.",
        "TV and HiFi for the USA.",
        "It's here!",
    ],
)
def test_harmless_copy_is_green(body: str) -> None:
    assert check(GREEN[0], body, GREEN[2]).reasons == ()


def test_lengths_at_the_limit() -> None:
    assert check("h" * 30, "b" * 90, "c" * 20).status == "green"
    assert ids(headline="h" * 31) == ["LENGTH-HEADLINE"]
    assert ids(cta="c" * 21) == ["LENGTH-CTA"]


@pytest.mark.parametrize(
    "trick", ["gua\u200branteed", "\uff47uaranteed", "GuArAnTeEd", "gua\u00adranteed"]
)
def test_tricks_do_not_hide_a_word(trick: str) -> None:
    assert "ABSOLUTE" in ids(body=f"Results {trick}.")


def test_a_curly_apostrophe_is_an_apostrophe() -> None:
    assert "PERSONAL" in ids(body="We know you\u2019re divorced.")


@given(st.text(max_size=120), st.text(max_size=120), st.text(max_size=40))
def test_any_text_gets_a_verdict_that_fits_its_reasons(a: str, b: str, c: str) -> None:
    verdict = check(a, b, c)
    assert (verdict.status == "green") == (not verdict.reasons)
    assert verdict == check(a, b, c)


@given(st.sampled_from(["best", "guaranteed", "your debt"]), st.text(alphabet="ab c", max_size=20))
def test_more_words_never_make_it_greener(bad: str, more: str) -> None:
    assert set(ids(body=bad)) <= set(ids(body=f"{bad} {more}"))


def test_rules_are_a_versioned_table() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert re.fullmatch(r"\d+\.\d+\.\d+", RULES_VERSION)


def test_another_rule_table_can_be_given() -> None:
    assert check("", "", "", rules=()).status == "green"
