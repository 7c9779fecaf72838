"""Key rotation on a real lake: other keys, the same people, and a kill changes nothing."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pyarrow.parquet as pq
import pytest

from mkt_assets.errors import MktError
from mkt_assets.ingest.sources import CONSENT, EVENTS, SampleSource, raw_whole
from mkt_assets.privacy import erasure, erasure_search, vault
from mkt_assets.privacy.erasure_list import listed
from mkt_assets.privacy.ledger import unbalanced
from mkt_assets.privacy.pseudonyms import Key, KeyRing, pseudonym
from mkt_assets.privacy.rotation import Rotated, rotate
from mkt_assets.privacy.subjects import Subjects

House = Any  # the fixture's type lives in conftest
OLD, NEW = Key("k1", bytes(range(32))), Key("k2", bytes(range(9, 41)))
NOW = datetime(2025, 3, 20, 6, tzinfo=UTC)
BOTH, ALONE = KeyRing((NEW, OLD)), KeyRing((NEW,))


def no_source(_: date | None) -> bool:
    return False


def turned(house: House, *, unlink: bool = False, land: Any = no_source) -> Rotated:
    return rotate(house.lake, BOTH, land=land, now=NOW, unlink=unlink)


def events(house: House) -> Counter[str]:
    """Stored events but for what is made from keys and rows of one run."""
    rows: Counter[str] = Counter()
    for path in sorted(house.lake.guarded.glob("events/*/*.parquet")):
        told = pq.read_table(path).drop_columns(["event_key", "processed_at"]).to_pylist()
        rows.update(str(sorted(row.items())) for row in told)
    return rows


def ledger(house: House) -> list[Any]:
    lines = []
    for path in sorted(house.lake.guarded.glob("lineage_ledger/*/*.parquet")):
        lines += pq.read_table(path).drop_columns(["processed_at"]).to_pylist()
    return lines


@pytest.mark.slow
def test_it_ends_where_a_guard_with_the_new_key_would(
    house: House, copied: Callable[[str], House]
) -> None:
    wanted = copied("wanted")
    shutil.rmtree(wanted.lake.guarded)
    shutil.rmtree(wanted.lake.vault)
    wanted.run(ring=ALONE)
    done = turned(house)
    assert done.left == {}
    assert len(done.done) == len(house.DAYS) + 2
    assert [rows.to_pylist() for rows in vault.everything(house.lake)] == [
        rows.to_pylist() for rows in vault.everything(wanted.lake)
    ]
    assert events(house) == events(wanted)
    assert ledger(house) == ledger(wanted)
    one, other = (pq.read_table(h.lake.whole(CONSENT)).to_pylist() for h in (house, wanted))
    assert one == other
    for day in house.DAYS:
        keys = pq.read_table(house.lake.partition(EVENTS, day))["event_key"].to_pylist()
        assert len(set(keys)) == len(keys)
    assert unbalanced(house.lake) == []


@pytest.mark.slow
def test_the_old_key_may_go_and_nothing_of_it_is_left(house: House, member: dict[str, str]) -> None:
    turned(house)
    names = {pseudonym(name, OLD).encode() for name in member.values()}
    for path in house.lake.guarded.rglob("*.parquet"):
        content = str(pq.read_table(path).to_pylist()).encode()
        assert not any(name in content for name in names)
    assert rotate(house.lake, ALONE, land=no_source, now=NOW) == Rotated()
    house.run(ring=ALONE)


def test_a_second_time_changes_no_byte(house: House) -> None:
    turned(house)
    before = {p: p.read_bytes() for p in house.lake.guarded.rglob("*.parquet")}
    assert turned(house) == Rotated()
    assert {p: p.read_bytes() for p in house.lake.guarded.rglob("*.parquet")} == before


@pytest.mark.slow
def test_wherever_it_is_cut_it_goes_on(
    copied: Callable[[str], House], cut: Callable[..., bool]
) -> None:
    undisturbed = copied("undisturbed")
    turned(undisturbed)
    wanted, told = events(undisturbed), ledger(undisturbed)
    cuts = 0
    for writes in range(100):
        house = copied(f"cut-{writes}")
        if not cut(writes, partial(turned, house)):
            break
        cuts += 1
        house.lake.sweep()
        turned(house)
        assert events(house) == wanted, writes
        assert ledger(house) == told, writes
        shutil.rmtree(house.lake.root)
    assert cuts > 8, "the rotation was never cut: the test no longer sees its writes"


def test_a_purged_day_is_asked_of_the_source_again_and_dropped(house: House) -> None:
    shutil.rmtree(house.lake.landing / EVENTS)
    shutil.rmtree(house.lake.landing / CONSENT)
    shutil.rmtree(house.lake.landing / "contacts")
    source = SampleSource(house.lake, house.settings, date(2025, 3, 20))
    asked: list[date | None] = []

    def land(day: date | None) -> bool:
        asked.append(day)
        source.land_events([day]) if day else source.land_consent(house.DAYS[-1])
        return True

    assert turned(house, land=land).left == {}
    assert asked == [None, *house.DAYS]
    assert [p for p in house.lake.landing.rglob("*.parquet") if "quarantine" not in str(p)] == []


@pytest.mark.slow
def test_people_without_identifiers_wait_or_are_cut_off(
    house: House, member: dict[str, str]
) -> None:
    shutil.rmtree(house.lake.landing / EVENTS)
    shutil.rmtree(house.lake.landing / CONSENT)
    shutil.rmtree(house.lake.landing / "contacts")
    before = events(house)
    waiting = turned(house)
    assert (waiting.done, len(waiting.left)) == ([], len(house.DAYS) + 2)
    assert events(house) == before
    done = turned(house, unlink=True)
    assert done.left == {}
    assert done.unlinked >= sum(waiting.left.values()) > 0
    keys = set()
    for path in house.lake.guarded.glob("events/*/*.parquet"):
        keys |= set(pq.read_table(path)["user_key"].to_pylist())
    assert pseudonym(member["device"], NEW) not in keys
    told = Subjects((member["device"],))
    erasure.request(house.lake, BOTH, told, now=NOW, run_id="r")
    assert sum(erasure.sweep(house.lake, BOTH, now=NOW).values()) > 0
    assert len(keys) == len({row.split("'user_key', '")[1][:64] for row in before})


@pytest.mark.slow
def test_erased_people_stay_out_under_the_new_key(house: House, member: dict[str, str]) -> None:
    subjects = Subjects((member["device"],))
    erasure.request(house.lake, KeyRing((OLD,)), subjects, now=NOW, run_id="r")
    erasure.sweep(house.lake, KeyRing((OLD,)), now=NOW)
    with pytest.raises(MktError, match="'k1', which is not among the keys"):
        listed(house.lake, ALONE)
    house.run()  # what the source sends lies in the landing area until the sweep
    turned(house)
    assert listed(house.lake, ALONE) is not None
    house.run(ring=ALONE)
    erasure.sweep(house.lake, ALONE, now=NOW, days=house.DAYS)
    assert erasure_search.remains(house.lake, ALONE, subjects) == {}
    assert not raw_whole(house.lake, CONSENT).exists()


def test_a_key_that_is_gone_is_refused_by_name(house: House) -> None:
    with pytest.raises(MktError, match="key id 'k1', which is not among the keys"):
        rotate(house.lake, ALONE, land=no_source, now=NOW)
