"""The fault campaign: `kill -9` at random points of the daily run, and what is left afterwards.

    python benchmarks/faults.py [--kills 100] [--publish 20] [--seed 1] [--home FOLDER]

One data directory holds the days 1 and 2 (the base). A run of the days 2 and 3 leads to the reference, undisturbed.
Each round starts from a copy of the base, kills that run several times, then lets one end. After each kill the
published version must be the base's or the reference's, table by table and in its Parquet twins; after each round
lake, warehouse and published version must equal the reference. Run ids and times of processing are not compared.

A point is drawn in CPU seconds of the run's processes, so that a busy machine does not move it; a publish kill comes
a random moment after the step began to write. Of the others, one in eight kills the run's process alone and leaves
dbt behind, one in eight kills dbt alone. Kept in FOLDER: start it again and it goes on.

The sample's people change their consent until today, so base and reference are made anew each day, and what a round
saw after midnight is noted and counts for nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from mkt_assets.lake import Lake
from mkt_assets.publish.snapshot import LINK
from mkt_assets.warehouse import fingerprint, mart_tables

BASE = ("2025-01-01", "2025-01-02")
NEXT = ("2025-01-02", "2025-01-03")
SETTINGS = {"MKT_SAMPLE_EVENTS_PER_DAY": "200", "OMP_NUM_THREADS": "1"}
#: what two runs that did the same differ in
STAMPS = ("run_id", "processed_at", "published_at", "build_id")
KILLS_A_ROUND = (2, 6)
RUN_LIMIT_SECONDS = 1800
TICKS = os.sysconf("SC_CLK_TCK")
#: the publish step alone, as a person launches it again after a failure
PUBLISH = """
import io, sys
from datetime import date
from mkt_assets.definitions import defs
from mkt_assets.partitions import range_tags
from mkt_assets.runner import dagster_instance
from mkt_assets.settings import settings
import dagster as dg
with dagster_instance(settings()) as instance:
    done = defs.resolve_job_def("daily_marketing").execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey(["publish", "bi_snapshot"])],
        tags=range_tags(*map(date.fromisoformat, sys.argv[1:])), raise_on_error=False,
    )
sys.exit(0 if done.success else 1)
"""

Prints = dict[str, Any]


@dataclass
class Tally:
    """What the log says so far."""

    kills: Counter[str]
    rounds: int
    faults: list[str]

    @classmethod
    def of(cls, log: Path) -> Tally:
        """Read it."""
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
        kills = Counter(line["what"] for line in lines if line["kind"] == "kill")
        rounds = sum(line["kind"] == "round" for line in lines)
        return cls(kills, rounds, [f for line in lines for f in line["faults"]])


def today() -> str:
    """The sample source's day."""
    return str(datetime.now(tz=UTC).date())


def environment(data: Path) -> dict[str, str]:
    """The settings of every run here, and no others."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MKT_", "DAGSTER_"))}
    return kept | SETTINGS | {"MKT_DATA_DIR": str(data), "PYTHONWARNINGS": "ignore"}


def start(data: Path, *command: str) -> subprocess.Popen[bytes]:
    """A run in a process group of its own; what it says goes beside its data."""
    with data.with_suffix(".out").open("ab") as out:
        return subprocess.Popen(
            [sys.executable, *command],
            env=environment(data),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def start_run(data: Path, days: tuple[str, str] = NEXT) -> subprocess.Popen[bytes]:
    """The daily run."""
    return start(data, "-m", "mkt_assets.cli", "run", "--from", days[0], "--to", days[1])


def start_publish(data: Path) -> subprocess.Popen[bytes]:
    """The publish step alone."""
    return start(data, "-c", PUBLISH, *NEXT)


def group(leader: int) -> dict[int, list[str]]:
    """The processes of a group: id to the fields of /proc/<id>/stat after the name."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(fields[2]) == leader:
                    found[int(entry.name)] = fields
    return found


def cpu_seconds(leader: int) -> float:
    """What the group and its ended children have used."""
    return sum(int(n) for fields in group(leader).values() for n in fields[11:15]) / TICKS


def dbt_of(leader: int) -> int | None:
    """The dbt of a run, if it is there now."""
    for pid in group(leader):
        with contextlib.suppress(OSError):
            if b"bin/dbt" in Path(f"/proc/{pid}/cmdline").read_bytes() and pid != leader:
                return pid
    return None


def kill(process: subprocess.Popen[bytes], whom: str) -> None:
    """`kill -9` of the whole group, of the run's own process, or of dbt."""
    child = dbt_of(process.pid)
    if whom == "dbt" and child is not None:
        os.kill(child, signal.SIGKILL)
        process.wait(RUN_LIMIT_SECONDS)
    elif whom == "parent":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(RUN_LIMIT_SECONDS)


