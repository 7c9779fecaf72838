"""A lock is held by one process, names its holder, and dies with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mkt_assets.errors import MktError
from mkt_assets.locks import exclusive, holder_of

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
    assert any("run other" in line for line in said)


def test_a_killed_holder_frees_the_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    lock = tmp_path / "locks" / "run.lock"
    with exclusive(lock, "run mine", timeout=5):
        assert "run mine" in holder_of(lock)
