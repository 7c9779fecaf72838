"""Two runs that start at the same moment, a reader who never stops asking, and a backup."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mkt_assets.warehouse import fingerprint, mart_tables

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
#: what a second run of the same days leaves as it is
KEPT = ("landing", "lake", "vault", "keys")
SMALL = {"MKT_SAMPLE_EVENTS_PER_DAY": "200"}
RANGE = ("--from", "2025-03-03", "--to", "2025-03-08")

#: a BI tool that opens the published file anew for each question, until it is told to stop
READER = """
import json, pathlib, sys, time
import duckdb

link, stop, told = map(pathlib.Path, sys.argv[1:])
reads, faults, versions = 0, [], []
while not stop.exists():
    time.sleep(0.02)
    if not link.is_symlink():
        continue
    try:
        with duckdb.connect(str(link), read_only=True) as con:
            run, counts = con.execute("select run_id, row_counts from marts.publication").fetchone()
            for table, announced in counts.items():
                actual = con.execute(f"select count(*) from marts.{table}").fetchone()[0]
                if actual != announced:
                    faults.append(f"{run}: {table} has {actual} rows, {announced} were announced")
            after = con.execute("select run_id from marts.publication").fetchone()[0]
            if after != run:
                faults.append(f"{run} became {after} while it was read")
        reads += 1
        if run not in versions:
            versions.append(run)
    except Exception as error:
        faults.append(repr(error))
told.write_text(json.dumps({"reads": reads, "faults": faults, "versions": versions}))
"""


def step(name: str) -> str:
    """The commands of the runbook that begin with this comment."""
    found = re.search(rf"```sh\n# {name}:.*?\n(.*?)```", RUNBOOK.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def places(home: Path, data: Path) -> dict[str, str]:
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MKT_", "DAGSTER_"))}
    archive = str(home / "backup.tar")
    return kept | SMALL | {"PATH": programs, "DATA": str(data), "BACKUP": archive}


@pytest.fixture(scope="module")
def both(once: Callable[..., Told], product: Product, wait_for: Callable[[Any], Told]) -> Told:
    """Two runs of an empty folder at once, beside a reader and a backup by the runbook."""

    def make(home: Path) -> Told:
        there = product(home, SMALL)
        stop, told = home / "stop", home / "reader.json"
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, there.lake.serving / "mkt_bi.duckdb", stop, told]
        )
        try:
            started = [there.start("mkt", "run", *RANGE) for _ in range(2)]
            while not (there.lake.landing / "events").exists():
                assert started[0].poll() is None or started[1].poll() is None
                time.sleep(0.1)
            backup = subprocess.Popen(["sh", "-c", step("backup")], env=places(home, there.data))
            runs = [wait_for(process) for process in started]
            backup.wait(timeout=600)
            stop.touch()
            reader.wait(timeout=60)
        finally:
            reader.kill()
        read = json.loads(told.read_text())
        return {"runs": runs, "reader": read, "backup": backup.returncode}

    return once("two-runs", make)


def test_both_succeed_one_after_the_other(both: Told) -> None:
    assert [run["code"] for run in both["runs"]] == [0, 0], both["runs"]
    waited = [run for run in both["runs"] if "waiting for" in run["out"]]
    assert len(waited) == 1
    # who waits says so before doing anything, and names whom
    before_first_asset = waited[0]["out"].split("  ok  ")[0]
    assert re.search(r"waiting for run \w{8} \(process \d+\)", before_first_asset)


def test_the_reader_never_sees_an_error_or_a_torn_version(both: Told) -> None:
    reader = both["reader"]
    assert reader["faults"] == []
    assert len(reader["versions"]) == 2
    assert reader["reads"] > 20


def test_both_published_the_same_tables(both: Told, product: Product) -> None:
    there = product(both["home"], SMALL)
    versions = sorted(there.lake.serving.glob("v-*.duckdb"))
    assert len(versions) == 2
    assert there.published == versions[-1]
    prints = []
    for version in versions:
        with there.reader(version) as con:
            prints.append({t: fingerprint(con, f"marts.{t}") for t in mart_tables(con)})
    for table in prints[0].keys() - {"publication"}:
        assert prints[0][table] == prints[1][table], table


def test_nothing_half_written_is_left(both: Told, product: Product) -> None:
    there = product(both["home"], SMALL)
    left = [
        p for p in there.data.rglob("*") if p.name.startswith(".writing-") or p.suffix == ".wal"
    ]
    assert left == []


def test_a_backup_made_while_runs_work_is_of_one_moment_and_restores(
    both: Told, product: Product, tmp_path: Path
) -> None:
    assert both["backup"] == 0
    there, back = product(both["home"], SMALL), product(tmp_path, SMALL)
    done = subprocess.run(
        ["sh", "-e", "-c", step("restore")],
        cwd=tmp_path,
        env=places(both["home"], back.data),
        check=False,
        capture_output=True,
        text=True,
    )
    # what the doctor says is worth a word, but nothing of it is wrong
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search("^fail", done.stdout, re.MULTILINE)
    assert "free, 0 leftovers" in done.stdout or "lock         free" in done.stdout
    for folder in KEPT:
        assert _content(back.data / folder) == _content(there.data / folder)
    versions = list(there.lake.serving.glob("v-*.duckdb"))
    assert back.published.name in {version.name for version in versions}
    assert back.rows("select count(*) from marts.kpi_daily") == [(6,)]
    assert not (back.data / "warehouse").exists()


def _content(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes()) for path in files
    }
