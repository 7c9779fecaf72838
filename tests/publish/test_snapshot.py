"""The published file is swapped whole; a failure of any kind leaves the last good one."""

from __future__ import annotations

import resource
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from mkt_assets.contracts import Column, Table
from mkt_assets.errors import MktError
from mkt_assets.lake import Lake
from mkt_assets.publish.snapshot import LINK, Publication, publish
from mkt_assets.warehouse import Build, fingerprint

MODEL = Table(
    "insights", "things", "Things.", ("name",), (Column("name", "VARCHAR", "Who's name."),)
)
MARTS = ["kpi_daily", "lineage_ledger"]
AT = datetime(2026, 1, 2, tzinfo=UTC)


def _built(root: Path, rows: int = 10) -> Lake:
    lake = Lake(root)
    lake.prepare()
    with duckdb.connect(str(lake.warehouse)) as con:
        con.execute("create schema if not exists marts")
        con.execute(
            "create or replace table marts.kpi_daily as "
            f"select i as day, (i * 1.5)::decimal(18, 4) as mark_spent from range({rows}) t(i)"
        )
        con.execute("create or replace table marts.lineage_ledger as select 'ln_1' as lineage_id")
        con.execute("comment on column marts.kpi_daily.mark_spent is 'Spend.'")
    lake.write_model(MODEL, pd.DataFrame({"name": ["a"]}), "build-1")
    return lake


def _said(lake: Lake) -> Publication:
    with duckdb.connect(str(lake.warehouse), read_only=True) as con:
        build = Build("build-1", {t: fingerprint(con, f"marts.{t}") for t in MARTS})
    return Publication("run-1", AT, build, {"ga4": "no events"})


def _publish(lake: Lake) -> Path:
    return publish(lake, MARTS, [MODEL], _said(lake)).path


def _rows(lake: Lake) -> int:
    with duckdb.connect(str(lake.serving / LINK), read_only=True) as con:
        found = con.execute("select count(*) from marts.kpi_daily").fetchone()
    assert found is not None
    return int(found[0])


def test_a_reader_sees_tables_comments_and_the_publication(tmp_path: Path) -> None:
    lake = _built(tmp_path)
    path = _publish(lake)
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert not Path(f"{path}.wal").exists()
    with duckdb.connect(str(lake.serving / LINK), read_only=True) as con:
        said = con.execute(
            "select run_id, build_id, lineage_ids, row_counts['kpi_daily'], absent['ga4'] "
            "from marts.publication"
        ).fetchall()
        comments = con.execute(
            "select comment from duckdb_columns() "
            "where comment is not null and table_name <> 'publication' order by 1"
        ).fetchall()
    assert said == [("run-1", "build-1", ["ln_1"], 10, "no events")]
    assert comments == [("Spend.",), ("Who's name.",)]


def test_the_file_is_in_a_format_that_older_clients_read(tmp_path: Path) -> None:
    lake = _built(tmp_path)
    _publish(lake)
    with duckdb.connect(str(lake.serving / LINK), read_only=True) as con:
        tags = con.execute(
            "select tags['storage_version'] from duckdb_databases() where not internal"
        ).fetchall()
    assert tags[0][0].startswith("v1.2.0")


def test_parquet_twins_hold_the_same_version(tmp_path: Path) -> None:
    lake = _built(tmp_path)
    path = _publish(lake)
    twins = lake.serving / "parquet" / path.stem
    assert {p.stem for p in twins.iterdir()} == {
        "kpi_daily",
        "lineage_ledger",
        "things",
        "publication",
    }


def test_the_last_three_versions_are_kept(tmp_path: Path) -> None:
    lake = _built(tmp_path)
    written = [_publish(lake) for _ in range(5)]
    assert sorted(lake.serving.glob("v-*.duckdb")) == written[-3:]
    assert {p.name for p in (lake.serving / "parquet").iterdir()} == {p.stem for p in written[-3:]}


def test_a_reader_of_an_older_version_is_not_disturbed(tmp_path: Path) -> None:
    lake = _built(tmp_path)
    _publish(lake)
    with duckdb.connect(str(lake.serving / LINK), read_only=True) as reader:
        _built(tmp_path, rows=20)
        _publish(lake)
        assert reader.execute("select count(*) from marts.kpi_daily").fetchone() == (10,)
    assert _rows(lake) == 20


def test_a_model_of_another_build_is_refused_and_the_last_good_file_stays(tmp_path: Path) -> None:
    lake = _built(tmp_path)
    _publish(lake)
    _built(tmp_path, rows=20)
    lake.write_model(MODEL, pd.DataFrame({"name": ["a"]}), "build-0")
    with pytest.raises(MktError, match=r"insights/things.*build-1"):
        _publish(lake)
    assert _rows(lake) == 10


def test_a_missing_model_is_refused_by_name(tmp_path: Path) -> None:
    lake = _built(tmp_path)
    lake.model("insights/things").unlink()
    with pytest.raises(MktError, match="not yet materialized: insights/things"):
        _publish(lake)


FULL_DISK = """
import resource, sys
from pathlib import Path
from datetime import UTC, datetime
from mkt_assets.lake import Lake
from mkt_assets.publish.snapshot import Publication, publish
from mkt_assets.warehouse import Build, fingerprint
import duckdb, signal
with duckdb.connect(str(Lake(Path(sys.argv[1])).warehouse), read_only=True) as con:
    prints = {t: fingerprint(con, f"marts.{t}") for t in ("kpi_daily", "lineage_ledger")}
build = Build("build-1", prints)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
publish(Lake(Path(sys.argv[1])), ["kpi_daily", "lineage_ledger"], [],
        Publication("run-2", datetime.now(UTC), build, {}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0, 4096, 300_000, 2_000_000])
def test_a_full_disk_while_writing_leaves_the_last_good_file(tmp_path: Path, limit: int) -> None:
    """A file-size limit makes every write beyond it fail, as a full disk does."""
    lake = _built(tmp_path)
    _publish(lake)
    with duckdb.connect(str(lake.warehouse)) as con:
        con.execute(
            "create or replace table marts.kpi_daily as "
            "select i as day, hash(i) as mark_spent from range(400_000) t(i)"
        )
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), str(limit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == before
    assert done.returncode != 0
    assert "Error" in done.stderr
    assert "MktError" not in done.stderr
    assert _rows(lake) == 10
    assert not list(lake.serving.glob(".writing-*"))
    assert not list((lake.serving / "parquet").glob(".writing-*"))
