"""`mkt doctor`: each thing that can be wrong with an installation is found, with what to do."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from packaging.requirements import Requirement

from mkt_assets.data_directory import claim
from mkt_assets.doctor import Finding, examine
from mkt_assets.doctor.installation import _mismatch
from mkt_assets.lake import Lake
from mkt_assets.locks import exclusive
from mkt_assets.publish.snapshot import LINK
from mkt_assets.runner import _DAGSTER_YAML
from mkt_assets.settings import settings

REPOSITORY = Path(__file__).resolve().parents[1]
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PUBLISHED_AT = int(datetime(2026, 1, 5, 6, tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A data directory of the test's own, in which a first run has made the folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MKT_DATA_DIR", str(tmp_path / "data"))
    made = Lake(tmp_path / "data")
    made.prepare()
    return made


def seen(what: str, now: datetime = NOON) -> Finding:
    """The one finding of that name."""
    settings.cache_clear()
    (finding,) = [finding for finding in examine(now) if finding.what == what]
    assert bool(finding.remedy) == (finding.status != "ok")
    return finding


def is_unseen(what: str) -> bool:
    settings.cache_clear()
    return what not in {finding.what for finding in examine(NOON)}


def store_days(lake: Lake, *days: str) -> None:
    for day in days:
        lake.partition("events", date.fromisoformat(day)).parent.mkdir(parents=True)


def publish(lake: Lake, *, storage: str = "v1.2.0", release: str = "0.0.1") -> Path:
    """A version as a reader meets it."""
    path = lake.serving / f"v-{PUBLISHED_AT}.duckdb"
    with duckdb.connect() as con:
        con.execute(f"attach '{path}' as served (storage_version '{storage}')")
        con.execute("create schema served.marts")
        con.execute(
            "create table served.marts.publication as select timestamptz '2026-01-05 06:00Z' as "
            "published_at, map {'a': 1} as row_counts"
        )
        con.execute(f"create table served.marts.lineage_ledger as select '{release}' code_version")
    (lake.serving / LINK).symlink_to(path.name)
    return path


# --- days ---


@pytest.mark.parametrize(
    ("now", "zone", "behind"),
    [
        ("2026-01-05T00:00+00:00", "UTC", 0),
        ("2026-01-05T23:59+00:00", "UTC", 0),
        ("2026-01-06T00:00+00:00", "UTC", 1),
        ("2026-01-04T11:00+00:00", "Pacific/Auckland", 0),
        ("2026-01-06T04:59+00:00", "America/New_York", 0),
        ("2026-01-12T12:00+00:00", "UTC", 7),
    ],
)
def test_a_day_is_stale_when_it_is_over_in_the_property_s_zone(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, now: str, zone: str, behind: int
) -> None:
    monkeypatch.setenv("MKT_TIMEZONE", zone)
    store_days(lake, "2026-01-02", "2026-01-03", "2026-01-04")
    told = seen("partitions", datetime.fromisoformat(now))
    assert told.seen == f"3 days to 2026-01-04, 0 missing between, {behind} behind"
    assert told.status == ("warn" if behind else "ok")
    newest = date(2026, 1, 4) + timedelta(days=behind)
    assert told.remedy == (f"mkt run --from 2026-01-02 --to {newest}" if behind else "")


def test_a_missing_day_is_told(lake: Lake) -> None:
    store_days(lake, "2026-01-02", "2026-01-04")
    assert seen("partitions").seen == "2 days to 2026-01-04, 1 missing between, 0 behind"


def test_a_clock_that_stands_before_what_is_published_is_told(lake: Lake) -> None:
    publish(lake)
    assert seen("clock").status == "ok"
    assert seen("clock", NOON - timedelta(hours=6, minutes=1)).status == "ok"
    told = seen("clock", NOON - timedelta(days=1))
    assert (told.status, told.remedy[:24]) == ("fail", "set this machine's clock")
    assert "2026-01-04 12:00 UTC here, and a version of 2026-01-05 06:00 UTC" in told.seen


# --- what is published ---


def test_a_version_that_every_client_opens_is_healthy(lake: Lake) -> None:
    publish(lake)
    assert seen("published").seen == "1 tables, published 2026-01-05 06:00 UTC"
    assert all(map(is_unseen, ("format", "release", "wal")))


def test_a_version_in_a_format_that_older_clients_cannot_open_fails(lake: Lake) -> None:
    publish(lake, storage="latest")
    told = seen("format")
    assert told.status == "fail"
    assert "mkt run" in told.remedy


def test_a_version_of_a_newer_release_is_told(lake: Lake) -> None:
    publish(lake, release="99.1.0")
    told = seen("release")
    assert (told.status, "release 99.1.0 wrote" in told.seen) == ("warn", True)
    assert "upgrade" in told.remedy


def test_a_version_of_a_newer_duckdb_fails_with_both_ways_out(lake: Lake) -> None:
    path = publish(lake)
    content = bytearray(path.read_bytes())
    struct.pack_into("<Q", content, 12, 12_345)
    struct.pack_into("<Q", content, 0, _checksum(bytes(content[8:4096])))
    path.write_bytes(content)
    told = seen("published")
    assert told.status == "fail"
    assert f"written by a newer DuckDB than {duckdb.__version__}" in told.seen
    assert "upgrade this installation" in told.remedy
    assert "mkt run" in told.remedy


def _checksum(block: bytes) -> int:
    """DuckDB's own, of the first block."""
    told = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        told ^= word * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return told


def test_a_log_that_a_client_left_beside_a_version_is_told(lake: Lake) -> None:
    path = publish(lake)
    Path(f"{path}.wal").write_bytes(b"WAL")
    told = seen("wal")
    assert (told.status, told.seen) == ("warn", f"{path.name}.wal: a client left it")
    assert "read-only" in told.remedy


