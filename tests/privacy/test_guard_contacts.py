"""Contacts: exactly those whom the policy allows today have a key, and every row has a fate."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.errors import MktError
from mkt_assets.ingest.file_source import FileSource
from mkt_assets.privacy import vault
from mkt_assets.privacy.guard_contacts import guard_contacts
from mkt_assets.privacy.guarding import Guard
from mkt_assets.privacy.ledger import unbalanced
from mkt_assets.privacy.match_keys import DESTINATIONS, NoKeyError, Rules, match_key
from mkt_assets.privacy.policy import POLICY_V1
from mkt_assets.privacy.pseudonyms import Key, pseudonym
from mkt_assets.settings import Settings

Vault = Any  # the fixture's type lives in conftest
KEY = Key("k1", bytes(range(32)))
DAY = date(2025, 3, 10)
NINE = datetime(2025, 3, 9, 9, tzinfo=UTC)
LATER = NINE + timedelta(days=1)
GRANTED = ("granted", "granted")
NEEDS = POLICY_V1.activation_needs

WORDS = st.sampled_from(["granted", "denied", None])
PEOPLE = st.sampled_from(["a", "b", "c"])
# one entry is older than the retention of the tests
TIMES = st.sampled_from([NINE, NINE - timedelta(hours=1), NINE - timedelta(days=29)])
LOGS = st.lists(st.tuples(PEOPLE, TIMES, WORDS, WORDS), max_size=8)
EMAILS = ["J.Doe@gmail.com", "jdoe@gmail.com", " x@example.com", "x.example.com", None]
PHONES = ["+1 202 555 0142", "(202) 555-0142", None]
CONTACTS = st.lists(st.tuples(PEOPLE, st.sampled_from(EMAILS), st.sampled_from(PHONES)), max_size=6)


def granted_at(who: str, log: list[tuple[Any, ...]]) -> datetime | None:
    """When a person last confirmed the needed grants, by the latest word on each signal."""
    signals = {}
    for position, need in enumerate(NEEDS, start=2):
        said = [(e[1], e[position] == "denied", e[position]) for e in log if e[0] == who]
        latest = max((entry for entry in said if entry[2]), default=None)
        if latest is None:
            return None
        signals[need] = latest[2]
    latest_entry = max(entry[1] for entry in log if entry[0] == who)
    return latest_entry if POLICY_V1.allows_activation(signals) else None


def keys_of(email: str | None, phone: str | None, rules: Rules) -> set[tuple[str, str]]:
    found = set()
    for kind, value in (("email", email), ("phone", phone)):
        if value is not None:
            try:
                found.add((kind, match_key(kind, value, rules).value))
            except NoKeyError:
                continue
    return found


@pytest.mark.slow
@given(contacts=CONTACTS, log=LOGS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_vault_holds_exactly_what_the_policy_allows(
    safe: Vault, contacts: list[tuple[Any, ...]], log: list[tuple[Any, ...]]
) -> None:
    shutil.rmtree(safe.lake.vault, ignore_errors=True)
    fates = safe.bring_up_to(DAY, contacts, log)
    since = {who: granted_at(who, log) for who, *_ in contacts}
    allowed = {
        who
        for who, at in since.items()
        if at is not None and at.date() + timedelta(days=safe.RETENTION) > DAY
    }
    for destination, rules in DESTINATIONS.items():
        assert safe.stored_keys(destination) == {
            (pseudonym(who, KEY), *key)
            for who, email, phone in contacts
            if who in allowed
            for key in keys_of(email, phone, rules)
        }
    assert safe.not_granted() == {}
    fates.check()
    assert fates.rows_in == len(contacts)
    assert fates.rows_dropped == sum(who not in allowed for who, *_ in contacts)
    assert safe.removed() == {}


@pytest.mark.slow
@given(contacts=CONTACTS, log=LOGS)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_same_input_gives_the_same_bytes(
    safe: Vault, contacts: list[tuple[Any, ...]], log: list[tuple[Any, ...]]
) -> None:
    shutil.rmtree(safe.lake.vault, ignore_errors=True)
    safe.bring_up_to(DAY, contacts, log)
    once = safe.bytes()
    safe.bring_up_to(DAY, contacts[::-1], log[::-1])
    assert safe.bytes() == once


def test_a_key_says_under_which_rules_key_and_grant_it_is_kept(safe: Vault) -> None:
    safe.bring_up_to(DAY, [("a", "A@example.com", None)], [("a", NINE, *GRANTED)])
    assert safe.rows(vault.MATCH_KEYS, "meta") == [
        {
            "user_key": pseudonym("a", KEY),
            "kind": "email",
            "match_key": hashlib.sha256(b"a@example.com").hexdigest(),
            "rules_version": "meta-1",
            "key_id": "k1",
            "granted_at": NINE,
            "first_stored_on": DAY,
            "expires_on": date(2025, 4, 8),
        }
    ]


@pytest.mark.parametrize(
    ("contact", "reason"),
    [
        (("a", "nobody", None), "email_without_at"),
        (("a", None, "07700 900123"), "phone_without_country_code"),
        (("a", None, None), "no_contact"),
        ((None, "a@example.com", None), "no_subject"),
        (("\u2003", "a@example.com", None), "no_subject"),
    ],
)
def test_a_row_without_a_key_is_counted_by_reason(
    safe: Vault, contact: tuple[Any, ...], reason: str
) -> None:
    fates = safe.bring_up_to(DAY, [contact], [("a", NINE, *GRANTED)])
    assert (fates.kept, fates.quarantined) == (0, {reason: 1})


def test_fates_notes_and_repeats(safe: Vault) -> None:
    digest = hashlib.sha256(b"b@example.com").hexdigest()
    contacts = [
        ("a", "a@example.com", "on request"),
        ("a", "a@example.com", "on request"),
        ("b", digest.upper(), None),
        ("c", "c@example.com", None),
        ("d", "d@example.com", None),
    ]
    log = [
        ("a", NINE, *GRANTED),
        ("b", NINE, *GRANTED),
        ("c", NINE, "granted", "denied"),
        ("d", NINE - timedelta(days=60), *GRANTED),
    ]
    fates = safe.bring_up_to(DAY, contacts, log)
    assert (fates.kept, fates.duplicates) == (2, 1)
    assert fates.dropped == {"grant_too_old": 1, "no_ad_consent": 1}
    assert fates.notes == {
        "google_ads came_as_a_hash": 1,
        "google_ads not_a_phone_number": 1,
        "meta came_as_a_hash": 1,
        "meta not_a_phone_number": 1,
    }
    assert digest in {key for _, _, key in safe.stored_keys()}


def test_a_region_is_used_only_where_it_is_set(safe: Vault) -> None:
    contacts, log = [("a", None, "07700 900123")], [("a", NINE, *GRANTED)]
    assert safe.bring_up_to(DAY, contacts, log).kept == 0
    assert safe.bring_up_to(DAY, contacts, log, region="GB").kept == 1
    assert {key for _, _, key in safe.stored_keys("meta")} == {
        hashlib.sha256(b"447700900123").hexdigest()
    }


def test_the_ledger_accounts_for_every_file_of_contacts(safe: Vault) -> None:
    """Two files, one with a row that ingest sets aside; running again changes no byte."""
    folder = safe.workplace.folder
    (folder / "c1.csv").write_text("subject_id,email\na,a@x.com\nb,b@x.com\na,\n")
    (folder / "c2.csv").write_text("subject_id,email\na,a@x.com\nb,nobody\n")
    signals = "ad_storage,analytics_storage,ad_user_data,ad_personalization"
    (folder / "l.csv").write_text(
        f"subject_id,changed_at,{signals}\na,2025-03-09,{'granted,' * 3}granted\n"
    )
    known = Settings(
        ga4_uri="x",
        consent_uri=str(folder / "l.csv"),
        contacts_uri=str(folder / "c*.csv"),
        data_dir=folder / "data",
    )
    safe.lake.prepare()
    source = FileSource(safe.lake, known)
    source.land_consent(DAY)
    source.land_contacts(DAY)
    guard = Guard(safe.lake, known, "run", KEY)
    guard.consent(safe.workplace.con)
    fates = guard.contacts(safe.workplace.con, DAY)
    assert (fates.rows_in, fates.kept, fates.duplicates, fates.rows_dropped) == (4, 1, 1, 2)
    ledger = safe.lake.guarded / "lineage_ledger" / "whole" / "contacts.parquet"
    first, second = pq.read_table(ledger).to_pylist()
    assert (first["rows_in"], first["rows_kept"], first["rows_quarantined"]) == (3, 1, 1)
    assert (second["rows_in"], second["rows_duplicate"]) == (2, 1)
    assert unbalanced(safe.lake) == []
    once = {ledger: ledger.read_bytes(), **safe.bytes()}
    guard.contacts(safe.workplace.con, DAY)
    assert {ledger: ledger.read_bytes(), **safe.bytes()} == once


def test_no_contact_is_stored(safe: Vault) -> None:
    safe.bring_up_to(
        DAY,
        [("subject-a", "jane.roe@example.com", "+12025550142")],
        [("subject-a", NINE, *GRANTED)],
    )
    for name, content in safe.bytes().items():
        assert not [w for w in (b"jane", b"2025550142", b"subject-a") if w in content], name
    text = str([pq.read_table(path).to_pylist() for path in safe.lake.vault.rglob("*.parquet")])
    assert "jane" not in text


def test_a_log_made_with_another_key_is_refused(safe: Vault) -> None:
    safe.bring_up_to(DAY, [], [("a", NINE, *GRANTED)])
    log = safe.workplace.consent.read_bytes()
    safe.bring_up_to(DAY, [], [], key=Key("k2", bytes(32)))
    safe.workplace.consent.write_bytes(log)
    with pytest.raises(MktError, match=r"'k1'.*'k2'.*consent_log"):
        guard_contacts(
            safe.workplace.con,
            raw=safe.raw,
            consent=safe.workplace.consent,
            lake=safe.lake,
            key=Key("k2", bytes(32)),
            policy=POLICY_V1,
            day=DAY,
            retention_days=30,
            region=None,
        )


def test_the_check_finds_whoever_should_not_be_there(safe: Vault) -> None:
    safe.bring_up_to(DAY, [("a", "a@example.com", None)], [("a", NINE, *GRANTED)])
    safe.workplace.log([("a", NINE, None, None, *GRANTED), ("a", LATER, *["denied"] * 4)])
    assert safe.not_granted() == {"google_ads": 1, "meta": 1}
    safe.workplace.log([])
    assert safe.not_granted() == {"google_ads": 1, "meta": 1}


def test_an_open_vault_is_refused_and_left_as_it_is(safe: Vault) -> None:
    asked = ([("a", "a@example.com", None)], [("a", NINE, *GRANTED)])
    safe.bring_up_to(DAY, *asked)
    safe.lake.vault.chmod(0o750)
    with pytest.raises(MktError, match=r"mode 0750.*chmod -R go-rwx"):
        safe.bring_up_to(DAY, *asked)
    assert safe.lake.vault.stat().st_mode & 0o777 == 0o750
