"""The looks at what readers have: the served version, its format, and how old its days are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import duckdb
from packaging.version import InvalidVersion, Version

from mkt_assets.doctor.findings import Finding
from mkt_assets.lake import Lake
from mkt_assets.locks import process_with, program_of
from mkt_assets.publish.snapshot import LINK, STORAGE_VERSION
from mkt_assets.settings import Settings
from mkt_assets.warehouse import NEWER

#: clocks of machines that ask a time server differ by less
_CLOCK_SLACK = timedelta(minutes=5)
_FORMAT = "select tags['storage_version'] from duckdb_databases() where not internal"
_WHEN = "select published_at, cardinality(row_counts) from marts.publication"
_RELEASES = "select distinct code_version from marts.lineage_ledger"


def published(_known: Settings, lake: Lake, _now: datetime) -> Iterator[Finding]:
    """Whether the served version opens, for older clients too, and is of no newer release."""
    link = lake.serving / LINK
    if not link.exists():
        yield Finding("warn", "published", f"nothing at {link} yet", "mkt demo or mkt run")
        return
    yield from _write_ahead_logs(lake)
    try:
        with duckdb.connect(str(link), read_only=True) as con:
            con.execute("set timezone = 'UTC'")
            when, tables = _one(con, _WHEN)
            (written_for,) = _one(con, _FORMAT)
            releases = _releases(con)
    except duckdb.Error as error:
        yield _unreadable(link, str(error))
        return
    if not str(written_for).startswith(STORAGE_VERSION):
        yield Finding(
            "fail",
            "format",
            f"{link.resolve().name} is in storage format {written_for}, which DuckDB 1.2 may not "
            "open",
            "something else than this platform wrote it: mkt run publishes a version anew",
        )
    newest = max(releases, default=Version("0"))
    if newest > Version(version("mkt-assets")):
        yield Finding(
            "warn",
            "release",
            f"release {newest} wrote what is published, this is {version('mkt-assets')}",
            "upgrade this installation; a run of it publishes in its own older shape",
        )
    yield Finding("ok", "published", f"{tables} tables, published {when:%Y-%m-%d %H:%M} UTC")


def _one(con: duckdb.DuckDBPyConnection, query: str) -> tuple[object, ...]:
    row = con.execute(query).fetchone()
    assert row is not None, "a publication has exactly one row, and the file is one database"
    return row


def _releases(con: duckdb.DuckDBPyConnection) -> list[Version]:
    try:
        rows = con.execute(_RELEASES).fetchall()
    except duckdb.CatalogException:
        return []
    found = []
    for (text,) in rows:
        try:
            found.append(Version(str(text)))
        except InvalidVersion:
            continue
    return found


def _unreadable(link: Path, problem: str) -> Finding:
    if NEWER in problem:
        return Finding(
            "fail",
            "published",
            f"{link.resolve().name} was written by a newer DuckDB than {duckdb.__version__}",
            "upgrade this installation (pip install -e . -c constraints.txt), or let a run of this "
            "one publish: mkt run",
        )
    seen = f"{link} does not open: {problem.splitlines()[0]}"
    return Finding("fail", "published", seen, "mkt run")


def _write_ahead_logs(lake: Lake) -> Iterator[Finding]:
    """A version is never written, so a WAL beside it is of a client that opened it so."""
    for wal in sorted(lake.serving.glob("v-*.wal")):
        pid = process_with(wal.with_suffix(""))
        who = "a client left it" if pid is None else f"{program_of(pid)} has it open for writing"
        advice = "the next run removes it" if pid is None else "close that program"
        yield Finding("warn", "wal", f"{wal.name}: {who}", f"{advice}; open it read-only")


def clock(_known: Settings, lake: Lake, now: datetime) -> Iterator[Finding]:
    """Whether the clock stands before something that was made here already."""
    stem = (lake.serving / LINK).resolve().stem.removeprefix("v-")
    if not stem.isdecimal():
        return
    newest = datetime.fromtimestamp(int(stem) / 1e9, UTC)
    if newest > now + _CLOCK_SLACK:
        yield Finding(
            "fail",
            "clock",
            f"it is {now:%Y-%m-%d %H:%M} UTC here, and a version of {newest:%Y-%m-%d %H:%M} UTC "
            "is published",
            "set this machine's clock: yesterday's day may not be over for it",
        )
    else:
        yield Finding("ok", "clock", "not behind what is published")


def partitions(known: Settings, lake: Lake, now: datetime) -> Iterator[Finding]:
    """Whether a day is missing, or the last one old."""
    table = "events" if known.has_ga4 else "ad_performance"
    folders = lake.guarded.glob(f"{table}/event_date=*")
    days = sorted(date.fromisoformat(p.name.removeprefix("event_date=")) for p in folders)
    if not days:
        yield Finding("warn", "partitions", "none yet", "mkt demo or mkt run")
        return
    last = now.astimezone(known.tz).date() - timedelta(days=1)
    behind = (last - days[-1]).days
    holes = (days[-1] - days[0]).days + 1 - len(days)
    seen = f"{len(days)} days to {days[-1]}, {holes} missing between, {behind} behind"
    stale = behind > 0 or holes > 0
    advice = f"mkt run --from {days[0]} --to {last}" if stale else ""
    yield Finding("warn" if stale else "ok", "partitions", seen, advice)