def until(process: subprocess.Popen[bytes], reached: Callable[[], bool], pause: float) -> bool:
    """Whether it was reached before the process ended."""
    give_up = time.monotonic() + RUN_LIMIT_SECONDS
    while process.poll() is None:
        if reached():
            return True
        if time.monotonic() > give_up:
            os.killpg(process.pid, signal.SIGKILL)
            raise SystemExit(f"a run hung for {RUN_LIMIT_SECONDS} s: a fault")
        time.sleep(pause)
    return False


def is_publishing(data: Path) -> bool:
    """Whether a version is being written now."""
    twins = data / "serving" / "parquet"
    return twins.is_dir() and any(p.name.startswith(".writing-") for p in twins.iterdir())


def printed(con: duckdb.DuckDBPyConnection, source: str) -> dict[str, object]:
    """The fingerprint of a table or file, without what names the run."""
    columns = con.execute(f"describe select * from {source}").fetchall()
    kept = ", ".join(f'"{row[0]}"' for row in columns if row[0] not in STAMPS)
    return fingerprint(con, f"(select {kept} from {source})")


def published(data: Path) -> Prints:
    """What a reader of the link sees: each table, and whether it is as announced.

    Raises:
        ValueError: the version is torn.
        duckdb.Error: it cannot be read.
    """
    version = (data / "serving" / LINK).resolve()
    twins = data / "serving" / "parquet" / version.stem
    with duckdb.connect(str(version), read_only=True) as con:
        (counts,) = con.execute("select row_counts from marts.publication").fetchone() or ({},)
        prints = {t: printed(con, f"marts.{t}") for t in counts}
        torn = [t for t, rows in counts.items() if prints[t]["rows"] != rows]
        with duckdb.connect() as other:
            for table, told in prints.items():
                if printed(other, f"read_parquet('{twins / table}.parquet')") != told:
                    torn.append(f"twin of {table}")
    if torn:
        raise ValueError(f"torn: {', '.join(torn)}")
    return prints


def everything(data: Path) -> Prints:
    """The published version, the marts in the warehouse, and each table of the lake."""
    lake, found = Lake(data), {f"published {t}": p for t, p in published(data).items()}
    with duckdb.connect(str(lake.warehouse), read_only=True) as con:
        found |= {f"warehouse {t}": printed(con, f"marts.{t}") for t in mart_tables(con)}
    with duckdb.connect() as con:
        for file in sorted(lake.guarded.rglob("*.parquet")):
            # replaced lines are kept as history: how many a killed run replaced is not a result
            if "lineage_history" not in file.parts:
                found[f"lake {file.relative_to(lake.guarded)}"] = printed(
                    con, f"read_parquet('{file}')"
                )
    return found


def differences(found: Prints, wanted: Prints) -> list[str]:
    """The tables that are not equal."""
    return sorted(k for k in found.keys() | wanted.keys() if found.get(k) != wanted.get(k))


