"""Dagster's history with its engines kept: the files are Dagster's, whoever writes them."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import serialize_value

from mkt_assets.local_history import KeptEngines, LocalHistory
from mkt_assets.runner import _DAGSTER_YAML

#: the run of the latest materialization, as another process is told it
LATEST = """
import dagster as dg
with dg.DagsterInstance.get() as instance:
    print(instance.get_latest_materialization_event(dg.AssetKey("numbers")).run_id)
"""


@dg.asset
def numbers() -> None:
    """Something to materialize."""


@dg.asset_check(asset=numbers)
def are_there() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of Dagster's history as `mkt run` makes it."""
    (tmp_path / "dagster.yaml").write_text(_DAGSTER_YAML)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


def _run() -> str:
    with dg.DagsterInstance.get() as instance:
        done = dg.materialize([numbers, are_there], instance=instance)
        assert done.success
        return done.run_id


def _logs(run: str) -> list[EventLogEntry]:
    with dg.DagsterInstance.get() as instance:
        return list(instance.all_logs(run))


def _event() -> EventLogEntry:
    return next(e for e in _logs(_run()) if e.dagster_event_type == dg.DagsterEventType.STEP_START)


def test_the_shipped_configuration_uses_it(home: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, KeptEngines)
        # a run that is launched gets its instance by reference
        with dg.DagsterInstance.from_ref(instance.get_ref()) as launched:
            assert isinstance(launched.event_log_storage, KeptEngines)
    assert LocalHistory.__name__ in _DAGSTER_YAML


def test_dagster_s_own_storage_reads_and_goes_on_with_the_same_files(home: Path) -> None:
    first = _run()
    kept = _logs(first)
    ours = yaml.safe_load(_DAGSTER_YAML)
    (home / "dagster.yaml").write_text(
        yaml.safe_dump({name: told for name, told in ours.items() if name != "storage"})
    )
    assert _logs(first) == kept
    second = _run()
    (home / "dagster.yaml").write_text(_DAGSTER_YAML)
    assert len(_logs(second)) == len(kept)
    with dg.DagsterInstance.get() as instance:
        assert {run.run_id for run in instance.get_runs()} == {first, second}
        latest = instance.get_latest_materialization_event(numbers.key)
        assert latest is not None
        assert latest.run_id == second


def test_many_runs_written_by_two_threads_lose_no_event(home: Path) -> None:
    entry = _event()
    storage = KeptEngines(str(home / "elsewhere"))

    def write(thread: int) -> None:
        for number in range(60):
            storage.store_event(entry._replace(run_id=f"run-{thread}-{number % 12}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = SqliteEventLogStorage(str(home / "elsewhere"))
    counts = [len(again.get_logs_for_run(f"run-{t}-{n}")) for t in range(2) for n in range(12)]
    assert counts == [5] * 24


def test_when_a_run_ends_its_history_stands_in_its_files(home: Path) -> None:
    """What is in a write-ahead log alone may be lost in a power cut."""
    with dg.DagsterInstance.get() as instance:
        run = dg.materialize([numbers, are_there], instance=instance).run_id
        files = {path.name for path in (home / "history" / "runs").iterdir()}
        assert files == {"index.db", f"{run}.db"}
        with sqlite3.connect(f"file:{home}/history/runs/index.db?mode=ro", uri=True) as con:
            told = con.execute("select run_id from asset_check_executions").fetchall()
        assert told == [(run,)]


def test_so_it_does_where_another_process_keeps_the_files_open(home: Path) -> None:
    """As a daemon does, which wrote that the run was launched."""
    entry, copy = _event(), home / "copy"
    daemon, worker = (KeptEngines(str(home / "elsewhere")) for _ in range(2))
    try:
        daemon.store_event(entry)
        worker.store_event(entry)
        told = DagsterEvent(DagsterEventType.RUN_SUCCESS.value, "numbers")
        worker.store_event(entry._replace(dagster_event=told))
        shutil.copytree(home / "elsewhere", copy, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    finally:
        worker.dispose()
        daemon.dispose()
    assert len(SqliteEventLogStorage(str(copy)).get_logs_for_run(entry.run_id)) == 3


def test_runs_that_end_at_once_are_all_stored(home: Path) -> None:
    """Each closes what they share."""
    entry, faults = _event(), []
    told = DagsterEvent(DagsterEventType.RUN_SUCCESS.value, "numbers")
    storage = KeptEngines(str(home / "elsewhere"))

    def end(thread: int) -> None:
        try:
            for number in range(15):
                run = f"run-{thread}-{number}"
                storage.store_event(entry._replace(run_id=run, dagster_event=told))
        except Exception as error:  # noqa: BLE001  a thread's error would be lost
            faults.append(error)

    threads = [threading.Thread(target=end, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    storage.dispose()
    assert faults == []


def test_whoever_looks_through_many_runs_keeps_what_they_share(home: Path) -> None:
    entry = _event()
    storage = KeptEngines(str(home / "elsewhere"))
    for number in range(12):
        storage.store_event(entry._replace(run_id=f"run-{number}"))
    for number in range(12):
        assert len(storage.get_logs_for_run(f"run-{number}")) == 1
    opened = []
    for _ in range(2):
        with storage.index_connection() as connection:
            opened.append(connection.connection.driver_connection)
    assert opened[0] is opened[1]
    storage.dispose()


def test_a_killed_writer_loses_no_event(home: Path) -> None:
    entry = _event()
    code = f"""
import os, signal, sys
from dagster._serdes import deserialize_value
from mkt_assets.local_history import KeptEngines

storage, entry = KeptEngines({str(home / "elsewhere")!r}), deserialize_value(sys.stdin.read())
for number in range(40):
    storage.store_event(entry._replace(timestamp=float(number)))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], input=serialize_value(entry), text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    kept = KeptEngines(str(home / "elsewhere"))
    assert [e.timestamp for e in kept.get_logs_for_run(entry.run_id)] == list(range(40))
    kept.store_event(entry)
    assert len(kept.get_logs_for_run(entry.run_id)) == 41


def test_another_process_reads_what_is_written_meanwhile(home: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        done = dg.materialize([numbers, are_there], instance=instance)
        read = [sys.executable, "-c", LATEST]
        told = subprocess.run(read, capture_output=True, text=True, check=True).stdout
        assert told.strip() == done.run_id


def test_after_everything_is_wiped_it_begins_anew(home: Path) -> None:
    entry = _event()
    storage = KeptEngines(str(home / "elsewhere"))
    storage.store_event(entry)
    storage.wipe()
    assert storage.get_logs_for_run(entry.run_id) == []
    storage.store_event(entry)
    assert len(storage.get_logs_for_run(entry.run_id)) == 1


def test_whoever_follows_a_run_hears_of_each_event(home: Path) -> None:
    """The UI follows a run in another process by changes of its file."""
    entry = _event()
    following, heard = KeptEngines(str(home / "elsewhere")), threading.Semaphore(0)
    following.store_event(entry)
    cursor = following.get_records_for_run(entry.run_id).cursor
    following.watch(entry.run_id, cursor, lambda *_: heard.release())
    writing = KeptEngines(str(home / "elsewhere"))
    try:
        for _ in range(3):
            writing.store_event(entry)
            assert heard.acquire(timeout=60)
    finally:
        following.dispose()
        writing.dispose()
