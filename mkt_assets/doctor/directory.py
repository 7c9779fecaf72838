"""The looks at the data directory: room, owner, locks, leftovers, and whose data lie there."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from mkt_assets.data_directory import differences, refuse_unusable
from mkt_assets.doctor.findings import Finding
from mkt_assets.errors import MktError
from mkt_assets.lake import TEMPORARY, Lake
from mkt_assets.locks import holder_of, is_abandoned, process_with, program_of
from mkt_assets.settings import Settings

#: a run of the sample writes some 50 MB; below this a day of a real property may not fit
_LOW_DISK_BYTES = 2 * 1024**3


def disk(_known: Settings, lake: Lake) -> Iterator[Finding]:
    """Room on the disk of the data directory, and on those that its folders are links to."""
    top = next(p for p in (lake.root, *lake.root.parents) if p.exists())
    places = [top, *(p for p in sorted(top.glob("*")) if top == lake.root and p.is_dir())]
    free, place = min((shutil.disk_usage(p).free, p) for p in places)
    low = free < _LOW_DISK_BYTES
    yield Finding(
        "warn" if low else "ok",
        "disk",
        f"{free / 1024**3:.1f} GB free at {place}",
        "make room, or move MKT_DATA_DIR" if low else "",
    )


def owner(_known: Settings, lake: Lake) -> Iterator[Finding]:
    """Whether a run of this user could write everywhere, and leave what the next can write."""
    try:
        refuse_unusable(lake)
    except MktError as error:
        problem, _, remedy = str(error).partition(". ")
        yield Finding("fail", "owner", problem, remedy or problem.rpartition(": ")[2])
        return
    if not lake.root.exists():
        return
    me = os.geteuid()
    others = {p: uid for p in _owned(lake) if (uid := p.stat().st_uid) != me}
    if others:
        place, uid = next(iter(others.items()))
        yield Finding(
            "warn",
            "owner",
            f"{place} belongs to {_named(uid)} ({len(others)} in all), this is {_named(me)}",
            "run as the owner: what another user writes, the owner's runs cannot replace",
        )
    else:
        yield Finding("ok", "owner", f"everything belongs to {_named(me)}")


def _owned(lake: Lake) -> Iterator[Path]:
    """The places that a run writes to."""
    yield lake.root
    for place in sorted(lake.root.glob("*")):
        yield place
        if place.is_dir():
            yield from sorted(place.glob("*"))


def _named(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    except KeyError:
        return f"user {uid}"


def landing(_known: Settings, lake: Lake) -> Iterator[Finding]:
    """Raw rows may hold personal data."""
    if not lake.landing.exists():
        yield Finding("warn", "landing", f"nothing at {lake.landing} yet", "mkt demo or mkt run")
        return
    mode = stat.S_IMODE(lake.landing.stat().st_mode)
    closed = mode & 0o077 == 0
    yield Finding(
        "ok" if closed else "fail",
        "landing",
        f"mode {mode:04o} (raw rows may hold personal data)",
        "" if closed else f"chmod 700 {lake.landing}",
    )


def lock(_known: Settings, lake: Lake) -> Iterator[Finding]:
    """Who works here now, and what is left of those who were killed."""
    path = lake.locks / "run.lock"
    if not path.exists():
        yield Finding("ok", "lock", "free")
        return
    with path.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield Finding("ok", "lock", f"held by {holder_of(path)}: a run is under way")
            return
    left = list(lake.find(f"{TEMPORARY}*"))
    killed = [p.name for p in lake.presence("any").parent.glob("*") if is_abandoned(p)]
    seen = f"free, {len(left)} leftovers"
    if killed:
        seen += f", of killed runs: {', '.join(run[:8] for run in sorted(killed)[:5])}"
    advice = "the next run removes them, and ends those runs in Dagster" if left or killed else ""
    yield Finding("warn" if advice else "ok", "lock", seen, advice)


def warehouse(_known: Settings, lake: Lake) -> Iterator[Finding]:
    """Who has the warehouse open: dbt may while a run works; a BI tool makes runs wait."""
    pid = process_with(lake.warehouse) if lake.warehouse.is_file() else None
    if pid is None:
        return
    under_way = next(lock(_known, lake)).seen.startswith("held")
    yield Finding(
        "ok" if under_way else "warn",
        "warehouse",
        f"open in {program_of(pid)}",
        "" if under_way else f"close it, and point it at {lake.serving}/mkt_bi.duckdb",
    )


def identity(known: Settings, lake: Lake) -> Iterator[Finding]:
    """Whether the data are those of the property that the settings describe."""
    told = differences(lake, known.identity)
    if told:
        remedy = "set MKT_DATA_DIR to this property's own folder, or correct the setting"
        seen = f"{lake.root} holds another property's data ({told}): runs are refused"
        yield Finding("fail", "property", seen, remedy)
    elif (lake.root / "property.json").is_file():
        yield Finding("ok", "property", "the data are those of these settings")
