"""The sample's contacts: deterministic, of people of the consent log, and nobody's real ones."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.ingest import sample
from mkt_assets.privacy.match_keys import GOOGLE_ADS, NoKeyError, e164, email

UPTO = date(2026, 6, 30)


@settings(max_examples=8, deadline=None)
@given(st.dates(date(2024, 1, 1), date(2030, 12, 31)), st.integers(0, 1000))
def test_everybody_is_in_the_consent_log(upto: date, seed: int) -> None:
    found = sample.contacts(upto, seed=seed, events_per_day=200)
    assert found.equals(sample.contacts(upto, seed=seed, events_per_day=200))
    assert found.schema.names == ["subject_id", "email", "phone"]
    subjects = found["subject_id"].to_pylist()
    log = sample.consent_log(upto, seed=seed, events_per_day=200)
    assert set(subjects) <= set(log["subject_id"].to_pylist())
    assert subjects == sorted(set(subjects))


def test_most_can_be_used_and_some_are_dirt() -> None:
    rows = sample.contacts(UPTO).to_pylist()
    assert len(rows) > 2000
    addresses = [row["email"] for row in rows if row["email"]]
    refused = [a for a in addresses if "@" not in a or "@@" in a]
    assert 0.01 < len(refused) / len(rows) < 0.1
    spelled = [email(a, GOOGLE_ADS) for a in addresses if a not in refused]
    assert {a.split("@")[1] for a in spelled} == {
        "example.com", "example.org", "gmail.com", "googlemail.com"
    }  # fmt: skip
    assert any(
        a != s for a, s in zip([a for a in addresses if a not in refused], spelled, strict=True)
    )


@pytest.mark.parametrize("region", [None, "US"])
def test_numbers_are_from_the_ranges_of_fiction(region: str | None) -> None:
    found = set()
    for number in sample.contacts(UPTO)["phone"].drop_null().to_pylist():
        try:
            found.add(e164(number, region))
        except NoKeyError:
            continue
    assert len(found) > 500
    assert all(n[5:10] == "55501" or n.startswith("+447700900") for n in found)
