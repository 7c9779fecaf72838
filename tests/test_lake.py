"""Files are replaced whole or not at all, and a crash's leftovers are swept."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from mkt_assets.contracts import Column, Table
from mkt_assets.errors import MktError
from mkt_assets.lake import Lake, replacing

TABLE = Table(
    "insights",
    "things",
    "Things.",
    ("name",),
    (
        Column("name", "VARCHAR", "Name."),
        Column("seen", "DATE", "Day."),
        Column("amount", "DOUBLE", "Money.", unit="currency", nullable=True),
    ),
)


def test_a_failed_write_leaves_the_old_file_and_no_leftover(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail_halfway() -> None:
        with replacing(target) as writing:
            writing.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail_halfway()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_landing_area_is_closed_to_others(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.prepare()
    assert stat.S_IMODE(lake.landing.stat().st_mode) == 0o700


def test_sweeping_removes_what_a_killed_run_left(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    good = lake.partition("events", date(2026, 1, 1))
    with replacing(good) as writing:
        writing.write_text("rows")
    (good.parent / ".writing-events.parquet").write_text("half")
    folder = lake.serving / ".writing-v-1"
    folder.mkdir(parents=True)
    assert lake.sweep() == 2
    assert good.is_file()
    assert not folder.exists()


def test_a_model_is_typed_by_its_contract_and_keeps_its_build(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    frame = pd.DataFrame(
        {
            "extra": [1],
            "name": ["a"],
            "seen": [pd.Timestamp("2026-01-02")],
            "amount": [float("nan")],
        }
    )
    lake.write_model(TABLE, frame, "build-1")
    back = lake.read_model("insights/things")
    assert list(back.columns) == ["name", "seen", "amount"]
    assert back["amount"].isna().all()
    assert lake.build_of("insights/things") == "build-1"


def test_the_same_model_twice_is_the_same_bytes(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    frame = pd.DataFrame({"name": ["a", "b"], "seen": pd.Timestamp("2026-01-02"), "amount": 1.0})
    first = lake.write_model(TABLE, frame, "b").read_bytes()
    assert lake.write_model(TABLE, frame, "b").read_bytes() == first


def test_a_model_without_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MktError, match="amount"):
        Lake(tmp_path).write_model(TABLE, pd.DataFrame({"name": ["a"], "seen": [None]}), "b")


def test_reading_a_model_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MktError, match="materialize it first"):
        Lake(tmp_path).read_model("insights/things")


def test_a_linked_folder_on_another_disk_is_swept_too(tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "data"
    elsewhere.mkdir()
    root.mkdir()
    (root / "landing").symlink_to(elsewhere)
    (elsewhere / ".writing-events.parquet").write_text("half")
    lake = Lake(root)
    lake.prepare()
    assert lake.sweep() == 1
    assert list(elsewhere.iterdir()) == []
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700


def test_new_folders_are_on_the_disk_before_the_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        "mkt_assets.lake.sync", lambda path: synced.append(str(path.relative_to(tmp_path)))
    )
    with replacing(tmp_path / "a" / "b" / "c.txt") as writing:
        writing.write_text("new")
    assert synced == ["a", ".", "a/b/.writing-c.txt", "a/b"]


def _damaged(lake: Lake, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"n": range(100)}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    return path


@pytest.mark.parametrize("table", ["events", "lineage_ledger", "consent_log"])
def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path, table: str) -> None:
    lake, day = Lake(tmp_path), date(2026, 1, 2)
    good = lake.partition("events", date(2026, 1, 1))
    good.parent.mkdir(parents=True)
    pd.DataFrame({"n": [1]}).to_parquet(good)
    lake.refuse_damaged([])
    path = _damaged(lake, lake.partition(table, day, "lines"))
    with pytest.raises(MktError, match=rf"lake/{table}/event_date=2026-01-02/lines.*mkt run"):
        lake.refuse_damaged([day])
    assert path.exists()


@pytest.mark.parametrize("left", [0, 3, 8, 100])
def test_what_the_run_makes_anew_may_be_damaged(tmp_path: Path, left: int) -> None:
    lake, day = Lake(tmp_path), date(2026, 1, 2)
    for path in (lake.partition("events", day), lake.model("insights/things")):
        path.write_bytes(_damaged(lake, path).read_bytes()[:left])
    lake.refuse_damaged([day])
    with pytest.raises(MktError, match=r"1 files in all"):
        lake.refuse_damaged([date(2026, 1, 3)])


def test_two_properties_do_not_share_a_data_directory(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    made_up = {"source": "sample", "timezone": "UTC"}
    lake.claim(made_up)
    lake.claim(made_up)
    with pytest.raises(MktError, match=r"source sample there, files here.*MKT_DATA_DIR"):
        lake.claim({"source": "files", "timezone": "UTC"})
    with pytest.raises(MktError, match="timezone UTC there, Europe/Berlin here"):
        lake.claim({"source": "sample", "timezone": "Europe/Berlin"})


def _as_nobody(work: Callable[[], object]) -> str:
    """What ``work`` is refused with when another user does it."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else for a moment")
    os.setresuid(65_534, 65_534, 0)
    try:
        work()
    except MktError as error:
        return str(error)
    finally:
        os.setresuid(0, 0, 0)
    return ""


def _open_to_all(place: Path) -> Lake:
    """A data directory on a path that every user may walk."""
    for folder in (place, *place.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    return Lake(place)


@pytest.mark.parametrize("theirs", [".", "lake", "locks/run.lock"])
def test_a_data_directory_of_somebody_else_is_refused_with_words(
    tmp_path: Path, theirs: str
) -> None:
    lake = _open_to_all(tmp_path)
    lake.prepare()
    lake.locks.joinpath("run.lock").touch()
    for place in (tmp_path, *tmp_path.rglob("*")):
        os.chown(place, 65_534, -1)
    assert _as_nobody(lake.refuse_unusable) == ""
    os.chown(tmp_path / theirs, 0, -1)
    said = _as_nobody(lake.refuse_unusable)
    assert f"{tmp_path / theirs} cannot be written by user 65534: it belongs to user 0" in said
    assert "MKT_DATA_DIR" in said


def test_a_data_directory_that_cannot_be_made_is_refused_with_words(tmp_path: Path) -> None:
    there = _open_to_all(tmp_path)
    tmp_path.chmod(0o755)
    assert "cannot be written by user" in _as_nobody(Lake(there.root / "data").refuse_unusable)
    (tmp_path / "file").touch()
    with pytest.raises(MktError, match="no folder: set MKT_DATA_DIR"):
        Lake(tmp_path / "file" / "data").refuse_unusable()
    Lake(tmp_path / "data").refuse_unusable()
