"""Two runs that start at the same moment, and a reader who never stops asking."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mkt_assets.warehouse import fingerprint, mart_tables

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

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


@pytest.fixture(scope="module")
def both(once: Callable[..., Told], product: Product, wait_for: Callable[[Any], Told]) -> Told:
    """Two runs of an empty folder at once, beside a reader."""

    def make(home: Path) -> Told:
        there = product(home, SMALL)
        stop, told = home / "stop", home / "reader.json"
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, there.lake.serving / "mkt_bi.duckdb", stop, told]
        )
        try:
            started = [there.start("mkt", "run", *RANGE) for _ in range(2)]
            runs = [wait_for(process) for process in started]
            stop.touch()
            reader.wait(timeout=60)
        finally:
            reader.kill()
        return {"runs": runs, "reader": json.loads(told.read_text())}

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
