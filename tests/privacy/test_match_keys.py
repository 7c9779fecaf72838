"""Match keys: the destinations' published examples, and laws that any spelling must keep."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.privacy import match_keys
from mkt_assets.privacy.match_keys import (
    DESTINATIONS,
    GOOGLE_ADS,
    META,
    NoKeyError,
    Rules,
    e164,
    email,
    match_key,
    phone,
)

BOTH = pytest.mark.parametrize("rules", list(DESTINATIONS.values()), ids=list(DESTINATIONS))
ASCII = st.text("abcXYZ019._-+", min_size=1, max_size=12)
DOMAINS = st.sampled_from(["gmail.com", "googlemail.com", "example.com", "Mail.Example.ORG"])
ADDRESSES = st.builds("{}@{}".format, ASCII, DOMAINS)
SPACE = st.text(" \t\u00a0\n", max_size=3)


def spelled(text: str, rules: Rules) -> str:
    """The spelling, or the reason for none."""
    try:
        return email(text, rules)
    except NoKeyError as refusal:
        return refusal.reason


@pytest.mark.parametrize(
    ("given_address", "expected"),
    [
        # Data Manager API, formatting guide
        ("cloudy.sanfrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com"),
        ("user.name+NYC@Example.com", "user.name+nyc@example.com"),
        ("J.a.n.e+x+y@GoogleMail.com", "jane@googlemail.com"),
        (" ja ne@example.com ", "jane@example.com"),
    ],
)
def test_google_s_spelling_of_addresses(given_address: str, expected: str) -> None:
    assert email(given_address, GOOGLE_ADS) == expected


@pytest.mark.parametrize(
    ("kind", "contact", "expected"),
    [
        # Data Manager API, guide to sending audience members
        (
            "email",
            "dana@example.com",
            "07e2f1394b0ea80e2adca010ea8318df697001a005ba7452720edda4b0ce57b3",
        ),
        (
            "email",
            "DanaM@example.com",
            "1df6b43bc68dd38eca94e6a65b4f466ae537b796c81a526918b40ac4a7b906c7",
        ),
        (
            "email",
            "cloudySanFrancisco@GMAIL.com",
            "223ebda6f6889b1494551ba902d9d381daf2f642bae055888e96343d53e9f9c4",
        ),
        (
            "email",
            "cloudy.sanfrancisco+shopping@gmail.com",
            "223ebda6f6889b1494551ba902d9d381daf2f642bae055888e96343d53e9f9c4",
        ),
        (
            "phone",
            "+1-800-555-0100",
            "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30",
        ),
        (
            "phone",
            "(800)555-0100",
            "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30",
        ),
        (
            "phone",
            "+1 800-555-0101",
            "61d6c2976b5d92b1ad63073a12fddd26040cd980067d03a93dd1cc50f1a3ac68",
        ),
    ],
)
def test_google_s_published_hashes(kind: str, contact: str, expected: str) -> None:
    assert match_key(kind, contact, GOOGLE_ADS, "US").value == expected


@pytest.mark.parametrize(
    ("kind", "contact", "expected"),
    [
        # Conversions API, customer information parameters
        (
            "email",
            "John_Smith@gmail.com",
            "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
        ),
        (
            "phone",
            "(650)555-1212",
            "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
        ),
    ],
)
def test_meta_s_published_hashes(kind: str, contact: str, expected: str) -> None:
    assert match_key(kind, contact, META, "US").value == expected


def test_the_destinations_differ_where_they_say_so() -> None:
    assert email("Jane.Doe+shop@Gmail.com", META) == "jane.doe+shop@gmail.com"
    assert phone("+44 7700 900123", GOOGLE_ADS) == "+447700900123"
    assert phone("+44 7700 900123", META) == "447700900123"
    assert len({rules.version for rules in DESTINATIONS.values()}) == len(DESTINATIONS)


@BOTH
@settings(deadline=None)
@given(text=ADDRESSES | st.text(max_size=20) | st.builds("{}@gmail.com".format, st.text()))
def test_spelling_twice_is_spelling_once(rules: Rules, text: str) -> None:
    once = spelled(text, rules)
    if "@" in once:
        assert email(once, rules) == once


@BOTH
@settings(deadline=None)
@given(address=ADDRESSES, before=SPACE, after=SPACE)
def test_case_and_space_around_do_not_matter(
    rules: Rules, address: str, before: str, after: str
) -> None:
    same = {spelled(a, rules) for a in (address, address.upper(), f"{before}{address}{after}")}
    assert len(same) == 1


@settings(deadline=None)
@given(local=ASCII, domain=DOMAINS)
def test_only_gmail_loses_dots_and_suffix(local: str, domain: str) -> None:
    found = spelled(f"{local}@{domain}", GOOGLE_ADS)
    if domain.endswith("mail.com"):
        assert found == match_keys.NO_LOCAL_PART or not {".", "+"} & set(found.split("@")[0])
    else:
        assert found == f"{local}@{domain}".lower()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("jane", match_keys.NO_AT),
        ("", match_keys.NO_AT),
        ("jane@doe@example.com", match_keys.TWO_ATS),
        ("@example.com", match_keys.NO_LOCAL_PART),
        ("jane@", match_keys.BAD_DOMAIN),
        ("jane@localhost", match_keys.BAD_DOMAIN),
        ("jane@example..com", match_keys.BAD_DOMAIN),
        ("ja\x00ne@example.com", match_keys.BAD_SIGN),
        ("ja\u200bne@example.com", match_keys.BAD_SIGN),
        ("j" * 250 + "@example.com", match_keys.TOO_LONG),
    ],
)
@BOTH
def test_what_is_no_address_gives_no_key(rules: Rules, text: str, reason: str) -> None:
    with pytest.raises(NoKeyError) as refusal:
        match_key("email", text, rules)
    assert refusal.value.reason == reason


@pytest.mark.parametrize("local", ["+shop", "...", ".+x"])
def test_a_gmail_address_may_lose_everything(local: str) -> None:
    assert spelled(f"{local}@gmail.com", GOOGLE_ADS) == match_keys.NO_LOCAL_PART


def test_space_inside_is_an_error_where_the_destination_does_not_remove_it() -> None:
    assert spelled("ja ne@example.com", META) == match_keys.BAD_SIGN


@settings(deadline=None)
@given(
    st.sampled_from(["+1 {}555-01{:02}", "+1({}) 555 01{:02}", "tel:+1-{}-555-01{:02}"]),
    st.integers(201, 989),
    st.integers(0, 99),
)
def test_one_number_has_one_spelling(form: str, area: int, last: int) -> None:
    found = e164(form.format(area, last))
    assert found == f"+1{area}55501{last:02}" == e164(found)
    assert e164(f"{area}55501{last:02}", "US") == found


@pytest.mark.parametrize(
    ("text", "region", "reason"),
    [
        ("07700 900123", None, match_keys.NO_COUNTRY),
        ("00447700900123", None, match_keys.NO_COUNTRY),
        ("not given", None, match_keys.NO_PHONE),
        ("", "GB", match_keys.NO_PHONE),
        ("1" * 300, "GB", match_keys.NO_PHONE),
        ("+999 123456789", None, match_keys.IMPOSSIBLE_PHONE),
        ("+1 555 0123", None, match_keys.IMPOSSIBLE_PHONE),
        ("12", "GB", match_keys.IMPOSSIBLE_PHONE),
        ("+1 650 555 1212 ext. 5", None, match_keys.EXTENSION),
    ],
)
def test_a_number_is_never_guessed(text: str, region: str | None, reason: str) -> None:
    with pytest.raises(NoKeyError) as refusal:
        e164(text, region)
    assert refusal.value.reason == reason
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None


@BOTH
@pytest.mark.parametrize("kind", match_keys.KINDS)
def test_a_hash_is_not_hashed_again(rules: Rules, kind: str) -> None:
    given_hash = hashlib.sha256(b"jane@example.com").hexdigest()
    found = match_key(kind, f" {given_hash.upper()} ", rules)
    assert (found.value, found.was_hash) == (given_hash, True)


def test_a_refusal_never_quotes_the_contact() -> None:
    with pytest.raises(NoKeyError) as refusal:
        match_key("email", "jane.doe.example.com", GOOGLE_ADS)
    assert "jane" not in str(refusal.value)
