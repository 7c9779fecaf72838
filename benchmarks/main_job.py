"""The figures of the README: load time, the 60-day run, a second run, `mkt analyze`.

    python benchmarks/main_job.py [--days 60] [--repeats 3]

Every figure is wall time of a whole process, start included; the table shows the median of the
repeats. Nothing is asserted: a benchmark prints, a test asserts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from mkt_assets.ingest import sample
from mkt_assets.warehouse import fingerprint, mart_tables

BIN = Path(sys.executable).parent
HEAVY = ("prophet", "sklearn", "great_expectations", "matplotlib")
LOAD = (
    f"import sys; import mkt_assets.definitions; print([m for m in {HEAVY!r} if m in sys.modules])"
)


def timed(command: list[str], data: Path) -> tuple[float, str]:
    """Seconds of one process, and what it printed."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MKT_", "DAGSTER_"))}
    start = time.perf_counter()
    done = subprocess.run(
        command,
        env={**env, "MKT_DATA_DIR": str(data), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - start, done.stdout


def campaign_file(path: Path, rows: int) -> Path:
    """A campaign file of ``rows`` rows from the sample source."""
    frames, day = [], date(2025, 1, 1)
    while sum(map(len, frames)) < rows:
        frames.append(sample.ad_performance(day).to_pandas())
        day += timedelta(days=1)
    pd.concat(frames).head(rows).to_csv(path, index=False)
    return path


def marts(data: Path) -> dict[str, object]:
    """The fingerprint of every mart."""
    with duckdb.connect(str(data / "warehouse" / "warehouse.duckdb"), read_only=True) as con:
        return {name: fingerprint(con, f"marts.{name}") for name in mart_tables(con)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        data = place / "data"
        demo = [str(BIN / "mkt"), "demo", "--days", str(given.days)]
        first, _ = timed(demo, data)
        before = marts(data)
        second, _ = timed(demo, data)
        same = marts(data) == before
        print(f"| mkt demo --days {given.days}, fresh data folder | {first:.1f} s |")
        print(f"| the same again | {second:.1f} s |")
        print(f"| the second run changed the marts | {'no' if same else 'YES'} |")
        rows = [("code location, python -c 'import mkt_assets.definitions'", load_command())]
        rows.append(("dg list defs", [str(BIN / "dg"), "list", "defs"]))
        for size in (600, 5000):
            file = campaign_file(place / f"ads_{size}.csv", size)
            out = ["--out", str(place / f"out_{size}")]
            command = [str(BIN / "mkt"), "analyze", str(file), *out]
            rows.append((f"mkt analyze, {size:,} rows", command))
        for label, command in rows:
            runs = [timed(command, data) for _ in range(given.repeats)]
            print(f"| {label} | {statistics.median(s for s, _ in runs):.2f} s |")
            if command == load_command():
                print(f"| heavy packages imported at load | {runs[0][1].strip()} |")


def load_command() -> list[str]:
    """Import the code location in a fresh interpreter."""
    return [sys.executable, "-c", LOAD]


if __name__ == "__main__":
    main()
