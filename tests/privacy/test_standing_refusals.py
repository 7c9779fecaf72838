"""Asking to be erased never turns a No into a Yes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.ingest.sources import CONSENT
from mkt_assets.privacy import erasure, erasure_list
from mkt_assets.privacy.erasure_list import Listed, Name, listed
from mkt_assets.privacy.guard_consent import guard_consent
from mkt_assets.privacy.policy import SIGNALS
from mkt_assets.privacy.pseudonyms import Key, KeyRing, pseudonym
from mkt_assets.privacy.standing_refusals import refused_before
from mkt_assets.privacy.subjects import Subjects

House = Any  # the fixtures' types live in conftest
Workplace = Any
KEY = Key("k1", bytes(range(32)))
RING = KeyRing((KEY,))
NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
ERASED_AT = NOON - timedelta(hours=2)
DEVICE, LOGIN = "device-1", "login-1"
WORDS = st.sampled_from(["granted", "denied", None, "maybe"])
LOGS = st.lists(
    st.tuples(st.sampled_from([DEVICE, LOGIN]), st.integers(1, 5), WORDS),
    max_size=6,
    unique_by=lambda entry: entry[:2],
)
#: what the log says of one person, and by which names the person was erased
CASES = st.tuples(LOGS, st.sampled_from([[DEVICE], [LOGIN], [DEVICE, LOGIN]]))


def standing(workplace: Workplace, names: list[str]) -> Listed:
    """A list with these people on it, who refused nothing as far as the request knew."""
    path = workplace.folder / "standing.parquet"
    rows = [
        {"key_id": "k1", "pseudonym": pseudonym(name, KEY), "erased_at": ERASED_AT, "refused": []}
        for name in names
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=erasure_list.SCHEMA), path)
    return Listed(path, (KEY,))


@pytest.mark.slow
@given(cases=st.lists(CASES, min_size=1, max_size=8))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_kept_of_the_erased_would_be_kept_of_anybody(
    workplace: Workplace, cases: list[tuple[list[Any], list[str]]]
) -> None:
    """An event after the erasure says Yes; the log says what it says, late or not.

    Each case has a person of its own: guarded side by side they cost what one does.
    """
    entries = [
        (f"{name}-{case}", NOON - timedelta(hours=hours), None, word, None, None)
        for case, (log, _) in enumerate(cases)
        for name, hours, word in log
    ]
    workplace.log(entries)
    events = [
        workplace.event(user_pseudo_id=f"{DEVICE}-{case}", user_id=f"{LOGIN}-{case}")
        for case in range(len(cases))
    ]
    workplace.guard(events)
    otherwise = {row["user_key"] for row in workplace.kept("user_key")}

    who = [f"{name}-{case}" for case, (_, names) in enumerate(cases) for name in names]
    erased = standing(workplace, who)
    raw = workplace.folder / "log.parquet"
    learned = refused_before(workplace.con, raw=raw, erased=erased, key=KEY)
    rows = pq.read_table(erased.path).to_pylist()
    told = [row | {"refused": learned.get(row["pseudonym"], [])} for row in rows]
    pq.write_table(pa.Table.from_pylist(told, schema=erasure_list.SCHEMA), erased.path)
    guard_consent(workplace.con, raw=raw, out=workplace.consent, key=KEY, erased=erased)
    stored = workplace.read(workplace.consent)
    names = {pseudonym(name, KEY) for name in who}
    assert [r for r in stored if r["user_key"] in names and r["changed_at"] <= ERASED_AT] == []
    workplace.guard(events, erased=erased)
    assert {row["user_key"] for row in workplace.kept("user_key")} <= otherwise


def enter(house: House, key: str, at: datetime, word: str) -> None:
    """Another entry in the guarded log."""
    path = house.lake.whole(CONSENT)
    log = pq.read_table(path)
    others = [row for row in log.to_pylist() if row["user_key"] != key]
    entry = dict.fromkeys(SIGNALS, word) | {"user_key": key, "changed_at": at, "key_id": "k1"}
    pq.write_table(pa.Table.from_pylist([*others, entry], schema=log.schema), path)


@pytest.mark.parametrize("word", ["granted", "denied"])
def test_the_request_notes_what_was_refused(
    house: House, member: dict[str, str], word: str
) -> None:
    """The source may forget the person: what stood when it was asked for is enough."""
    key = pseudonym(member["device"], KEY)
    early = datetime(2025, 3, 1, tzinfo=UTC)
    enter(house, key, early, word)
    now = datetime(2025, 3, 20, tzinfo=UTC)
    subjects = Subjects((member["device"],))
    refused = sorted(SIGNALS) if word == "denied" else []
    # a second request, after the log is without them, must not forget
    for hours in (0, 1):
        at = now + timedelta(hours=hours)
        erasure.request(house.lake, RING, subjects, now=at, run_id="r")
        erasure.sweep(house.lake, RING, now=at)
        rows = erasure_list.read(house.lake).to_pylist()
        assert [row["refused"] for row in rows if row["pseudonym"] == key] == [refused]
    # a grant of later is heeded, and noted by the next request
    enter(house, key, now + timedelta(hours=2), "granted")
    erasure.request(house.lake, RING, subjects, now=now + timedelta(hours=3), run_id="r")
    rows = erasure_list.read(house.lake).to_pylist()
    assert [row["refused"] for row in rows if row["pseudonym"] == key] == [[]]


def test_a_refusal_that_comes_late_is_added_and_none_taken_back(house: House) -> None:
    names = [Name("k1", "a" * 64, "a" * 64), Name("k1", "b" * 64, "b" * 64)]
    erasure_list.add(house.lake, "er_1", names, NOON, {"a" * 64: ["ad_storage"]})
    erasure_list.refuse(house.lake, {"a" * 64: ["ad_user_data"], "c" * 64: ["ad_storage"]})
    told = {
        row["pseudonym"][0]: row["refused"] for row in erasure_list.read(house.lake).to_pylist()
    }
    assert told == {"a": ["ad_storage", "ad_user_data"], "b": []}
    assert listed(house.lake, RING) is not None


@pytest.mark.slow
def test_a_refusal_in_the_source_s_log_is_learned_by_the_next_run(house: House) -> None:
    """The list knew of none; the entries themselves stay out as before."""
    denied = "analytics_storage"
    log = pq.read_table(house.lake.whole(CONSENT)).to_pylist()
    last = {row["user_key"]: row for row in log}  # ordered by time
    key = next(name for name, row in sorted(last.items()) if row[denied] == "denied")
    later = datetime(2025, 3, 20, tzinfo=UTC)
    erasure_list.add(house.lake, "er_1", [Name("k1", key, key)], later)
    house.run()
    (row,) = erasure_list.read(house.lake).to_pylist()
    assert denied in row["refused"]
    assert key not in str(house.rows(CONSENT))