# --- the data directory ---


def test_data_of_another_property_fail(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_unseen("property")
    claim(lake, settings().identity)
    store_days(lake, "2026-01-04")
    assert seen("property").status == "ok"
    monkeypatch.setenv("MKT_TIMEZONE", "Europe/Berlin")
    told = seen("property")
    assert told.status == "fail"
    assert "timezone UTC there, Europe/Berlin here" in told.seen
    assert "MKT_DATA_DIR" in told.remedy


def test_a_run_under_way_is_named_and_its_files_are_no_leftovers(lake: Lake) -> None:
    (lake.guarded / ".writing-events.parquet").touch()
    with exclusive(lake.locks / "run.lock", "run 4ea37e1f", timeout=1):
        told = seen("lock")
    assert told.status == "ok"
    assert told.seen.startswith(f"held by run 4ea37e1f (process {os.getpid()}) since ")


def test_what_killed_runs_left_is_told_on_other_disks_too(lake: Lake, tmp_path: Path) -> None:
    lake.presence("any").parent.mkdir()
    lake.presence("4ea37e1f-0000").touch()
    (lake.locks / "run.lock").touch()
    elsewhere = tmp_path / "disk"
    elsewhere.mkdir()
    lake.serving.rmdir()
    lake.serving.symlink_to(elsewhere)
    (elsewhere / ".writing-v-1.duckdb").touch()
    told = seen("lock")
    assert (told.status, told.seen) == ("warn", "free, 1 leftovers, of killed runs: 4ea37e1f")


def test_a_program_that_has_the_warehouse_open_is_named(lake: Lake) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells who has a file open")
    duckdb.connect(str(lake.warehouse)).close()
    assert is_unseen("warehouse")
    wait = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", wait, str(lake.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as client:
        assert client.stdout is not None
        client.stdout.readline()
        told = seen("warehouse")
        client.kill()
    assert told.status == "warn"
    assert f"(process {client.pid})" in told.seen
    assert "mkt_bi.duckdb" in told.remedy


def test_a_data_directory_that_cannot_be_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MKT_DATA_DIR", str(tmp_path / "file" / "data"))
    told = seen("owner")
    assert (told.status, "is no folder" in told.seen) == ("fail", True)


def test_what_belongs_to_somebody_else_is_told_with_both_names(lake: Lake) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    assert seen("owner").status == "ok"
    os.chown(lake.serving, 65_534, -1)
    told = seen("owner")
    assert told.status == "warn"
    assert f"{lake.serving} belongs to" in told.seen
    assert "65534" in told.seen
    assert "run as the owner" in told.remedy


@pytest.mark.parametrize("place", ["keys", "erasures"])
def test_a_closed_area_that_is_open_fails(lake: Lake, place: str) -> None:
    assert is_unseen("closed")
    area = lake.closed(lake.root / place)
    inside = area / "a.json"
    inside.touch(mode=0o600)
    assert seen("closed").status == "ok"
    inside.chmod(0o640)
    told = seen("closed")
    assert told.status == "fail"
    assert f"{inside} has mode 0640" in told.seen
    assert f"chmod -R go-rwx {area}" in told.remedy


# --- the installation ---


def test_a_settings_file_with_secrets_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("MKT_LATE_DAYS=2\n")
    assert is_unseen("env_file")
    secret = "5a" * 32
    path.write_text(f"MKT_PII_KEYS='{json.dumps({'k1': secret})}'\n")
    path.chmod(0o600)
    assert seen("env_file").status == "ok"
    path.chmod(0o644)
    told = seen("env_file")
    assert (told.status, secret in str(told)) == ("fail", False)
    assert "MKT_PII_KEYS, mode 0644" in told.seen


@pytest.mark.parametrize("shipped", ["dagster.yaml", "deploy/dagster.yaml", "ours"])
def test_the_shipped_configurations_of_dagster_are_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped: str
) -> None:
    assert seen("dagster").status == "ok"
    content = _DAGSTER_YAML if shipped == "ours" else (REPOSITORY / shipped).read_text()
    (tmp_path / "dagster.yaml").write_text(content)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert seen("dagster").status == "ok"


@pytest.mark.parametrize(
    ("config", "status", "words"),
    [
        (None, "fail", "no dagster.yaml"),
        ("{", "fail", "cannot be read: ParserError"),
        ("", "warn", "do not wait for each other"),
        (_DAGSTER_YAML.replace("runs: 1", "runs: 5").replace("limit: 1", "limit: 2"), "warn", ""),
        (_DAGSTER_YAML.replace("runs: 1", "runs: 5"), "ok", "queue"),
        (_DAGSTER_YAML.replace("enabled: true", "enabled: false"), "warn", "are not noticed"),
    ],
)
def test_a_dagster_whose_runs_do_not_queue_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str | None, status: str, words: str
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    if config is not None:
        (tmp_path / "dagster.yaml").write_text(config)
    told = seen("dagster")
    assert told.status == status
    assert words in told.seen


@pytest.mark.parametrize("home", ["here", "/no/such/folder"])
def test_a_dagster_home_must_be_a_folder_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", home)
    assert (seen("dagster").status, repr(home) in seen("dagster").seen) == ("fail", True)


def test_packages_of_another_version_are_named() -> None:
    assert "does not fit <1" in _mismatch(Requirement("duckdb<1"))
    assert _mismatch(Requirement("no-such-package-anywhere>1")).endswith("is missing")
    assert _mismatch(Requirement("duckdb; python_version < '3'")) == ""
