"""What all checks together add to the daily run, and with --quality those of data quality alone.

    python benchmarks/checks.py [--days 30] [--repeats 9] [--events-per-day 2500] [--quality]

A history is made once and copied for each variant. Then each day is run in each copy, in turn: with
every check, without the checks of data quality if asked, and without any, dbt's tests included, and
each into Dagster's history as `mkt run` keeps it. The first day is not counted: in a copied folder
dbt parses everything anew. Wall and CPU time are those of the run inside a fresh process, from its
start to its end, without loading the code. The table shows medians, and of the cost, day by day
beside the run without checks, the quartiles, since machines differ by a tenth from one minute to
the next. Nothing is asserted: a benchmark prints.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

#: of the settings' default: yesterday and the days before it that GA4 still rewrites
LATE_DAYS = 3
#: one daily run in a fresh process; the last line of its output is what it measured
RUN = """
import json, os, sys, time
import dagster as dg
from mkt_assets.definitions import build_defs
from mkt_assets.partitions import range_tags
from mkt_assets.check_steps import in_steps
from mkt_assets.quality import checks
from mkt_assets.runner import dagster_instance
from mkt_assets.schedules import daily_marketing
from mkt_assets.settings import settings
from datetime import date

variant, first, last = sys.argv[1:]
everything = daily_marketing.selection
selection = {
    "every check": everything,
    "without data quality": everything - dg.AssetSelection.checks(*in_steps(checks.CHECKS)),
    "no check": everything.without_checks(),
}[variant]
jobs = [dg.define_asset_job("measured", selection=selection)]
defs = dg.Definitions.merge(build_defs(), dg.Definitions(jobs=jobs))
job = defs.resolve_job_def("measured")
tags = range_tags(date.fromisoformat(first), date.fromisoformat(last))
start, before = time.perf_counter(), sum(os.times()[:4])
with dagster_instance(settings()) as instance:
    done = job.execute_in_process(instance=instance, tags=tags)
wall, cpu = time.perf_counter() - start, sum(os.times()[:4]) - before
found = len(done.get_asset_check_evaluations())
print(json.dumps([wall, cpu, found]))
"""
WHOLE, PART, NONE = "every check", "without data quality", "no check"


def run(data: Path, events: int, *command: str) -> str:
    """The output of one process on one data folder, with so many events a day."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MKT_", "DAGSTER_"))}
    ours = {"MKT_DATA_DIR": str(data), "MKT_SAMPLE_EVENTS_PER_DAY": str(events)}
    done = subprocess.run(
        command,
        env={**env, **ours, "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return done.stdout


def history(place: Path, events: int, first: date, last: date) -> Path:
    """A data folder with the days before those that are measured."""
    data = place / "history"
    mkt = str(Path(sys.executable).parent / "mkt")
    run(data, events, mkt, "run", "--from", str(first), "--to", str(last))
    return data


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--events-per-day", type=int, default=2500)
    parser.add_argument("--quality", action="store_true", help=f"also run {PART}")
    given = parser.parse_args()
    variants = (WHOLE, PART, NONE) if given.quality else (WHOLE, NONE)
    # late enough for a year of history, early enough to be over everywhere
    last = date(2025, 6, 30)
    seen: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        made = history(place, given.events_per_day, last - timedelta(days=given.days - 1), last)
        copies = {name: place / f"copy{number}" for number, name in enumerate(variants)}
        for copy in copies.values():
            shutil.copytree(made, copy, symlinks=True)
        for number in range(given.repeats + 1):
            day = last + timedelta(days=number + 1)
            first = day - timedelta(days=LATE_DAYS)
            # each comes first as often as the others
            turn = number % len(variants)
            for name in (*variants[turn:], *variants[:turn]):
                copy = copies[name]
                command = (sys.executable, "-c", RUN, name, str(first), str(day))
                out = run(copy, given.events_per_day, *command)
                wall, cpu, checks = json.loads(out.splitlines()[-1])
                if number:
                    seen[name].append((wall, cpu, checks))
                print(f"{day} {name}: {wall:.1f} s, CPU {cpu:.1f} s", file=sys.stderr)
    print_table(seen)


def print_table(seen: dict[str, list[tuple[float, float, int]]]) -> None:
    """Medians, and each variant beside the run without checks of the same day."""
    print("| daily run | checks | wall | more than without checks | CPU | more |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, runs in seen.items():
        wall, cpu, checks = (statistics.median(column) for column in zip(*runs, strict=True))
        beside = list(zip(runs, seen[NONE], strict=True))
        print(
            f"| {name} | {checks:.0f} | {wall:.1f} s "
            f"| {_cost([one[0] / base[0] - 1 for one, base in beside])} "
            f"| {cpu:.1f} s | {_cost([one[1] / base[1] - 1 for one, base in beside])} |"
        )


def _cost(ratios: Sequence[float]) -> str:
    if not any(ratios):
        return ""
    if len(ratios) == 1:
        return f"{ratios[0]:+.0%}"
    low, middle, high = statistics.quantiles(ratios, method="inclusive")
    return f"{middle:+.0%} ({low:+.0%} to {high:+.0%})"


if __name__ == "__main__":
    main()
