"""Locks between processes, freed by the kernel when their holder dies; no Dagster, no DuckDB.

Who holds a lock is told in the lock file. What is told is believed only of a live holder.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mkt_assets.errors import MktError

_POLL_SECONDS = 0.2
#: a waiting run says so again this often, so that a log shows it is alive
_REMIND_SECONDS = 30.0
#: a lock is taken a moment before its holder has written who it is
_UNKNOWN = "another process"


@contextmanager
def exclusive(
    path: Path,
    holder: str,
    *,
    timeout: float,
    say: Callable[[str], object] = str,
) -> Iterator[None]:
    """Hold ``path`` as an exclusive lock while the body runs.

    ``holder`` is written into the file so that whoever waits can name it. The lock file itself is
    never removed: removing it would let two processes lock two different files of one name.

    Raises:
        MktError: the lock was not free within ``timeout`` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _wait(descriptor, path, timeout, say)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(_told(holder)).encode(), 0)
        try:
            yield
        finally:
            # whoever gets the lock next must not be taken for this holder
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


@contextmanager
def present(path: Path, holder: str) -> Iterator[None]:
    """Hold ``path`` while the body runs, as a sign of life; it goes when the body ends."""
    with exclusive(path, holder, timeout=0):
        try:
            yield
        finally:
            # before the lock is free: who gets the lock and still finds the file knows of a crash
            path.unlink()


def is_abandoned(path: Path) -> bool:
    """Whether the process that was ``present`` there died before its end."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # a shared lock, for this moment: two that look at once do not see each other
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return path.exists()
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def process_with(database: Path) -> int | None:
    """The process that has a DuckDB file open, reader or writer, or None; Linux tells, others not.

    DuckDB of every version locks the file as long as it is open. 0 is a process that cannot be
    seen from here, in another container. Not for a file that this process has open itself: its own
    locks are not told, and asking drops them.
    """
    if sys.platform != "linux":
        return None
    try:
        descriptor = os.open(database, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        # struct flock: type, whence, start, length, process
        asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        told = struct.unpack("hhqqi4x", fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    finally:
        os.close(descriptor)
    return None if told[0] == fcntl.F_UNLCK else int(told[4])


def _told(holder: str) -> dict[str, object]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "holder": holder, "host": socket.gethostname(), "since": since}


def wait_until_closed(database: Path, *, timeout: float, say: Callable[[str], object]) -> None:
    """Wait until no other process has a DuckDB file open.

    Raises:
        MktError: one still had it open after ``timeout`` seconds.
    """

    def user() -> str | None:
        pid = process_with(database)
        return None if pid is None else program_of(pid)

    _poll(
        user,
        timeout,
        waiting=lambda who: say(f"waiting for {who}, which has {database} open"),
        problem=lambda who: (
            f"{database} was still open in {who} after {timeout:.0f} s. Only dbt may open it: "
            "close that program, and point BI tools at serving/mkt_bi.duckdb."
        ),
    )


def program_of(pid: int) -> str:
    """A process in words."""
    try:
        program = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "a process of another container"
    return f"{program} (process {pid})"


def _wait(descriptor: int, path: Path, timeout: float, say: Callable[[str], object]) -> None:
    def holder() -> str | None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return holder_of(path)
        return None

    _poll(
        holder,
        timeout,
        waiting=lambda who: say(f"waiting for {who}, which is using {path.parent.parent}"),
        problem=lambda who: (
            f"{path} was still held by {who} after {timeout:.0f} s. Let that run end, or end it, "
            "or raise MKT_LOCK_TIMEOUT_SECONDS."
        ),
    )


def _poll(
    holder: Callable[[], str | None],
    timeout: float,
    *,
    waiting: Callable[[str], object],
    problem: Callable[[str], str],
) -> None:
    """Ask who is in the way until nobody is."""
    start = time.monotonic()
    next_word = start
    while (who := holder()) is not None:
        now = time.monotonic()
        if now - start > timeout:
            raise MktError(problem(who))
        if now >= next_word:
            waiting(who)
            next_word = now + _REMIND_SECONDS
        time.sleep(_POLL_SECONDS)


def holder_of(path: Path) -> str:
    """Who holds the lock, in words; who was killed is not named any more."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        pid, host, since = told["pid"], told["host"], told["since"]
    except (OSError, ValueError, KeyError):
        return _UNKNOWN
    here = host == socket.gethostname()
    if here and not _is_alive(pid):
        return _UNKNOWN
    place = "" if here else f" on {host}"
    return f"{told['holder']} (process {pid}){place} since {since}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
