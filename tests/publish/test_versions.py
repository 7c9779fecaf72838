"""Which versions of the published file stay, whoever has them open and whatever the clock says."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake, replacing
from mkt_assets.publish.snapshot import LINK, Publication, publish
from mkt_assets.warehouse import Build, Warehouse

MARTS = ["kpi_daily"]
CLIENT = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
if sys.argv[2] == "write":
    con.execute("insert into marts.kpi_daily values (-1)")
print("open", flush=True)
sys.stdin.read(1)
print(con.execute("select count(*) from marts.kpi_daily").fetchone()[0])
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    lake.prepare()
    _build(lake, 1)
    return lake


def _build(lake: Lake, rows: int) -> Build:
    with duckdb.connect(str(lake.warehouse)) as con:
        con.execute("create schema if not exists marts")
        con.execute(
            f"create or replace table marts.kpi_daily as select * from range({rows}) t(day)"
        )
    warehouse = Warehouse(database=str(lake.warehouse))
    warehouse.stamp_build()
    return warehouse.build()


def _publish(lake: Lake) -> Path:
    build = Warehouse(database=str(lake.warehouse)).build()
    return publish(lake, MARTS, [], Publication("run", datetime.now(UTC), build, {})).path


def _versions(lake: Lake) -> list[Path]:
    return sorted(lake.serving.glob("v-*.duckdb"))


def _twins(lake: Lake) -> list[str]:
    return sorted(p.name for p in (lake.serving / "parquet").iterdir())


def _rows(path: Path) -> int:
    with duckdb.connect(str(path), read_only=True) as con:
        ((rows,),) = con.execute("select count(*) from marts.kpi_daily").fetchall()
    return int(rows)


@contextmanager
def _client(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(path), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_version_that_a_reader_has_open_stays_with_its_twins(lake: Lake) -> None:
    first = _publish(lake)
    with _client(lake.serving / LINK, "read") as reader:
        written = [_publish(lake) for _ in range(4)]
        assert _versions(lake) == [first, *written[-3:]]
        assert _twins(lake) == [p.stem for p in (first, *written[-3:])]
        assert reader.communicate("x")[0] == "1\n"
    last = _publish(lake)
    assert _versions(lake) == [*written[-2:], last]


def test_after_an_erasure_no_older_version_stays_not_even_an_open_one(lake: Lake) -> None:
    first = _publish(lake)
    _publish(lake)
    lake.outdated.touch()
    with _client(first, "read") as reader:
        last = _publish(lake)
        assert _versions(lake) == [last]
        assert _twins(lake) == [last.stem]
        # what it has open it may read on
        assert reader.communicate("x")[0] == "1\n"
    assert not lake.outdated.exists()


def test_a_clock_that_was_put_back_neither_hides_nor_keeps_a_version(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [_publish(lake) for _ in range(3)]
    monkeypatch.setattr(time, "time_ns", lambda: 1_000)
    after = [_publish(lake) for _ in range(2)]
    assert (lake.serving / LINK).resolve() == after[-1]
    assert _versions(lake) == [before[-1], *after]
    lake.outdated.touch()
    last = _publish(lake)
    assert _versions(lake) == [last]


def test_a_version_that_was_never_linked_does_not_take_a_good_ones_place(lake: Lake) -> None:
    """As `kill -9` leaves it between the rename of the file and the swap of the link."""
    first, second = _publish(lake), _publish(lake)
    dead = lake.serving / f"v-{time.time_ns()}.duckdb"
    dead.write_bytes(b"")
    (lake.serving / "parquet" / dead.stem).mkdir()
    third = _publish(lake)
    fourth = _publish(lake)
    assert third.stem > dead.stem
    assert _versions(lake) == [second, third, fourth]
    assert not first.exists()


@pytest.mark.parametrize("swept", ["by the next run", "by the next publication"])
def test_a_client_that_writes_by_mistake_and_crashes_is_undone(lake: Lake, swept: str) -> None:
    """Where file modes do not stop it, as for root."""
    path = _publish(lake)
    path.chmod(0o644)
    with _client(path, "write") as client:
        wal = Path(f"{path}.wal")
        assert wal.exists()
        # not from under a client that is still there
        lake.sweep()
        assert wal.exists()
        client.kill()
        client.wait()
    assert _rows(lake.serving / LINK) == 2
    if swept == "by the next run":
        lake.sweep()
    else:
        _publish(lake)
        lake.sweep()
    assert _rows(lake.serving / LINK) == 1
    assert list(lake.serving.glob("*.wal")) == []


def test_a_client_that_has_the_version_open_for_writing_does_not_stop_the_next(lake: Lake) -> None:
    path = _publish(lake)
    path.chmod(0o644)
    with _client(path, "write"):
        _build(lake, 5)
        _publish(lake)
        assert _rows(lake.serving / LINK) == 5


def test_nobody_but_root_can_write_to_a_version(lake: Lake) -> None:
    assert _publish(lake).stat().st_mode & 0o222 == 0


def test_marts_that_the_build_does_not_know_are_not_published(lake: Lake) -> None:
    """As dbt leaves them that was run by hand: the models were computed from other rows."""
    _publish(lake)
    with duckdb.connect(str(lake.warehouse)) as con:
        con.execute("update marts.kpi_daily set day = 7")
    with pytest.raises(MktError, match=r"marts\.kpi_daily .* not those of build .*Materialize"):
        _publish(lake)
    assert _rows(lake.serving / LINK) == 1
    assert len(_versions(lake)) == 1


def test_each_step_is_on_the_disk_before_the_next_points_to_it(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut at any moment: files before their names, names before the link."""
    from mkt_assets.publish import snapshot

    steps: list[str] = []
    sync, replace = snapshot.sync, Path.replace

    def noted(path: Path) -> None:
        steps.append(f"sync {path.relative_to(lake.root)}")
        sync(path)

    def moved(path: Path, target: Path) -> Path:
        steps.append(f"to {target.relative_to(lake.root)}")
        return replace(path, target)

    monkeypatch.setattr(snapshot, "sync", noted)
    monkeypatch.setattr(Path, "replace", moved)
    version = _publish(lake).stem
    told = [s.replace(version, "V").replace(".writing-", "") for s in steps]
    assert told == [
        "sync serving/parquet/V/kpi_daily.parquet",
        "sync serving/parquet/V/publication.parquet",
        "sync serving/parquet/V",
        "sync serving/V.duckdb",
        "to serving/parquet/V",
        "sync serving/parquet",
        "to serving/V.duckdb",
        "sync serving",
        f"to serving/{LINK}",
        "sync serving",
    ]


