"""Files are replaced whole or not at all, and a crash's leftovers are swept."""

from __future__ import annotations

import stat
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


def test_a_model_that_breaks_its_contract_is_not_written(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    good = pd.DataFrame({"name": ["a"], "seen": pd.Timestamp("2026-01-02"), "amount": [1.0]})
    lake.write_model(TABLE, good, "build-1")
    twice = pd.concat([good, good])
    with pytest.raises(MktError, match=r"insights/things: 1 keys .* the table before stays"):
        lake.write_model(TABLE, twice, "build-2")
    assert len(lake.read_model("insights/things")) == 1
    assert lake.build_of("insights/things") == "build-1"
    assert [path.name for path in lake.model("insights/things").parent.iterdir()] == [
        "things.parquet"
    ]


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
