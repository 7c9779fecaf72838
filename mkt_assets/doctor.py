"""Is this installation healthy? Each finding says what was seen and what to do about it."""

from __future__ import annotations

import fcntl
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

import duckdb
from packaging.requirements import Requirement

from mkt_assets.calendar_days import last_complete_day
from mkt_assets.errors import MktError
from mkt_assets.lake import Lake
from mkt_assets.locks import holder_of
from mkt_assets.privacy.vault import open_places
from mkt_assets.publish.snapshot import LINK
from mkt_assets.settings import Settings, settings

Status = Literal["ok", "warn", "fail"]

#: a run of the sample writes some 50 MB; below this a day of a real property may not fit
_LOW_DISK_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    status: Status
    what: str
    seen: str
    remedy: str = ""

    def as_line(self) -> str:
        """For people."""
        advice = f"  -> {self.remedy}" if self.remedy else ""
        return f"{self.status:<5} {self.what:<12} {self.seen}{advice}"


def examine() -> list[Finding]:
    """Look at everything; a refused setting is itself a finding."""
    findings = list(_versions())
    try:
        known = settings()
    except MktError as error:
        return [*findings, Finding("fail", "settings", str(error), "correct the variable")]
    findings.append(Finding("ok", "settings", f"source {known.source}, {known.timezone}"))
    looks: tuple[Callable[[Settings, Lake], Iterator[Finding]], ...] = (
        _disk,
        _permissions,
        _vault,
        _keys,
        _unlinked,
        _erasures,
        _lock,
        _published,
        _partitions,
    )
    for look in looks:
        findings += look(known, Lake(known.data_dir))
    return findings


def _versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    try:
        wanted = requires("mkt-assets") or []
    except PackageNotFoundError:
        yield Finding("warn", "versions", f"Python {python}, not installed", "pip install -e .")
        return
    wrong = [said for line in wanted if (said := _mismatch(Requirement(line)))]
    if wrong:
        advice = "pip install -e . -c constraints.txt"
        yield Finding("fail", "versions", "; ".join(wrong), advice)
    else:
        told = ", ".join(f"{p} {version(p)}" for p in ("dagster", "dbt-core", "duckdb", "pandas"))
        yield Finding("ok", "versions", f"Python {python}, {told}")


def _mismatch(requirement: Requirement) -> str:
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return ""
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing"
    fits = requirement.specifier.contains(found, prereleases=True)
    return "" if fits else f"{requirement.name} {found} does not fit {requirement.specifier}"


def _disk(_known: Settings, lake: Lake) -> Iterator[Finding]:
    place = next(p for p in (lake.root, *lake.root.parents) if p.exists())
    free = shutil.disk_usage(place).free
    low = free < _LOW_DISK_BYTES
    yield Finding(
        "warn" if low else "ok",
        "disk",
        f"{free / 1024**3:.1f} GB free at {place}",
        "make room, or move MKT_DATA_DIR" if low else "",
    )


def _permissions(_known: Settings, lake: Lake) -> Iterator[Finding]:
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


def _vault(known: Settings, lake: Lake) -> Iterator[Finding]:
    if not lake.vault.exists():
        seen = "none yet" if known.has_contacts else "no contacts, so no match keys"
        yield Finding("ok", "vault", seen)
        return
    loose = open_places(lake)
    yield Finding(
        "fail" if loose else "ok",
        "vault",
        f"{len(loose)} places open to others, {loose[0]}" if loose else "closed to others",
        f"find out who could read it, then chmod -R go-rwx {lake.vault}" if loose else "",
    )


def _keys(known: Settings, lake: Lake) -> Iterator[Finding]:
    from mkt_assets.privacy.keys import key_ring, refuse_missing

    if not known.has_ga4:
        yield Finding("ok", "keys", "no events, so no pseudonyms")
        return
    try:
        ring = key_ring(known, create=False)
        if ring is not None:
            refuse_missing(ring, lake)
    except MktError as error:
        yield Finding("fail", "keys", str(error), "set MKT_PII_KEYS")
        return
    if ring is None:
        yield Finding("ok", "keys", "the sample source makes its own key at the first run")
    else:
        yield Finding("ok", "keys", f"active key {ring.active.id}")


def _unlinked(known: Settings, lake: Lake) -> Iterator[Finding]:
    from mkt_assets.privacy import unlinked
    from mkt_assets.privacy.keys import key_ring

    told = unlinked.everything(lake)
    if not told:
        return
    try:
        ring = key_ring(known, create=False)
    except MktError:
        return  # the look at the keys has said so
    lost = unlinked.unsearchable(lake, ring) if ring else [one.place for one in told]
    yield Finding(
        "fail" if lost else "ok",
        "unlinked",
        f"{sum(one.rows for one in told):,} rows in {len(told)} partitions, "
        f"{len(lost)} of which cannot be searched for anybody",
        "put the old key back, or run those days again from their source" if lost else "",
    )


def _erasures(_known: Settings, lake: Lake) -> Iterator[Finding]:
    from mkt_assets.privacy.erasure_list import records, unfinished

    waiting = unfinished(lake)
    told = ", ".join(record["request_id"] for record in waiting)
    yield Finding(
        "warn" if waiting else "ok",
        "erasures",
        f"{len(records(lake))} requests, {len(waiting)} unfinished {told}".rstrip(),
        "run mkt erase again with their subject file, or mkt run" if waiting else "",
    )


def _lock(_known: Settings, lake: Lake) -> Iterator[Finding]:
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
    left = list(lake.root.rglob(".writing-*"))
    advice = "the next run removes them" if left else ""
    yield Finding("warn" if left else "ok", "lock", f"free, {len(left)} leftovers", advice)


def _published(_known: Settings, lake: Lake) -> Iterator[Finding]:
    link = lake.serving / LINK
    if not link.exists():
        yield Finding("warn", "published", f"nothing at {link} yet", "mkt demo or mkt run")
        return
    try:
        with duckdb.connect(str(link), read_only=True) as con:
            when, tables = _publication(con)
    except duckdb.Error as error:
        yield Finding("fail", "published", f"{link} does not open: {error}", "mkt run")
        return
    wal = Path(f"{link.resolve()}.wal")
    if wal.exists():
        yield Finding("warn", "published", f"a client left {wal.name}", f"rm {wal}")
    yield Finding("ok", "published", f"{tables} tables, published {when:%Y-%m-%d %H:%M} UTC")


def _publication(con: duckdb.DuckDBPyConnection) -> tuple[object, int]:
    con.execute("set timezone = 'UTC'")
    row = con.execute(
        "select published_at, cardinality(row_counts) from marts.publication"
    ).fetchone()
    assert row is not None, "a publication has exactly one row"
    return row[0], row[1]


def _partitions(known: Settings, lake: Lake) -> Iterator[Finding]:
    table = "events" if known.has_ga4 else "ad_performance"
    folders = lake.guarded.glob(f"{table}/event_date=*")
    days = sorted(date.fromisoformat(p.name.removeprefix("event_date=")) for p in folders)
    if not days:
        yield Finding("warn", "partitions", "none yet", "mkt demo or mkt run")
        return
    behind = (last_complete_day(known) - days[-1]).days
    holes = (days[-1] - days[0]).days + 1 - len(days)
    seen = f"{len(days)} days to {days[-1]}, {holes} missing between, {behind} behind"
    advice = f"mkt run --from {days[0]} --to {last_complete_day(known)}" if behind or holes else ""
    yield Finding("warn" if behind or holes else "ok", "partitions", seen, advice)