class Campaign:
    """One campaign in one folder; everything that it knows is on disk."""

    def __init__(self, home: Path, seed: int) -> None:
        self.home, self.seed = home, seed
        self.base, self.work = home / "base", home / "work"
        self.log = home / "campaign.jsonl"
        self.day = today()

    def prepare(self) -> None:
        """The base and the reference, once a day."""
        made, self.day = self.home / "reference.json", today()
        if made.is_file() and json.loads(made.read_text()).get("day") == self.day:
            return
        shutil.rmtree(self.base, ignore_errors=True)
        self._ended(start_run(self.base, BASE), self.base)
        reference = self.home / "reference"
        shutil.rmtree(reference, ignore_errors=True)
        shutil.copytree(self.base, reference, symlinks=True)
        running, used = start_run(reference), 0.0
        while running.poll() is None:
            used = max(used, cpu_seconds(running.pid))
            time.sleep(0.1)
        self._ended(running, reference)
        told = {
            "day": self.day,
            "before": published(self.base),
            "after": published(reference),
            "end": everything(reference),
            "cpu": used,
            "publishing": self._publish_seconds(reference),
        }
        made.write_text(json.dumps(told))

    def _publish_seconds(self, data: Path) -> float:
        """From the first write to the swap of the link, and a little longer: old versions go."""
        link, process = data / "serving" / LINK, start_publish(data)
        before = link.readlink()
        until(process, lambda: is_publishing(data), 0.001)
        began = time.monotonic()
        until(process, lambda: link.readlink() != before, 0.001)
        took = time.monotonic() - began
        self._ended(process, data)
        return 1.2 * took

    def _ended(self, process: subprocess.Popen[bytes], data: Path) -> None:
        if process.wait(RUN_LIMIT_SECONDS) != 0:
            raise SystemExit(f"an undisturbed run failed, see {data.with_suffix('.out')}")

    def go_on(self, kills: int, publishes: int) -> None:
        """Rounds until there were enough kills of both kinds."""
        while True:
            tally = Tally.of(self.log)
            others = sum(tally.kills.values()) - tally.kills["publish"]
            left = {
                "run": kills - publishes - others,
                "publish": publishes - tally.kills["publish"],
            }
            if left["run"] <= 0 and left["publish"] <= 0:
                return
            self.prepare()
            # a round is decided by its number: a campaign that was interrupted goes on alike
            self.round(random.Random(f"{self.seed}/{tally.rounds}"), left)  # noqa: S311

    def round(self, rng: random.Random, left: dict[str, int]) -> None:
        """Some kills, then a run that ends."""
        told = json.loads((self.home / "reference.json").read_text())
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.base, self.work, symlinks=True)
        for _ in range(min(rng.randint(*KILLS_A_ROUND), max(left["run"], 0))):
            whom = rng.choice(["group"] * 6 + ["parent", "dbt"])
            self._kill_run(whom, rng.uniform(0, told["cpu"]), told)
        if left["publish"] > 0:
            self._kill_publish(start_run(self.work), rng.uniform(0, told["publishing"]), told)
            for _ in range(min(rng.randint(*KILLS_A_ROUND), left["publish"] - 1)):
                running = start_publish(self.work)
                self._kill_publish(running, rng.uniform(0, told["publishing"]), told)
        began = time.monotonic()
        code = start_run(self.work).wait(RUN_LIMIT_SECONDS)
        faults = [] if code == 0 else [f"the run after the kills ended with {code}"]
        faults += [f"differs: {name}" for name in differences(everything(self.work), told["end"])]
        faults += [f"left: {path}" for path in leftovers(self.work)]
        self._note("round", "round", faults, seconds=round(time.monotonic() - began, 1))

    def _kill_run(self, whom: str, point: float, told: Prints) -> None:
        process = start_run(self.work)
        if until(process, lambda: cpu_seconds(process.pid) >= point, 0.1):
            kill(process, whom)
            self._note("kill", whom, self._seen(told), cpu=round(point, 2))
        else:
            self._note("missed", whom, self._seen(told), code=process.returncode)

    def _kill_publish(self, process: subprocess.Popen[bytes], after: float, told: Prints) -> None:
        if until(process, lambda: is_publishing(self.work), 0.001):
            time.sleep(after)
            if process.poll() is None:
                kill(process, "group")
                self._note("kill", "publish", self._seen(told), after=round(after, 3))
                return
        self._note("missed", "publish", self._seen(told), code=process.wait())

    def _seen(self, told: Prints) -> list[str]:
        """What is wrong with what a reader sees now."""
        try:
            found = published(self.work)
        except (duckdb.Error, OSError, ValueError) as error:
            return [f"unreadable: {error}"]
        if found in (told["before"], told["after"]):
            return []
        return [f"neither version: {differences(found, told['before'])}"]

    def _note(self, kind: str, what: str, faults: list[str], **more: object) -> None:
        if today() != self.day:
            kind, faults = "midnight", []
        line = {"kind": kind, "what": what, "faults": faults, **more}
        with self.log.open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def leftovers(data: Path) -> Iterator[Path]:
    """What a run that ended must not leave."""
    for path in data.rglob("*"):
        if path.name.startswith(".writing-") or (path.suffix == ".wal" and "serving" in path.parts):
            yield path


def main() -> None:
    """Kill, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="all of them")
    parser.add_argument("--publish", type=int, default=20, help="how many in the publish step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "mkt-faults")
    given = parser.parse_args()
    given.home.mkdir(parents=True, exist_ok=True)
    campaign = Campaign(given.home.resolve(), given.seed)
    campaign.go_on(given.kills, given.publish)
    tally = Tally.of(campaign.log)
    print("| what | figure |\n| --- | ---: |")
    for what, number in sorted(tally.kills.items()):
        print(f"| kills: {what} | {number} |")
    print(f"| runs that were let end, compared with the reference | {tally.rounds} |")
    print(
        f"| unreadable or torn versions, lost or doubled rows, differing tables | {len(tally.faults)} |"
    )
    for fault in tally.faults:
        print(f"  {fault}")


if __name__ == "__main__":
    main()
