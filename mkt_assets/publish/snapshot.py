"""The published file: a versioned, read-only copy of everything, swapped in by one rename.

Readers open ``serving/mkt_bi.duckdb``, a symlink. A version is written whole beside it in a
storage format that older clients read, checkpointed and detached so that no WAL is left, and only
then linked.
What stays out: deciding whether it may be published (that is `checks.py`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from mkt_assets.contracts import PUBLICATION, Table
from mkt_assets.errors import MktError
from mkt_assets.lake import Lake, make_folder, sql_text, sync
from mkt_assets.locks import process_with
from mkt_assets.warehouse import Build, fingerprint

LINK = "mkt_bi.duckdb"
#: DuckDB 2.0's own format opens in no 1.x client, and most BI tools embed one
STORAGE_VERSION = "v1.2.0"
#: a reader that opened the version before last still finds its Parquet twins
KEPT_VERSIONS = 3


@dataclass(frozen=True)
class Publication:
    """What is said about one published version."""

    run_id: str
    published_at: datetime
    build: Build
    absent: Mapping[str, str]


@dataclass(frozen=True)
class Published:
    """One published version: its file and the rows of each table."""

    path: Path
    rows: dict[str, int]


def publish(
    lake: Lake, marts: Sequence[str], models: Sequence[Table], publication: Publication
) -> Published:
    """Write the next version and swap it in; on any failure the last good one stays.

    Raises:
        MktError: a model was computed from another build of the marts, or is missing; or the
            warehouse does not hold that build.
        duckdb.Error: the version could not be written, on a full disk for instance.
    """
    refuse_mixed_builds(lake, models, publication.build.id)
    make_folder(lake.serving / "parquet")
    if (lake.serving / LINK).exists():
        # what was killed before it was linked is no version, and must not count as one later
        prune(lake)
    version = _next_version(lake)
    writing = lake.serving / f".writing-{version}.duckdb"
    twins = lake.serving / "parquet" / f".writing-{version}"
    final = lake.serving / f"{version}.duckdb"
    try:
        rows = _write(lake, (writing, twins), marts, models, publication)
        writing.chmod(0o444)
        sync(writing)
        twins.replace(twins.with_name(version))
        sync(twins.parent)
        writing.replace(final)
        # the file is on the disk under its name before anything points to it
        sync(lake.serving)
        _link(lake.serving / LINK, final)
    finally:
        for leftover in lake.serving.glob(f".writing-{version}*"):
            leftover.unlink()
        shutil.rmtree(twins, ignore_errors=True)
    prune(lake)
    lake.outdated.unlink(missing_ok=True)
    return Published(final, rows)


def refuse_mixed_builds(lake: Lake, models: Sequence[Table], build_id: str) -> None:
    """Raise when a model was not computed from the marts that would be published beside it."""
    missing = [m.path for m in models if not lake.model(m.path).is_file()]
    if missing:
        raise MktError(
            f"not yet materialized: {', '.join(missing)}. Materialize them, then publish."
        )
    stale = [m.path for m in models if lake.build_of(m.path) != build_id]
    if stale:
        raise MktError(
            f"{', '.join(stale)} were computed from other marts than build {build_id}. "
            "Materialize them again, then publish: figures of two builds are never mixed."
        )


def refuse_other_marts(con: duckdb.DuckDBPyConnection, marts: Sequence[str], build: Build) -> None:
    """Raise when what was copied is not, row by row, what the build is known to hold."""
    other = [m for m in marts if fingerprint(con, f"snap.marts.{m}") != build.tables.get(m)]
    if other:
        raise MktError(
            f"marts.{', marts.'.join(other)} in the warehouse are not those of build {build.id}: "
            "dbt was run beside the platform. Materialize the marts and what is computed from "
            "them, then publish."
        )


def _write(
    lake: Lake,
    places: tuple[Path, Path],
    marts: Sequence[str],
    models: Sequence[Table],
    publication: Publication,
) -> dict[str, int]:
    writing, twins = places
    twins.mkdir(parents=True)
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute(f"attach {_text(writing)} as snap (storage_version {_text(STORAGE_VERSION)})")
        con.execute(f"attach {_text(lake.warehouse)} as built (read_only)")
        con.execute("create schema snap.marts")
        con.execute("begin")
        for mart in marts:
            con.execute(f"create table snap.marts.{mart} as from built.marts.{mart}")
            _copy_comments(con, mart)
        for model in models:
            place = _text(lake.model(model.path))
            con.execute(f"create table snap.marts.{model.name} as from read_parquet({place})")
            _comment(con, model)
        refuse_other_marts(con, marts, publication.build)
        rows = {name: _count(con, name) for name in [*marts, *(m.name for m in models)]}
        _describe(con, publication, rows)
        con.execute("commit")
        for name in [*rows, "publication"]:
            out = twins / f"{name}.parquet"
            con.execute(
                f"copy snap.marts.{name} to {_text(out)} (format parquet, compression zstd)"
            )
            sync(out)
        sync(twins)
        con.execute("checkpoint snap")
        con.execute("detach snap")
    return rows


def _describe(
    con: duckdb.DuckDBPyConnection, publication: Publication, rows: Mapping[str, int]
) -> None:
    lineage: list[str] = []
    if "lineage_ledger" in rows:
        found = con.execute("select distinct lineage_id from snap.marts.lineage_ledger order by 1")
        lineage = [row[0] for row in found.fetchall()]
    columns = ", ".join(f"${c.name}::{c.type} as {c.name}" for c in PUBLICATION.columns)
    con.execute(
        f"create table snap.marts.publication as select {columns}",
        {
            "run_id": publication.run_id,
            "published_at": publication.published_at,
            "build_id": publication.build.id,
            "lineage_ids": lineage,
            "row_counts": {"key": list(rows), "value": list(rows.values())},
            "absent": {
                "key": list(publication.absent),
                "value": list(publication.absent.values()),
            },
        },
    )
    for c in PUBLICATION.columns:
        con.execute(f"comment on column snap.marts.publication.{c.name} is {_text(c.description)}")


def _copy_comments(con: duckdb.DuckDBPyConnection, mart: str) -> None:
    told = con.execute(
        "select column_name, comment from duckdb_columns() where database_name = 'built' "
        "and schema_name = 'marts' and table_name = ? and comment is not null",
        [mart],
    ).fetchall()
    for column, comment in told:
        con.execute(f'comment on column snap.marts.{mart}."{column}" is {_text(comment)}')


def _comment(con: duckdb.DuckDBPyConnection, model: Table) -> None:
    con.execute(f"comment on table snap.marts.{model.name} is {_text(model.description)}")
    for column in model.columns:
        words = f"{column.description} [{column.unit}]" if column.unit else column.description
        con.execute(f'comment on column snap.marts.{model.name}."{column.name}" is {_text(words)}')


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    found = con.execute(f"select count(*) from snap.marts.{table}").fetchone()
    return int(found[0]) if found else 0


def _text(value: object) -> str:
    return f"'{sql_text(value)}'"


def _link(link: Path, target: Path) -> None:
    swap = link.with_name(f".writing-{link.name}")
    swap.unlink(missing_ok=True)
    swap.symlink_to(target.name)
    swap.replace(link)
    sync(link.parent)


def prune(lake: Lake) -> None:
    """Remove old versions, each with its twins and with the WAL of a client that wrote to it.

    The last ones stay, the linked one among them, and so does one that a reader has open. After an
    erasure, or when a key was retired, only the linked one stays: an older one knows whom it is
    about, and a reader that has it open reads on, since an open file outlives its name.
    """
    versions = {_number(path.stem): path for path in lake.serving.glob("v-*.duckdb")}
    linked = _number((lake.serving / LINK).resolve().stem)
    # newer than the linked one is what was killed before it was linked
    published = sorted((n for n in versions if n <= linked), reverse=True)
    kept = set(published[: 1 if lake.outdated.exists() else KEPT_VERSIONS])
    for number in versions.keys() - kept:
        if lake.outdated.exists() or process_with(versions[number]) is None:
            for path in (versions[number], Path(f"{versions[number]}.wal")):
                path.unlink(missing_ok=True)
    for twins in (lake.serving / "parquet").glob("v-*"):
        if not (lake.serving / f"{twins.name}.duckdb").exists():
            shutil.rmtree(twins)


def _next_version(lake: Lake) -> str:
    """A name that sorts after every other, also when the clock was put back."""
    there = [_number(path.stem) for path in lake.serving.glob("v-*.duckdb")]
    return f"v-{max(time.time_ns(), *(n + 1 for n in there), 0)}"


def _number(version: str) -> int:
    """The number of a version's name; -1 of what is no version."""
    number = version.removeprefix("v-")
    return int(number) if number.isdecimal() else -1
