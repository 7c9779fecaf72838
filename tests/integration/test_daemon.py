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
from dataclasses import replace
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
#: what clicks in the UI send
LAUNCH = """
mutation Launch($told: ExecutionParams!) {
  launchRun(executionParams: $told) { __typename ... on LaunchRunSuccess { run { runId } } }
}
"""
ALL_AT_ONCE = """
mutation All($told: ExecutionParams!, $days: LaunchBackfillParams!, $schedule: ScheduleSelector!) {
  launchRun(executionParams: $told) { __typename ... on LaunchRunSuccess { run { runId } } }
  launchPartitionBackfill(backfillParams: $days) { __typename }
  startSchedule(scheduleSelector: $schedule) { __typename }
}
"""
SUCCEEDED = {
    "launchRun": "LaunchRunSuccess",
    "launchPartitionBackfill": "LaunchBackfillSuccess",
    "startSchedule": "ScheduleStateResult",
}
#: every run that Dagster knows of, once for each line that is asked
RUNS = """
import json, sys
import dagster as dg
with dg.DagsterInstance.get() as instance:
    for _ in sys.stdin:
        print(json.dumps([
            {"id": r.dagster_run.run_id, "status": r.dagster_run.status.value,
             "tags": dict(r.dagster_run.tags), "start": r.start_time, "end": r.end_time}
            for r in instance.get_run_records()
        ]), flush=True)
"""


def _day(back: int) -> str:
    return str(datetime.now(UTC).date() - timedelta(days=back))


def _soon() -> str:
    """Once, at the next minute: a daemon that starts later makes up for it."""
    moment = datetime.now(UTC) + timedelta(minutes=1)
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
                "DAGSTER_HOME": str(home),
                "PYTHONWARNINGS": "ignore",
            },
        )

    def refresh_soon(self) -> None:
        """The schedule's time is a setting of whatever is started from now on."""
        self.there = replace(
            self.there, settings={**self.there.settings, "MKT_REFRESH_CRON": _soon()}
        )

    def ask(self, mutation: str, **told: Told) -> None:
        arguments = (*PLACE, "-t", mutation, "-v", json.dumps(told))
        done = self.there.run("dagster-graphql", *arguments, cwd=self.there.home)
        assert done["code"] == 0, done
        (line,) = (line for line in done["out"].splitlines() if line.startswith("{"))
        answers = json.loads(line)["data"]
        succeeded = {name: answer["__typename"] for name, answer in answers.items()}
        assert succeeded == {name: SUCCEEDED[name] for name in answers}, done

    def launch(self) -> None:
        self.ask(LAUNCH, told=_two_days())

    def launch_backfill_and_schedule(self) -> None:
        """What a person picks of two days, two others by backfill, and the schedule switched on."""
        backfill = {
            "selector": {
                "repositorySelector": SELECTOR,
                "partitionSetName": "daily_marketing_partition_set",
            },
            "partitionNames": [_day(7), _day(6)],
        }
        schedule = {**SELECTOR, "scheduleName": "daily_refresh"}
        picked = _two_days(["ingest", "raw_ad_performance"], ["privacy", "ad_performance"])
        self.ask(ALL_AT_ONCE, told=picked, days=backfill, schedule=schedule)

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

    @contextmanager
    def watched(self) -> Iterator[Callable[[], list[Told]]]:
        """Whom to ask for every run that Dagster knows of: one process, started once."""
        with subprocess.Popen(
            [sys.executable, "-c", RUNS],
            cwd=self.there.home,
            env=self.there.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        ) as process:
            questions, answers = process.stdin, process.stdout
            assert questions is not None
            assert answers is not None

            def runs() -> list[Told]:
                questions.write("?\n")
                return list(json.loads(answers.readline()))

            yield runs

    def wait(self, reached: Callable[[], bool]) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not reached():
            log = (self.there.home / "daemon.log").read_text()[-3000:]
            assert time.monotonic() < give_up, log
            time.sleep(1)


def _two_days(*assets: list[str]) -> Told:
    """The daily job, or some assets of it, for two days."""
    days = {"start": _day(9), "end": _day(8)}
    tags = [{"key": f"dagster/asset_partition_range_{e}", "value": d} for e, d in days.items()]
    picked = {"assetSelection": [{"path": path} for path in assets]} if assets else {}
    return {
        "selector": {**SELECTOR, "jobName": "daily_marketing", **picked},
        "runConfigData": {},
        "executionMetadata": {"tags": tags},
    }


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
        instance.launch()
        lake = instance.there.lake
        lock = lake.locks / "run.lock"

        def works() -> bool:
            is_running = lock.is_file() and "run " in lock.read_text()
            return is_running and any(lake.guarded.rglob("*.parquet"))

        with instance.watched() as runs:
            with instance.daemon():
                instance.wait(works)
            (killed,) = runs()
            assert killed["status"] == "STARTED"
            # all at once, and nobody tells Dagster that its only running run is dead
            instance.launch_backfill_and_schedule()
            instance.refresh_soon()

            def are_through() -> bool:
                # killed, again, person, backfill, schedule
                found = runs()
                return len(found) >= 5 and {r["status"] for r in found} <= {"SUCCESS", "FAILURE"}

            with instance.daemon():
                instance.wait(are_through)
            return {"killed": killed["id"], "runs": runs()}

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
