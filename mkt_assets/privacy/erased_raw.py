"""Erased people in the landing area: raw files are copies, so those that hold them are removed.

Only the contacts are rewritten, since nothing else tells whose an address is. What stays out: the
lake and the vault (``erasure``), and how long anything lies here (``retention``).
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

import duckdb

from mkt_assets.ingest.sources import (
    CONSENT,
    CONTACTS,
    EVENTS,
    Landed,
    raw_whole,
    read_manifest,
    write_manifest,
)
from mkt_assets.lake import Lake, replacing, sql_text
from mkt_assets.privacy.erased_rows import find_erased
from mkt_assets.privacy.erasure_list import Listed
from mkt_assets.privacy.event_columns import OWN_ID_LENGTH
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import numbered, parquet
from mkt_assets.privacy.subjects import Subjects

#: what the raw tables know a person by, and when: identifiers, microseconds
_RAW: Final[dict[str, tuple[tuple[str, ...], str | None]]] = {
    EVENTS: (("user_pseudo_id", "user_id"), "event_timestamp"),
    CONSENT: (("subject_id",), "epoch_us(changed_at)"),
    CONTACTS: (("subject_id",), None),
}


def landed(lake: Lake, days: Sequence[date] | None) -> list[tuple[str, Path]]:
    """The raw files that may hold a person, by table: of ``days``, or all."""
    folders = lake.landing.glob(f"{EVENTS}/event_date=*")
    if days is not None:
        folders = (lake.landed(EVENTS, day).parent for day in days)
    found = [(EVENTS, path) for folder in folders for path in folder.glob("*.parquet")]
    aside = lake.quarantine.glob("guard_events_*.parquet")
    found += [(EVENTS, path) for path in aside]
    return found + [(table, raw_whole(lake, table)) for table in (CONSENT, CONTACTS)]


def remove_raw(
    con: duckdb.DuckDBPyConnection, lake: Lake, names: Listed, files: Sequence[tuple[str, Path]]
) -> dict[str, int]:
    """Remove raw files that hold an erased person; they are copies that a run lands again.

    The contacts lose their rows only.
    """
    removed = {}
    for table, path in files:
        if not path.is_file():
            continue  # it was never landed, or went with its day
        identifiers, moment = _RAW[table]
        find_erased(
            con,
            names,
            raw=numbered(path),
            identifiers=identifiers,
            moment=moment,
            table="erased_raw",
        )
        ((rows,),) = quietly(con, "select count(*) from erased_raw")
        if rows:
            if table == CONTACTS:
                _rewrite_contacts(con, path)
            else:
                _remove_landed(lake, path)
            removed[str(path.relative_to(lake.root))] = 1
    quietly(con, "drop table if exists erased_raw")
    return removed


def _rewrite_contacts(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """The contacts without the erased: they are the only map from an address to its person.

    The manifest says of each file how many rows are gone, so that the ledger still adds up.
    """
    told = path.stat()
    theirs = "row_id in (select row_id from erased_raw)"
    counted = quietly(
        con, f"select source_file, count(*) from {numbered(path)} where {theirs} group by 1"
    )
    kept = f"select * exclude (row_id) from {numbered(path)} where not {theirs} order by row_id"
    manifest = read_manifest(path)
    with replacing(path, mode=0o600) as writing:
        quietly(con, f"copy ({kept}) to '{sql_text(writing)}' (format parquet, compression zstd)")
    # it was landed when it was landed: its retention does not begin anew
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    write_manifest(path, [_without(item, dict(counted)) for item in manifest])


def _without(item: Landed, gone: Mapping[str, int]) -> Landed:
    rows = gone.get(item.source.uri, 0)
    aside = Counter(item.quarantined) + Counter({"erased": rows})
    return dataclasses.replace(item, rows=item.rows - rows, quarantined=dict(aside))


def remove_unread(
    con: duckdb.DuckDBPyConnection, lake: Lake, subjects: Subjects | None
) -> dict[str, int]:
    """Remove rows set aside unread whose text holds an identifier: they have no column to ask."""
    sought = [i for i in subjects.identifiers if len(i) >= OWN_ID_LENGTH] if subjects else []
    removed = {}
    for path in sorted(lake.landing.rglob("*.parquet")):
        is_aside = "quarantine" in path.stem or path.parent == lake.quarantine
        if not sought or not is_aside:
            continue
        found = quietly(
            con,
            f"select 1 from {parquet(path)} as told, unnest(?::varchar[]) as wanted(name) "
            "where contains(lower(told::varchar), lower(wanted.name)) limit 1",
            [sought],
        )
        if found:
            path.unlink()
            removed[str(path.relative_to(lake.root))] = 1
    return removed


def _remove_landed(lake: Lake, path: Path) -> None:
    """A raw file with what lies beside it, and what was set aside from its day."""
    if path.parent == lake.quarantine:
        path.unlink()
        return
    day = path.parent.name.removeprefix("event_date=")
    for aside in lake.quarantine.glob(f"*_{day}*.parquet"):
        aside.unlink()
    shutil.rmtree(path.parent)
