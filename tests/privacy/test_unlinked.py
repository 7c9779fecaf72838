"""People whom a rotation cut off: found while their old key is live, and never said to be gone."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets import erase as erasing
from mkt_assets.ingest.sources import CONSENT, EVENTS, SampleSource, raw_whole
from mkt_assets.privacy import erasure, erasure_search, quiet, unlinked
from mkt_assets.privacy.late_denials import withdraw
from mkt_assets.privacy.policy import POLICY_V1, SIGNALS
from mkt_assets.privacy.pseudonyms import UNLINKED, Key, KeyRing, pseudonym, stand_in
from mkt_assets.privacy.rotation import rotate
from mkt_assets.privacy.stored_forms import forms, make_forms
from mkt_assets.privacy.subjects import Subjects

House = Any  # the fixtures' types live in conftest
Workplace = Any
OLD, NEW, NEWER = (Key(f"k{n}", bytes(range(9 * n, 9 * n + 32))) for n in range(1, 4))
NEW_ONLY = KeyRing((NEW,))
NOW = datetime(2025, 3, 20, 6, tzinfo=UTC)
BOTH = KeyRing((NEW, Key("k1", bytes(range(32)))))


@pytest.fixture
def cut_off(house: House) -> House:
    """A house whose people lost their identifiers in a rotation."""
    shutil.rmtree(house.lake.landing)
    rotate(house.lake, BOTH, land=lambda _: False, now=NOW, unlink=True)
    return house


def stored(house: House, name: str) -> int:
    found = 0
    for path in house.lake.guarded.glob("events/*/*.parquet"):
        told = pq.read_table(path, columns=["user_key", "login_key"])
        found += sum(name in pair.values() for pair in told.to_pylist())
    return found


def cut_name(identifier: str) -> str:
    return pseudonym(UNLINKED + pseudonym(identifier, BOTH.keys[1]), NEW)


def test_a_late_refusal_reaches_them(cut_off: House, member: dict[str, str]) -> None:
    house, name = cut_off, cut_name(member["device"])
    assert stored(house, name) > 0
    SampleSource(house.lake, house.settings, NOW.date()).land_consent(house.DAYS[-1])
    log = pq.read_table(house.lake.whole(CONSENT))
    entry = dict.fromkeys(SIGNALS, "denied") | {
        "user_key": pseudonym(member["device"], NEW),
        "changed_at": datetime(2025, 1, 1, tzinfo=UTC),
        "key_id": "k2",
    }
    pq.write_table(pa.Table.from_pylist([entry], schema=log.schema), house.lake.whole(CONSENT))
    with quiet.connect(house.lake.landing) as con:
        asked: dict[str, Any] = {"erased": None, "now": NOW}
        assert withdraw(con, house.lake, POLICY_V1, ring=NEW_ONLY, **asked) == {}
        assert withdraw(con, house.lake, POLICY_V1, ring=BOTH, **asked) != {}
    assert stored(house, name) == 0


def test_they_are_erased_while_the_old_key_is_live(cut_off: House, member: dict[str, str]) -> None:
    subjects = Subjects((member["device"],))
    assert erasure_search.remains(cut_off.lake, BOTH, subjects)
    told = erasure.request(cut_off.lake, BOTH, subjects, now=NOW, run_id="r")
    assert told["not_searched"] == []
    erasure.sweep(cut_off.lake, BOTH, now=NOW, subjects=subjects)
    assert stored(cut_off, cut_name(member["device"])) == 0
    assert erasure_search.remains(cut_off.lake, BOTH, subjects) == {}


def test_without_the_old_key_nobody_is_said_to_be_gone(
    cut_off: House, member: dict[str, str]
) -> None:
    lost = unlinked.unsearchable(cut_off.lake, NEW_ONLY)
    assert lost == ["consent_log", "contacts", *(f"events/{day}" for day in cut_off.DAYS)]
    assert unlinked.unsearchable(cut_off.lake, BOTH) == []
    told = erasure.request(
        cut_off.lake, NEW_ONLY, Subjects((member["device"],)), now=NOW, run_id="r"
    )
    assert told["not_searched"] == lost
    # a pseudonym as it is stored needs no key
    copied = Subjects((cut_name(member["device"]),))
    told = erasure.request(cut_off.lake, NEW_ONLY, copied, now=NOW, run_id="r")
    assert told["not_searched"] == []
    proof = erasing.Proof({}, lost)
    assert not proof.success
    assert "CANNOT TELL of 5 partitions" in proof.as_text()
    assert "Nothing is left" not in proof.as_text()
    closed = told | {"not_searched": lost, "completed_at": "now"}
    for is_here in (True, False):
        told_text = erasing.Told(success=False, record=closed, is_here=is_here).as_text()
        assert "CANNOT TELL of 5 partitions" in told_text
        assert "k1" not in told_text


@pytest.mark.slow
def test_what_is_guarded_again_is_searchable_again(cut_off: House) -> None:
    assert "Keep k1" in unlinked.warning(cut_off.lake)
    assert all(told.people > 0 < told.rows for told in unlinked.everything(cut_off.lake))
    cut_off.run(ring=NEW_ONLY)
    assert unlinked.everything(cut_off.lake) == []
    assert unlinked.warning(cut_off.lake) == ""


def test_a_second_rotation_makes_the_way_longer(cut_off: House, member: dict[str, str]) -> None:
    three = KeyRing((NEWER, *BOTH.keys))
    rotate(cut_off.lake, three, land=lambda _: False, now=NOW, unlink=True)
    chains = {chain for told in unlinked.everything(cut_off.lake) for chain in told.chains}
    assert chains == {("k1", "k2", "k3"), ("k2", "k3")}
    assert unlinked.unsearchable(cut_off.lake, KeyRing((NEWER, NEW))) != []
    subjects = Subjects((member["device"],))
    erasure.request(cut_off.lake, three, subjects, now=NOW, run_id="r")
    assert sum(erasure.sweep(cut_off.lake, three, now=NOW).values()) > 0
    assert not raw_whole(cut_off.lake, CONSENT).exists()
    assert stored(cut_off, pseudonym(UNLINKED + cut_name(member["device"]), NEWER)) == 0


def test_a_hashed_login_is_rotated_with_its_people(house: House) -> None:
    login, day = "cd" * 32, house.DAYS[0]
    for path, column in (
        (house.lake.partition(EVENTS, day), "login_key"),
        (house.lake.landed(EVENTS, day), "user_id"),
    ):
        rows = pq.read_table(path)
        value = stand_in(login, house.RING.active) if column == "login_key" else login
        told = [row | {column: value} for row in rows.to_pylist()]
        pq.write_table(pa.Table.from_pylist(told, schema=rows.schema), path)
    assert rotate(house.lake, BOTH, land=lambda _: False, now=NOW).left == {}
    assert stored(house, stand_in(login, NEW)) > 0


@given(
    identifiers=st.lists(
        st.sampled_from(["a", "A@x.com", " a@X.com ", "AB" * 32, "ab" * 32, "ü"]),
        min_size=1,
        unique=True,
    ),
    chains=st.lists(
        st.sampled_from([("k1", "k3"), ("k2", "k3"), ("k1", "k2", "k3"), ("k1", "k2")]),
        unique=True,
    ),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_sql_and_python_know_the_same_forms(
    workplace: Workplace, identifiers: list[str], chains: list[tuple[str, ...]]
) -> None:
    ring = KeyRing((NEWER, NEW, OLD))
    named = ", ".join(f"('{one}')" for one in identifiers)
    make_forms(
        workplace.con,
        identifiers=f"select raw from (values {named}) as t(raw)",
        key=NEWER,
        ring=ring,
        chains=chains,
        table="made",
    )
    found = set(workplace.con.execute("select user_key, form from made").fetchall())
    wanted = {
        (pseudonym(one, NEWER), form)
        for one in identifiers
        for key_id, form in forms(one, KeyRing((NEWER, NEW, OLD)), chains)
        if key_id == "k3"
    }
    assert found == wanted
