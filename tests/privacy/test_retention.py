"""Raw files go when their time is over, and not before."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.lake import Lake
from mkt_assets.privacy.retention import purge, purge_logs

NOW = datetime(2025, 3, 20, 6, tzinfo=UTC)


@given(ages=st.lists(st.integers(0, 100), max_size=8), days=st.integers(1, 60))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_exactly_what_is_older_goes(tmp_path: Path, ages: list[int], days: int) -> None:
    lake = Lake(tmp_path)
    for number, age in enumerate(ages):
        path = lake.landing / "events" / f"event_date={number}" / "events.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
        landed = (NOW - timedelta(days=age)).timestamp()
        os.utime(path, (landed, landed))
    purged = purge(lake, days=days, now=NOW)
    old = sum(age > days for age in ages)
    assert (purged.files, purged.bytes, purged.kept) == (old, 5 * old, len(ages) - old)
    left = [p for p in lake.landing.rglob("*") if p.is_file()]
    assert len(left) == len(ages) - old
    assert all(any(folder.iterdir()) for folder in lake.landing.rglob("*") if folder.is_dir())
    assert purge(lake, days=days, now=NOW).files == 0
    for path in left:
        path.unlink()


def test_nothing_landed_is_nothing_purged(tmp_path: Path) -> None:
    assert purge(Lake(tmp_path), days=1, now=NOW).oldest is None


def test_logs_go_too_and_nothing_else_beside_them(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name, age in (("run-old.log", 91), ("run-new.log", 89), ("notes.txt", 400)):
        (logs / name).write_text("words")
        moment = (NOW - timedelta(days=age)).timestamp()
        os.utime(logs / name, (moment, moment))
    assert purge_logs(Lake(tmp_path), days=90, now=NOW) == 1
    assert sorted(p.name for p in logs.iterdir()) == ["notes.txt", "run-new.log"]
    assert purge_logs(Lake(tmp_path / "none"), days=90, now=NOW) == 0
