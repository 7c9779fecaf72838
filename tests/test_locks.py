"""A lock is held by one process, names its holder, and dies with it."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from mkt_assets.errors import MktError
from mkt_assets.locks import (
    exclusive,
    holder_of,
    is_abandoned,
    present,
    process_with,
    wait_until_closed,
)

HOLD = """
import sys, time
from pathlib import Path
from mkt_assets.locks import exclusive
with exclusive(Path(sys.argv[1]), "run other", timeout=5):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "locks" / "run.lock")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_waiting_names_the_holder_and_times_out(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    said: list[str] = []
    lock = tmp_path / "locks" / "run.lock"
    try:
        with (
            pytest.raises(MktError, match=r"run other \(process \d+\)"),
            exclusive(lock, "run mine", timeout=0.5, say=said.append),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
    assert re.search(r"waiting for run other \(process \d+\) since 20\d\d-\d\d-\d\dT", said[0])


def test_a_killed_holder_frees_the_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    lock = tmp_path / "locks" / "run.lock"
    with exclusive(lock, "run mine", timeout=5):
        assert "run mine" in holder_of(lock)


def test_nobody_is_named_who_does_not_hold_it(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    lock = tmp_path / "locks" / "run.lock"
    holder.kill()
    holder.wait()
    assert "run other" in lock.read_text()
    assert holder_of(lock) == "another process"
    with exclusive(lock, "run mine", timeout=5):
        assert "run mine" in holder_of(lock)
    assert holder_of(lock) == "another process"


def test_a_sign_of_life_outlives_its_process_only_where_it_was_killed(tmp_path: Path) -> None:
    sign = tmp_path / "runs" / "run-1"
    assert not is_abandoned(sign)
    with present(sign, "run 1"):
        assert not is_abandoned(sign)
    assert not sign.exists()
    script = HOLD.replace("exclusive", "present").replace(", timeout=5", "")
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(sign)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert not is_abandoned(sign)
    process.kill()
    process.wait()
    assert is_abandoned(sign)


OPEN = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("open", flush=True)
sys.stdin.read(1)
"""


@pytest.mark.parametrize("how", ["read", "write"])
def test_who_has_a_database_open_is_waited_for_by_name(tmp_path: Path, how: str) -> None:
    database = tmp_path / "warehouse.duckdb"
    assert process_with(database) is None
    duckdb.connect(str(database)).close()
    client = subprocess.Popen(
        [sys.executable, "-c", OPEN, str(database), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout is not None
    said: list[str] = []
    try:
        assert client.stdout.readline() == "open\n"
        assert process_with(database) == client.pid
        with pytest.raises(MktError, match=rf"\(process {client.pid}\).*Only dbt"):
            wait_until_closed(database, timeout=0.3, say=said.append)
    finally:
        client.kill()
        client.wait()
    assert f"(process {client.pid}), which has {database} open" in said[0]
    wait_until_closed(database, timeout=0, say=said.append)


def test_a_holder_on_another_machine_is_named_with_it(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    told = {"pid": 4_194_304, "holder": "run other", "host": "worker-7", "since": "2026-01-02"}
    lock.write_text(json.dumps(told))
    assert holder_of(lock) == "run other (process 4194304) on worker-7 since 2026-01-02"
    told["host"] = socket.gethostname()
    lock.write_text(json.dumps(told))
    assert holder_of(lock) == "another process"


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1, "holder": "an older version"}'])
def test_a_lock_file_of_any_content_is_usable(tmp_path: Path, content: str) -> None:
    lock = tmp_path / "run.lock"
    lock.write_text(content)
    assert holder_of(lock) == "another process"
    with exclusive(lock, "run mine", timeout=5):
        assert "run mine" in holder_of(lock)
    with pytest.raises(ZeroDivisionError), exclusive(lock, "run mine", timeout=5):
        raise ZeroDivisionError
    with exclusive(lock, "run mine", timeout=0):
        pass