def test_a_version_of_a_newer_duckdb_is_left_alone_and_the_next_stands_beside_it(
    lake: Lake,
) -> None:
    """As an installation that was put back to an older release finds it."""
    newer = _publish(lake)
    content = bytearray(newer.read_bytes())
    content[12:20] = (12_345).to_bytes(8, "little")
    newer.chmod(0o644)
    newer.write_bytes(content)
    ours = _publish(lake)
    assert (lake.serving / LINK).resolve() == ours
    assert _rows(lake.serving / LINK) == 1
    assert newer.read_bytes() == content


def test_each_folder_may_be_on_a_disk_of_its_own(tmp_path: Path) -> None:
    """Nothing is renamed from one folder of the data directory to another."""
    shared_memory = Path("/dev/shm")
    if not (shared_memory.is_dir() and shared_memory.stat().st_dev != tmp_path.stat().st_dev):
        pytest.skip("there is no second disk here")
    with tempfile.TemporaryDirectory(dir=shared_memory) as disk:
        there = Lake(tmp_path / "data")
        there.root.mkdir()
        for folder in ("serving", "warehouse", "lake"):
            (Path(disk) / folder).mkdir()
            (there.root / folder).symlink_to(Path(disk) / folder)
        there.prepare()
        _build(there, 3)
        with replacing(there.partition("events", date(2026, 1, 2))) as writing:
            writing.write_text("rows")
        versions = [_publish(there) for _ in range(5)]
        assert _rows(there.serving / LINK) == 3
        assert _versions(there) == versions[-3:]
        assert there.partition("events", date(2026, 1, 2)).read_text() == "rows"
        assert there.sweep() == 0
