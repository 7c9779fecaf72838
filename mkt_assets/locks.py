"""Locks between processes, freed by the kernel when their holder dies; no Dagster, no DuckDB."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mkt_assets.errors import MktError

_POLL_SECONDS = 0.2
#: a waiting run says so again this often, so that a log shows it is alive
_REMIND_SECONDS = 30.0


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
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "holder": holder}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, timeout: float, say: Callable[[str], object]) -> None:
    start = time.monotonic()
    next_word = start
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            if now - start > timeout:
                raise MktError(
                    f"{path} was still held by {holder_of(path)} after {timeout:.0f} s. Let that "
                    "run end, or end it, or raise MKT_LOCK_TIMEOUT_SECONDS."
                ) from None
            if now >= next_word:
                say(f"waiting for {holder_of(path)}, which is using {path.parent.parent}")
                next_word = now + _REMIND_SECONDS
            time.sleep(_POLL_SECONDS)
        else:
            return


def holder_of(path: Path) -> str:
    """Who last took the lock, in words."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "another process"
    return f"{told['holder']} (process {told['pid']})"
