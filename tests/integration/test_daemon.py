"""The shipped dagster.yaml and a real daemon: schedule, backfill and a person at once."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 1800
PLACE = ("-m", "mkt_assets.definitions")
SELECTOR = {
    "repositoryLocationName": "mkt_assets.definitions",
    "repositoryName": "__repository__",
}
LAUNCH = """
mutation Launch($told: ExecutionParams!) {
  launchRun(executionParams: $told) { __typename ... on LaunchRunSuccess { run { runId } } }
}
"""
BACKFILL = """
mutation Backfill($told: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $told) {
    __typename ... on LaunchBackfillSuccess { backfillId }
  }
}
"""

RUNS = """
import json, dagster as dg
with dg.DagsterInstance.get() as instance:
    print(json.dumps([
        {"id": r.dagster_run.run_id, "status": r.dagster_run.status.value,
         "tags": dict(r.dagster_run.tags), "start": r.start_time, "end": r.end_time}
        for r in instance.get_run_records()
    ]))
"""


def _day(back: int) -> str:
    return str(datetime.now(UTC).date() - timedelta(days=back))


def _soon() -> str:
    """Once, some minutes from now: after the killed run and before the others are through."""
    moment = datetime.now(UTC) + timedelta(minutes=8)
    return f"{moment.minute} {moment.hour} * * *"


class Instance:
    """A home as the repository is one: dagster.yaml in it, data below it."""

    def __init__(self, home: Path, product: Product) -> None:
        report = home / "ads.csv"
        lines = [
            f"{_day(back)},Search,brand,{1000 + back},{50 + back},{20 + back}.5,2,90.25"
            for back in range(1, 12)
        ]
        header = "date,channel,campaign,impressions,clicks,spend,conversions,revenue"
        report.write_text("\n".join([header, *lines, ""]))
        shutil.copy(REPOSITORY / "dagster.yaml", home)
        self.there = product(
            home,
            {
                "MKT_SOURCE": "files",
                "MKT_ADS_URI": str(report),
                "MKT_START_DATE": _day(11),
                "MKT_REFRESH_CRON": _soon(),
                "DAGSTER_HOME": str(home),
                "PYTHONWARNINGS": "ignore",
            },
        )

    def tool(self, *arguments: str) -> str:
        done = self.there.run(*arguments, cwd=self.there.home)
        assert done["code"] == 0, done
        return str(done["out"])

    def ask(self, mutation: str, told: Told) -> None:
        """What a click in the UI sends."""
        said = self.tool(
            "dagster-graphql", *PLACE, "-t", mutation, "-v", json.dumps({"told": told})
        )
        assert "Success" in said, said

    def launch(self, first: str, last: str) -> None:
        tags = {
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last,
        }
        self.ask(
            LAUNCH,
            {
                "selector": {**SELECTOR, "jobName": "daily_marketing"},
                "runConfigData": {},
                "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
            },
        )

    def backfill(self, *days: str) -> None:
        name = "daily_marketing_partition_set"
        self.ask(
            BACKFILL,
            {
                "selector": {"repositorySelector": SELECTOR, "partitionSetName": name},
                "partitionNames": list(days),
            },
        )

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[str]]:
        """The daemon, which starts a code server, which starts the runs; all end with it."""
        with (self.there.home / "daemon.log").open("ab") as log:
            process = subprocess.Popen(
                [Path(sys.executable).parent / "dagster-daemon", "run", *PLACE],
                cwd=self.there.home,
                env=self.there.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            kill_all(process.pid)
            process.wait()

    def runs(self) -> list[Told]:
        """Every run that Dagster knows of."""
        found: list[Told] = json.loads(self.tool("python", "-c", RUNS))
        return found

    def wait(self, reached: Callable[[list[Told]], bool]) -> list[Told]:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not reached(runs := self.runs()):
            log = (self.there.home / "daemon.log").read_text()[-3000:]
            assert time.monotonic() < give_up, (runs, log)
            time.sleep(5)
        return runs


def kill_all(first: int) -> None:
    """`kill -9` of a process and whatever it started, as when the machine is switched off."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    doomed = [first]
    for pid in doomed:
        doomed += children.get(pid, [])
    for pid in doomed:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.fixture(scope="module")
def told(once: Callable[..., Told], product: Product) -> Told:
    def make(home: Path) -> Told:
        instance = Instance(home, product)
        instance.launch(_day(9), _day(8))
        lock = instance.there.lake.locks / "run.lock"
        with instance.daemon():
            instance.wait(lambda _: lock.is_file() and "run " in lock.read_text())
            (killed,) = instance.runs()
        assert instance.runs()[0]["status"] == "STARTED"
        # all at once, and nobody tells Dagster that its only running run is dead
        instance.launch(_day(9), _day(8))
        instance.backfill(_day(7), _day(6))
        instance.tool("dagster", "schedule", "start", "daily_refresh", *PLACE)
        with instance.daemon():
            runs = instance.wait(
                # killed, again, person, backfill, schedule
                lambda runs: (
                    len(runs) >= 5 and {run["status"] for run in runs} <= {"SUCCESS", "FAILURE"}
                )
            )
        return {"killed": killed["id"], "runs": runs}

    return once("daemon", make)


def test_the_killed_run_is_ended_and_run_again_by_itself(told: Told) -> None:
    by_id = {run["id"]: run for run in told["runs"]}
    assert by_id.pop(told["killed"])["status"] == "FAILURE"
    again = [r for r in by_id.values() if r["tags"].get("dagster/parent_run_id") == told["killed"]]
    assert [run["status"] for run in again] == ["SUCCESS"]


def test_schedule_backfill_and_person_all_succeed(told: Told) -> None:
    others = [run for run in told["runs"] if run["id"] != told["killed"]]
    assert {run["status"] for run in others} == {"SUCCESS"}
    assert len([run for run in others if "dagster/backfill" in run["tags"]]) == 1
    assert len([run for run in others if "dagster/schedule_name" in run["tags"]]) == 1


def test_they_worked_one_after_the_other(told: Told) -> None:
    spans = sorted((r["start"], r["end"]) for r in told["runs"] if r["id"] != told["killed"])
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_every_day_is_published_once(told: Told, product: Product) -> None:
    there = product(told["home"])
    days = there.rows("select date, count(*) from marts.marketing_kpi group by date order by date")
    assert {n for _, n in days} == {1}
    assert {str(day) for day, _ in days} >= {_day(9), _day(8), _day(7), _day(6)}
