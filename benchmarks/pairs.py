"""Pairs of simultaneous runs: how many fail, and how many because of a lock.

    python benchmarks/pairs.py [--pairs 20] [--home FOLDER] [--sample]
    python benchmarks/pairs.py --default-executor-shared-file [--pairs 5]

Both runs of a pair start at the same moment on one data directory, for other days that overlap. Without `--sample`
they read a small ad report, which is the same graph without events and costs half. The second form is for comparison
and needs nothing of this project: Dagster's default executor (a process a step) and its DuckDB IO manager on one
DuckDB file that a reader opens meanwhile, as the manuals of both show it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from mkt_assets.ingest import sample
from mkt_assets.publish.snapshot import LINK

FIRST_DAY = date(2025, 1, 1)
LIMIT_SECONDS = 1800

#: four steps in two branches, ten thousand rows each, stored by the IO manager
SHARED = '''
import dagster as dg
import pandas as pd
from dagster_duckdb import DuckDBIOManager
from dagster._core.storage.db_io_manager import DbTypeHandler, TableSlice

class Frames(DbTypeHandler):
    """What dagster-duckdb-pandas does; that package needs pandas below 3."""

    def handle_output(self, context, table_slice, obj, connection):
        name = f"{table_slice.schema}.{table_slice.table}"
        connection.execute(f"create table if not exists {name} as select * from obj where false")
        connection.execute(f"insert into {name} select * from obj")

    def load_input(self, context, table_slice, connection):
        return connection.execute(f"select * from {table_slice.schema}.{table_slice.table}").df()

    @property
    def supported_types(self):
        return [pd.DataFrame]

class Shared(DuckDBIOManager):
    @staticmethod
    def type_handlers():
        return [Frames()]

@dg.asset
def events() -> pd.DataFrame:
    return pd.DataFrame({"n": range(10_000)})

@dg.asset
def spend() -> pd.DataFrame:
    return pd.DataFrame({"n": range(10_000)})

@dg.asset
def kpi(events: pd.DataFrame, spend: pd.DataFrame) -> pd.DataFrame:
    return events.merge(spend, on="n")

@dg.asset
def report(kpi: pd.DataFrame) -> pd.DataFrame:
    return kpi.head()

everything = dg.define_asset_job("everything")
defs = dg.Definitions(
    assets=[events, spend, kpi, report], jobs=[everything],
    resources={"io_manager": Shared(database=dg.EnvVar("SHARED_FILE"), schema="main")},
)
'''


def environment(**more: object) -> dict[str, str]:
    """These settings and no others."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MKT_", "DAGSTER_"))}
    told = {k: str(v) for k, v in more.items()}
    return kept | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"} | told


def started(command: list[str], env: dict[str, str], out: Path) -> subprocess.Popen[bytes]:
    """A run; what it says goes to a file."""
    with out.open("wb") as file:
        return subprocess.Popen(command, env=env, stdout=file, stderr=file)


def pair(commands: list[list[str]], env: dict[str, str], home: Path) -> list[tuple[int, str]]:
    """Two runs at once: how each ended, and what it said."""
    outs = [home / f"{number}.out" for number in range(len(commands))]
    runs = [started(c, env, out) for c, out in zip(commands, outs, strict=True)]
    codes = [run.wait(LIMIT_SECONDS) for run in runs]
    return [(code, out.read_text()) for code, out in zip(codes, outs, strict=True)]


def told(results: list[tuple[int, str]]) -> dict[str, int]:
    """How many failed, and how many of those speak of a lock."""
    failed = [said for code, said in results if code != 0]
    locks = [said for said in failed if "lock" in said.lower()]
    return {"runs": len(results), "failed": len(failed), "of a lock": len(locks)}


def ad_report(place: Path, days: int) -> Path:
    """Daily rows of the sample's campaigns."""
    frames = [sample.ad_performance(FIRST_DAY + timedelta(days=n)).to_pandas() for n in range(days)]
    pd.concat(frames).to_csv(place, index=False)
    return place


def platform(home: Path, pairs: int, is_sample: bool) -> None:
    """This project: both runs of each pair, and what is published after each."""
    ads = (
        {} if is_sample else {"MKT_SOURCE": "files", "MKT_ADS_URI": ad_report(home / "ads.csv", 40)}
    )
    size = {"MKT_SAMPLE_EVENTS_PER_DAY": 200, "MKT_DATA_DIR": home / "data"}
    env, results, waited, torn, began = environment(**ads, **size), [], 0, 0, time.monotonic()
    for number in range(pairs):
        commands = [
            [sys.executable, "-m", "mkt_assets.cli", "run", "--from", str(first), "--to", str(last)]
            for first, last in (
                (FIRST_DAY + timedelta(days=n), FIRST_DAY + timedelta(days=n + 1))
                for n in (number, number + 1)
            )
        ]
        ended = pair(commands, env, home)
        results += ended
        waited += sum("waiting for run" in said for _, said in ended)
        with duckdb.connect(str(home / "data" / "serving" / LINK), read_only=True) as con:
            (counts,) = con.execute("select row_counts from marts.publication").fetchone() or ({},)
            for table, rows in counts.items():
                torn += con.execute(f"select count(*) from marts.{table}").fetchall() != [(rows,)]
        print(json.dumps({"pair": number + 1, **told(ended)}), flush=True)
    print(f"\n{pairs} pairs, {time.monotonic() - began:.0f} s")
    print({**told(results), "waited for the other": waited, "torn tables": torn})


def shared_file(home: Path, pairs: int) -> None:
    """Dagster's default executor and IO manager on one file, and a reader of that file."""
    (home / "shared.py").write_text(SHARED)
    (home / "dagster").mkdir(exist_ok=True)
    (home / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    file = home / "shared.duckdb"
    env = environment(SHARED_FILE=file, DAGSTER_HOME=home / "dagster")
    execute = [str(Path(sys.executable).parent / "dagster"), "job", "execute", "-j", "everything"]
    command = [*execute, "-f", str(home / "shared.py")]
    results, reads, refused = [], 0, 0
    for number in range(pairs):
        file.unlink(missing_ok=True)
        outs = [home / f"{n}.out" for n in range(2)]
        runs = [started(command, env, out) for out in outs]
        while any(run.poll() is None for run in runs):
            time.sleep(0.05)
            if not file.is_file():
                continue
            reads += 1
            try:
                with duckdb.connect(str(file), read_only=True) as con:
                    con.execute("select count(*) from information_schema.tables").fetchall()
                    # a dashboard looks at its tables for a moment
                    time.sleep(0.2)
            except duckdb.IOException:
                refused += 1
        ended = [(run.returncode, out.read_text()) for run, out in zip(runs, outs, strict=True)]
        results += ended
        print(json.dumps({"pair": number + 1, **told(ended)}), flush=True)
    print({**told(results), "reads": reads, "reads refused": refused})


def main() -> None:
    """Run pairs, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--sample", action="store_true", help="the sample source, events too")
    parser.add_argument("--default-executor-shared-file", action="store_true")
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "mkt-pairs")
    given = parser.parse_args()
    home = given.home.resolve()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    if given.default_executor_shared_file:
        shared_file(home, given.pairs)
    else:
        platform(home, given.pairs, given.sample)


if __name__ == "__main__":
    main()
