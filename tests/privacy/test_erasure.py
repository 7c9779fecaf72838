"""Erasure on a real lake: the person goes, everybody else stays, and a kill changes nothing."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mkt_assets.errors import MktError
from mkt_assets.ingest.sources import CONSENT, CONTACTS, EVENTS, raw_whole, read_manifest
from mkt_assets.lake import Lake
from mkt_assets.privacy import erasure, erasure_list, erasure_search, quiet, vault
from mkt_assets.privacy.erasure_list import listed
from mkt_assets.privacy.ledger import unbalanced
from mkt_assets.privacy.persons import linked, needs_contacts
from mkt_assets.privacy.pseudonyms import Key, KeyRing, pseudonym, stand_in
from mkt_assets.privacy.subjects import Subjects

House = Any  # the fixture's type lives in conftest
DAYS = [date(2025, 3, 10), date(2025, 3, 11), date(2025, 3, 12)]
NOW = datetime(2025, 3, 20, 6, tzinfo=UTC)
RING = KeyRing((Key("k1", bytes(range(32))),))


def erased(house: House, *names: str, ring: KeyRing = RING) -> dict[str, int]:
    subjects = Subjects(tuple(sorted(names)))
    erasure.request(house.lake, ring, subjects, now=NOW, run_id="r1")
    return erasure.sweep(house.lake, ring, now=NOW, subjects=subjects)


@pytest.mark.slow
def test_the_person_goes_and_everybody_else_stays(house: House, member: dict[str, str]) -> None:
    key = pseudonym(member["device"], RING.active)
    before = {table: house.rows(table) for table in (EVENTS, CONSENT)}
    told = house.fates()
    erased(house, member["device"])
    for table, rows in before.items():
        others = Counter({row: n for row, n in rows.items() if key not in row})
        assert house.rows(table) == others
        assert sum(rows.values()) > sum(others.values())
    assert unbalanced(house.lake) == []
    now = house.fates()
    gone = [a["kept"] - b["kept"] for a, b in zip(told, now, strict=True)]
    assert [row["erased"] for row in now] == gone
    assert sum(gone) > 0


@pytest.mark.slow
def test_nothing_is_left_and_the_proof_finds_what_is_planted(
    house: House, member: dict[str, str]
) -> None:
    subjects = Subjects((member["device"],))
    assert erasure_search.remains(house.lake, RING, subjects)
    erased(house, member["device"])
    assert erasure_search.remains(house.lake, RING, subjects) == {}
    assert erasure_search.remains(house.lake, RING, None) == {}
    for place, content in {
        "logs/run.log": f"someone wrote {member['device']} here",
        "payloads/p.json": pseudonym(member["device"], RING.active),
    }.items():
        path = house.lake.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        assert set(erasure_search.remains(house.lake, RING, subjects)) == {place}
        path.unlink()
    elsewhere = house.lake.root.with_name("elsewhere")
    elsewhere.mkdir()
    (elsewhere / "note.txt").write_text(member["device"], encoding="utf-8")
    (house.lake.root / "reports").symlink_to(elsewhere)
    assert set(erasure_search.remains(house.lake, RING, subjects)) == {"reports/note.txt"}
    (elsewhere / "note.txt").unlink()
    with duckdb.connect(str(house.lake.root / "stray.duckdb")) as con:
        con.execute(
            "create table t as select [struct_pack(a := ?)] as nested",
            [pseudonym(member["device"], RING.active)],
        )
    assert set(erasure_search.remains(house.lake, RING, subjects)) == {"stray.duckdb"}


def test_a_login_brings_its_own_devices(house: House, member: dict[str, str]) -> None:
    with quiet.connect(house.lake.landing) as con:
        found = linked(con, house.lake, {pseudonym(member["login"], RING.active)})
    assert ("k1", pseudonym(member["device"], RING.active)) in found
    erased(house, member["login"])
    assert erasure_search.remains(house.lake, RING, Subjects((member["device"],))) == {}


def test_a_shared_device_keeps_what_is_not_theirs(house: House) -> None:
    one, other, shared = (pseudonym(name, RING.active) for name in ("one", "other", "shared"))
    own, stranger = (pseudonym(name, RING.active) for name in ("own", "stranger"))
    pairs = [(shared, one), (shared, other), (own, one), (stranger, other)]
    path = house.lake.partition(EVENTS, DAYS[0])
    rows = pq.read_table(path).slice(0, 5).to_pylist()
    for row, (device, login) in zip(rows, [*pairs, (shared, None)], strict=True):
        row |= {"user_key": device, "login_key": login, "key_id": "k1"}
    schema = pq.read_schema(path)
    shutil.rmtree(house.lake.guarded / EVENTS)
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    erased(house, "one")
    left = {(r["user_key"], r["login_key"]) for r in pq.read_table(path).to_pylist()}
    assert left == {(shared, other), (stranger, other), (shared, None)}


def test_raw_files_that_hold_the_person_go_and_others_stay(
    house: House, member: dict[str, str]
) -> None:
    before = set(house.lake.landing.rglob("*.parquet"))
    erased(house, member["device"])
    after = set(house.lake.landing.rglob("*.parquet"))
    assert not raw_whole(house.lake, CONSENT).exists()
    for path in before - after:
        assert not path.with_suffix(".sources.json").exists()
    assert after < before


@pytest.mark.slow
def test_the_guard_keeps_the_person_out_and_tells_the_same(
    house: House, member: dict[str, str]
) -> None:
    erased(house, member["device"])
    stored, told = house.rows(CONSENT), house.fates()
    house.run()
    others = [[f for f in fates if f["table_name"] != CONTACTS] for fates in (house.fates(), told)]
    assert others[0] == others[1]
    assert house.rows(CONSENT) == stored
    # the run landed the source's rows again; the sweep that ends it removes them
    assert raw_whole(house.lake, CONSENT).exists()
    erasure.complete(house.lake, NOW)
    erasure.sweep(house.lake, RING, now=NOW, days=DAYS)
    assert erasure_search.remains(house.lake, RING, Subjects((member["device"],))) == {}


def test_who_comes_again_with_new_consent_is_kept(house: House, member: dict[str, str]) -> None:
    key = pseudonym(member["device"], RING.active)
    path = house.lake.partition(EVENTS, house.DAYS[0])
    (theirs, *_) = [r for r in pq.read_table(path).to_pylist() if r["user_key"] == key]
    erased(house, member["device"])
    erasure.complete(house.lake, NOW)
    after = int(NOW.timestamp() * 1e6) + 86_400_000_000
    rows = pq.read_table(path).to_pylist()
    schema = pq.read_schema(path)
    returned = pa.Table.from_pylist([*rows, {**theirs, "event_timestamp": after}], schema=schema)
    pq.write_table(returned, path)
    erasure.sweep(house.lake, RING, now=NOW, days=house.DAYS)
    assert pq.read_metadata(path).num_rows == len(rows) + 1
    assert erasure_search.remains(house.lake, RING, None) == {}
    # asking again takes out what came since
    erased(house, member["device"])
    assert pq.read_metadata(path).num_rows == len(rows)


def test_the_guard_tells_the_past_from_the_future(workplace: Any, tmp_path: Path) -> None:
    hour, noon = 3_600_000_000, workplace.NOON
    name = erasure_list.Name("k1", pseudonym("1.2", RING.active), "p")
    at = datetime.fromtimestamp(noon / 1e6, UTC)
    erasure_list.add(Lake(tmp_path), "er_1", [name], at)
    rows = [
        workplace.event(user_pseudo_id=who, event_timestamp=noon + when, event_name=f"e{number}")
        for number, (who, when) in enumerate([("1.2", -hour), ("1.2", hour), ("3.4", -hour)])
    ]
    fates = workplace.guard(rows, erased=listed(Lake(tmp_path), RING))
    assert (fates.kept, fates.erased) == (2, 1)
    assert {row["event_name"] for row in workplace.kept()} == {"e1", "e2"}


def test_asking_again_changes_nothing(house: House, member: dict[str, str]) -> None:
    erased(house, member["device"])
    first = {p: p.read_bytes() for p in house.lake.guarded.rglob("*.parquet")}
    assert erasure.complete(house.lake, NOW) == 1
    assert erased(house, member["device"]) == {}
    assert {p: p.read_bytes() for p in house.lake.guarded.rglob("*.parquet")} == first
    assert len(erasure_list.records(house.lake)) == 1
    (again,) = erasure_list.records(house.lake)
    assert again["asked_again_at"]
    assert again["earlier"][0]["partitions"]


def test_somebody_who_is_not_there_is_an_answer(house: House) -> None:
    before = house.rows(EVENTS)
    assert erased(house, "nobody-at-all") == {}
    assert house.rows(EVENTS) == before
    (record,) = erasure_list.records(house.lake)
    assert (record["partitions"], record["found"], record["linked"]) == ({}, {}, 0)


@pytest.mark.slow
def test_wherever_it_is_cut_asking_again_ends_in_the_same(
    copied: Callable[[str], House], member: dict[str, str], cut: Callable[..., bool]
) -> None:
    undisturbed = copied("undisturbed")
    erased(undisturbed, member["device"])
    wanted, told = undisturbed.rows(EVENTS), undisturbed.fates()
    cuts = 0
    for syncs in range(200):
        house = copied(f"cut-{syncs}")
        if not cut(syncs, partial(erased, house, member["device"])):
            break
        cuts += 1
        house.lake.sweep()
        erased(house, member["device"])
        assert house.rows(EVENTS) == wanted, syncs
        assert house.fates() == told, syncs
        assert unbalanced(house.lake) == []
        (record,) = erasure_list.records(house.lake)
        kept = erasure_list.records(undisturbed.lake)[0]
        assert record["partitions"] == kept["partitions"]
        assert erasure_search.remains(house.lake, RING, Subjects((member["device"],))) == {}
        shutil.rmtree(house.lake.root)
    assert cuts > 8, "the erasure was never cut: the test no longer sees its writes"


def test_an_interrupted_request_is_finished_without_its_subjects(
    house: House, member: dict[str, str]
) -> None:
    subjects = Subjects((member["device"],))
    erasure.request(house.lake, RING, subjects, now=NOW, run_id="r1")
    assert erasure.complete(house.lake, NOW) == 0, "nothing was removed yet"
    erasure.sweep(house.lake, RING, now=NOW)
    assert erasure_search.remains(house.lake, RING, subjects) == {}
    assert erasure.complete(house.lake, NOW) == 1
    assert erasure_list.unfinished(house.lake) == []


def test_the_record_and_the_list_hold_no_identifier(house: House, member: dict[str, str]) -> None:
    erased(house, member["device"], member["login"])
    for path in house.lake.erasures.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        content = path.read_bytes()
        assert member["device"].encode() not in content
        assert member["login"].encode() not in content
        if path.suffix == ".json":
            assert pseudonym(member["device"], RING.active).encode() not in content


def test_every_live_key_is_searched_and_a_lost_one_is_refused(
    house: House, member: dict[str, str]
) -> None:
    old, new = RING.active, Key("k2", bytes(range(9, 41)))
    erased(house, member["device"], ring=KeyRing((new, old)))
    assert erasure_search.remains(house.lake, RING, Subjects((member["device"],))) == {}
    # one live key is enough to keep them out
    assert [key.id for key in listed(house.lake, KeyRing((old,))).keys] == ["k1"]
    with pytest.raises(MktError, match="'k1', which is not among the keys"):
        listed(house.lake, KeyRing((Key("k3", bytes(range(3, 35))),)))


@pytest.fixture
def reachable(house: House) -> dict[str, str]:
    """Somebody whose match keys are in the vault."""
    raw = house.lake.landing / "contacts" / "contacts.parquet"
    stored = set()
    for rows in vault.everything(house.lake):
        stored |= set(rows["user_key"].to_pylist())
    contacts = pq.read_table(raw).to_pylist()
    return next(
        row
        for row in contacts
        if row["email"] and pseudonym(row["subject_id"], RING.active) in stored
    )


def vault_rows(house: House, key: str) -> int:
    return sum(rows["user_key"].to_pylist().count(key) for rows in vault.everything(house.lake))


@pytest.mark.slow
def test_match_keys_go_with_the_person(house: House, reachable: dict[str, str]) -> None:
    key = pseudonym(reachable["subject_id"], RING.active)
    assert vault_rows(house, key) > 0
    before = sum(len(rows) for rows in vault.everything(house.lake))
    gone = vault_rows(house, key)
    erased(house, reachable["subject_id"])
    assert vault_rows(house, key) == 0
    assert sum(len(rows) for rows in vault.everything(house.lake)) == before - gone
    # the contacts come again with the source; consent does not, and nobody is told twice
    house.run()
    assert vault_rows(house, key) == 0


def test_an_e_mail_address_finds_its_owner(house: House, reachable: dict[str, str]) -> None:
    asked = Subjects((reachable["email"].strip().lower(),))
    assert set(erasure_search.remains(house.lake, RING, asked)) >= {
        "landing/contacts/contacts.parquet"
    }
    erasure.request(house.lake, RING, asked, now=NOW, run_id="r1")
    erasure.sweep(house.lake, RING, now=NOW, subjects=asked)
    assert vault_rows(house, pseudonym(reachable["subject_id"], RING.active)) == 0
    for who in (asked, Subjects((reachable["subject_id"],))):
        assert erasure_search.remains(house.lake, RING, who) == {}


@pytest.fixture
def unreachable(house: House) -> dict[str, str]:
    """Somebody with stored events and a contact, and no key in the vault."""
    keyed: set[str] = set()
    for rows in vault.everything(house.lake):
        keyed |= set(rows["user_key"].to_pylist())
    seen = {
        key
        for day in house.DAYS
        for key in pq.read_table(house.lake.partition(EVENTS, day))["user_key"].to_pylist()
    }
    path = raw_whole(house.lake, CONTACTS)
    contacts = pq.read_table(path)
    rows = contacts.to_pylist()
    free = sorted(seen - keyed - {pseudonym(row["subject_id"], RING.active) for row in rows})
    # the sample knows no such person: give one a contact, under a device that is already a hash
    row = rows[0] | {"subject_id": free[0], "email": "Un.Reachable@example.com", "phone": None}
    pq.write_table(pa.Table.from_pylist([*rows, row], schema=contacts.schema), path)
    return row


def test_an_address_is_found_after_another_person_was_erased(
    house: House, reachable: dict[str, str], unreachable: dict[str, str]
) -> None:
    """What is landed is the only map of people without match keys: it must not go with others."""
    before = pq.read_table(raw_whole(house.lake, CONTACTS)).num_rows
    landed_at = raw_whole(house.lake, CONTACTS).stat().st_mtime
    manifest = read_manifest(raw_whole(house.lake, CONTACTS))
    erased(house, reachable["subject_id"])
    left = pq.read_table(raw_whole(house.lake, CONTACTS))
    assert 0 < left.num_rows < before
    assert raw_whole(house.lake, CONTACTS).stat().st_mtime == landed_at
    (old,), (new,) = manifest, read_manifest(raw_whole(house.lake, CONTACTS))
    gone = before - left.num_rows
    assert (new.rows_in, new.rows) == (old.rows_in, old.rows - gone)
    assert new.quarantined == old.quarantined | {"erased": gone}
    assert reachable["subject_id"] not in left["subject_id"].to_pylist()

    asked = Subjects(("un.reachable@example.com",))
    assert any("events" in place for place in erasure_search.remains(house.lake, RING, asked))
    erased(house, *asked.identifiers)
    assert erasure_search.remains(house.lake, RING, asked) == {}
    assert unreachable["subject_id"] not in str(house.rows(EVENTS))


def test_without_contacts_an_address_is_not_said_to_be_nobody_s(
    house: House, reachable: dict[str, str]
) -> None:
    asked = Subjects((reachable["email"].strip().lower(),))
    assert not needs_contacts(house.lake, RING, asked)
    shutil.copytree(house.lake.landing / CONTACTS, house.lake.root / "aside")
    shutil.rmtree(house.lake.landing / CONTACTS)
    assert needs_contacts(house.lake, RING, asked)
    assert not needs_contacts(house.lake, RING, Subjects((reachable["subject_id"],)))
    for ask in (
        lambda: erasure.request(house.lake, RING, asked, now=NOW, run_id="r"),
        lambda: erasure_search.remains(house.lake, RING, asked),
    ):
        with pytest.raises(MktError, match="cannot tell whose"):
            ask()
    assert erasure_list.records(house.lake) == []
    shutil.move(house.lake.root / "aside", house.lake.landing / CONTACTS)
    erased(house, *asked.identifiers)
    # who was found then is listed, so the same question has an answer without the contacts
    shutil.rmtree(house.lake.landing / CONTACTS)
    assert erasure_search.remains(house.lake, RING, asked) == {}
    erased(house, *asked.identifiers)


@pytest.mark.slow
@pytest.mark.parametrize("spelled", ["ef" * 32, "EF" * 32])
def test_a_hashed_login_brings_its_device(
    house: House, member: dict[str, str], spelled: str
) -> None:
    """The login is stored as its keyed stand-in: the identifier that people give finds it."""
    device = pseudonym(member["device"], RING.active)
    for day in house.DAYS:
        path = house.lake.partition(EVENTS, day)
        table = pq.read_table(path)
        rows = [
            row | {"login_key": stand_in("ef" * 32, RING.active)}
            if row["user_key"] == device
            else row
            for row in table.to_pylist()
        ]
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    subjects = Subjects((spelled,))
    assert erasure_search.remains(house.lake, RING, subjects)
    assert sum(erased(house, spelled).values()) > 0
    assert device not in str(house.rows(EVENTS))
    assert erasure_search.remains(house.lake, RING, subjects) == {}


def test_somebody_who_consents_anew_is_not_what_was_left(
    house: House, member: dict[str, str]
) -> None:
    erased(house, member["device"])
    path = house.lake.whole(CONSENT)
    log = pq.read_table(path)
    entry = log.to_pylist()[0] | {
        "user_key": pseudonym(member["device"], RING.active),
        "changed_at": datetime(2025, 3, 21, tzinfo=UTC),
    }
    pq.write_table(pa.Table.from_pylist([*log.to_pylist(), entry], schema=log.schema), path)
    assert erasure_search.remains(house.lake, RING, Subjects((member["device"],))) == {}
