"""The one way to files: where each table lies, and how it is replaced whole or not at all.

A file is written beside its place, fsynced, renamed over it, and its folder fsynced, so a reader
or a crash meets the old file or the new one. What stays out: what the files mean.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from mkt_assets.contract_checks import violations
from mkt_assets.contracts import Table
from mkt_assets.errors import MktError
from mkt_assets.locks import process_with

_CLOSED = 0o700
#: how the names of what is being written begin
TEMPORARY = ".writing-"
#: the warehouse build that a model was computed from, kept in its Parquet metadata
BUILD_ID = "mkt_build_id"


@dataclass(frozen=True)
class Lake:
    """The folders below one data directory."""

    root: Path

    @property
    def landing(self) -> Path:
        """Raw drops; may hold personal data, so only its owner may enter."""
        return self.root / "landing"

    @property
    def vault(self) -> Path:
        """Ad-platform match keys, apart from everything else; only its owner may enter."""
        return self.root / "vault"

    @property
    def guarded(self) -> Path:
        """What passed the guard: the only thing that dbt reads."""
        return self.root / "lake"

    @property
    def serving(self) -> Path:
        """What BI opens."""
        return self.root / "serving"

    @property
    def outdated(self) -> Path:
        """A mark: no version published so far may outlive the next one."""
        return self.serving / ".outdated"

    @property
    def payloads(self) -> Path:
        """DSP payloads, one JSON a run date."""
        return self.root / "payloads"

    @property
    def erasures(self) -> Path:
        """Who is to stay erased, and the audit records; only its owner may enter."""
        return self.root / "erasures"

    @property
    def locks(self) -> Path:
        """Lock files."""
        return self.root / "locks"

    def presence(self, run_id: str) -> Path:
        """Held by a run's process as long as it lives."""
        return self.locks / "runs" / run_id

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that dbt alone writes."""
        return self.root / "warehouse" / "warehouse.duckdb"

    def landed(self, table: str, day: date) -> Path:
        """A raw partition."""
        return self.landing / table / f"event_date={day}" / f"{table}.parquet"

    @property
    def quarantine(self) -> Path:
        """Rows that were set aside, with their reasons; inside the landing area."""
        return self.landing / "quarantine"

    def quarantined(self, table: str, day: date) -> Path:
        """Those of a partition."""
        return self.quarantine / f"{table}_{day}.parquet"

    def partition(self, table: str, day: date, name: str | None = None) -> Path:
        """A guarded partition."""
        return self.guarded / table / f"event_date={day}" / f"{name or table}.parquet"

    def whole(self, table: str) -> Path:
        """A guarded table without partitions."""
        return self.guarded / table / f"{table}.parquet"

    def model(self, path: str) -> Path:
        """What a Python asset computed; ``path`` is ``stage/table``."""
        return self.guarded / "models" / path / f"{path.rsplit('/', 1)[-1]}.parquet"

    def payload(self, day: date) -> Path:
        """The DSP payload of a run date."""
        return self.payloads / f"dsp_payload_{day}.json"

    def read_whole(self, table: str) -> pd.DataFrame:
        """A guarded table without partitions.

        Raises:
            MktError: it was never written.
        """
        if not self.whole(table).is_file():
            raise MktError(f"{table} is not there yet: materialize privacy/{table} first")
        return pd.read_parquet(self.whole(table))

    def prepare(self) -> None:
        """Make the folders, with the landing area closed to everyone but its owner."""
        self.closed(self.landing)
        for place in (self.guarded, self.warehouse.parent, self.serving, self.locks):
            place.mkdir(parents=True, exist_ok=True)

    def closed(self, place: Path) -> Path:
        """Make a folder that only its owner may enter, and keep it so."""
        place.mkdir(parents=True, exist_ok=True, mode=_CLOSED)
        # where it is closed already it may be another user's, who alone may change it
        if stat.S_IMODE(place.stat().st_mode) != _CLOSED:
            place.chmod(_CLOSED)
        return place

    def find(self, pattern: str) -> Iterator[Path]:
        """What lies below the data directory, in folders too that are links to another disk."""
        if not self.root.is_dir():
            return
        yield from self.root.rglob(pattern)
        # rglob follows no link but the one that it starts from
        for folder in sorted(self.root.iterdir()):
            if folder.is_symlink() and folder.is_dir():
                yield from folder.rglob(pattern)

    def sweep(self) -> int:
        """Remove what interrupted runs left half-written; only for who holds the run lock.

        So is a WAL beside a published version: versions are never written, so a client opened one
        read-write by mistake, and its changes would be shown to everybody else.
        """
        left = list(self.find(f"{TEMPORARY}*"))
        left += [w for w in self.serving.glob("v-*.wal") if process_with(w.with_suffix("")) is None]
        for path in left:
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
        return len(left)

    def write_model(self, table: Table, frame: pd.DataFrame, build_id: str) -> Path:
        """Replace a model table, typed as its contract says and stamped with its warehouse build.

        Raises:
            MktError: ``frame`` lacks a column of the contract, or its rows break it; what was there
                before stays.
        """
        missing = [c.name for c in table.columns if c.name not in frame]
        if missing:
            raise MktError(
                f"{table.path} was computed without {', '.join(missing)}: a bug, report it"
            )
        typed = ", ".join(f'cast("{c.name}" as {c.type}) as "{c.name}"' for c in table.columns)
        target = self.model(table.path)
        with duckdb.connect() as con, replacing(target) as writing:
            con.register("computed", frame)
            con.execute(
                f"copy (select {typed} from computed) to '{sql_text(writing)}' "
                "(format parquet, compression zstd, "
                f"kv_metadata {{{BUILD_ID}: '{sql_text(build_id)}'}})"
            )
            broken = violations(con, table, writing)
            if broken:
                raise MktError(
                    f"{'; '.join(broken)}: not written, the table before stays; a bug, report it"
                )
        return target

    def read_model(self, path: str) -> pd.DataFrame:
        """A model table that an earlier asset wrote.

        Raises:
            MktError: it was never written.
        """
        target = self.model(path)
        if not target.is_file():
            raise MktError(f"{path} is not there yet: materialize it first ({target} is missing)")
        return pd.read_parquet(target)

    def build_of(self, path: str) -> str:
        """The warehouse build that a model table came from."""
        metadata = pq.read_schema(self.model(path)).metadata or {}
        return str(metadata.get(BUILD_ID.encode(), b"unknown").decode())


@contextmanager
def replacing(path: Path, *, mode: int = 0o644) -> Iterator[Path]:
    """A temporary path to write: it becomes ``path`` when the body ends well, else it goes."""
    make_folder(path.parent)
    writing = path.parent / f"{TEMPORARY}{path.name}"
    try:
        yield writing
        writing.chmod(mode)
        sync(writing)
        writing.replace(path)
        sync(path.parent)
    finally:
        writing.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, so that a power cut cannot take the name away again."""
    missing = [place for place in (path, *path.parents) if not place.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for place in missing:
        sync(place.parent)


def sync(path: Path) -> None:
    """Ask the kernel to put a file, or a folder's entries, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sql_text(value: object) -> str:
    """``value`` for the inside of an SQL string literal, where a statement takes no parameters."""
    return str(value).replace("'", "''")
