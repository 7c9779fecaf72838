"""The proof of an erasure: is anything of these people left in any file of the data directory?

Parquet and DuckDB files are decoded and every value is looked at, nested ones too; every other file
(logs, Dagster's history, dbt's artifacts, payloads, reports) is searched as bytes. Left out are the
keys and the erasure list itself, whose keyed pseudonyms keep the people out. What cannot be seen:
copies outside of the data directory, blocks that the file system has freed, and people of whom a
rotation kept no computable pseudonym (``unlinked`` says where).
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake
from mkt_assets.privacy import erasure, erasure_list, quiet
from mkt_assets.privacy.event_columns import OWN_ID_LENGTH
from mkt_assets.privacy.persons import by_contact, refuse_unknown_contacts
from mkt_assets.privacy.pseudonyms import KeyRing, make_pseudonyms
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import parquet
from mkt_assets.privacy.stored_forms import forms
from mkt_assets.privacy.subjects import Subjects
from mkt_assets.privacy.unlinked import chains

_DUCKDB: Final = frozenset({".duckdb", ".db"})
#: the raw columns that name a person
IDENTIFIERS: Final = frozenset({"user_pseudo_id", "user_id", "subject_id"})


def remains(lake: Lake, ring: KeyRing, subjects: Subjects | None) -> dict[str, int]:
    """Where something is left: file, below the data directory -> values or places in it.

    Args:
        lake: the data directory.
        ring: the live keys; people are looked for under each.
        subjects: whom to look for, by identifier and by pseudonym; None for everybody on the
            erasure list, of whom only pseudonyms are known.

    Raises:
        MktError: there is nobody to look for, nothing tells whose an address is, or a file cannot
            be read; never with a value in it.
    """
    names = _sought(lake, ring, subjects)
    if not names:
        raise MktError("nobody was erased yet: give --subject-file to look for somebody")
    found: dict[str, int] = {}
    with quiet.connect(lake.closed(lake.landing)) as con:
        if subjects is not None:
            refuse_unknown_contacts(lake, ring, subjects)
            names |= {name for _, name in by_contact(con, lake, ring, subjects)}
        names -= _returned(con, lake)
        _register(con, names)
        for path in _files(lake):
            if n := _count(con, path, names) or _raw_rows(con, lake, path, ring):
                found[str(path.relative_to(lake.root))] = n
    return found


def _returned(con: duckdb.DuckDBPyConnection, lake: Lake) -> set[str]:
    """Who came again after the erasure, with consent: what is stored of them is new."""
    listed = erasure_list.place(lake)
    seen = [
        f"select unnest([{', '.join(keys)}]) as name, {moment} as at from {relation}"
        for relation, keys, moment in erasure.stored(lake)
    ]
    if not listed.is_file() or not seen:
        return set()
    rows = quietly(
        con,
        f"""
        select listed.pseudonym
        from read_parquet($listed) as listed
        inner join ({" union all ".join(seen)}) as seen on seen.name = listed.pseudonym
        group by 1
        having min(seen.at) > max(epoch_us(listed.erased_at))
        """,
        {"listed": str(listed)},
    )
    return {name for (name,) in rows}


def _sought(lake: Lake, ring: KeyRing, subjects: Subjects | None) -> set[str]:
    listed = erasure_list.read(lake).to_pylist()
    if subjects is None:
        return {row["pseudonym"] for row in listed}
    requests = {subjects.request_id(key) for key in ring.keys}
    linked = {row["pseudonym"] for row in listed if row["request_id"] in requests}
    # a shorter identifier is found in innocent text by accident; its pseudonym is not
    written = {i for i in subjects.identifiers if len(i) >= OWN_ID_LENGTH}
    known = chains(lake, ring)
    stored = {name for i in subjects.identifiers for _, name in forms(i, ring, known)}
    return written | linked | subjects.match_keys() | stored


def _files(lake: Lake) -> Iterator[Path]:
    apart = {lake.erasures, lake.root / "keys", lake.locks}
    for path in sorted(lake.find("*")):
        is_file = path.is_file() and not path.is_symlink()
        if is_file and not apart & set(path.parents):
            yield path


def _register(con: duckdb.DuckDBPyConnection, names: Collection[str]) -> None:
    con.register("sought_names", pa.table({"name": sorted(names)}))
    # as a text is written inside JSON
    quietly(
        con,
        "create temp table sought as "
        "select distinct lower(trim(to_json(name)::varchar, chr(34))) as name from sought_names",
    )
    con.unregister("sought_names")


def _count(con: duckdb.DuckDBPyConnection, path: Path, names: Collection[str]) -> int:
    if path.name.startswith(".writing-"):
        return _places_in_bytes(path, names)  # half-written: nothing can decode it
    if path.suffix == ".parquet":
        return _rows_with(con, parquet(path))
    if path.suffix in _DUCKDB and _is_duckdb(path):
        return _rows_of_database(con, path)
    return _places_in_bytes(path, names)


def _rows_with(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Rows any value of which holds a name; a row is looked at as one text, nested values too."""
    ((rows,),) = quietly(
        con,
        f"with lines as (select lower(to_json(told)::varchar) as line from {relation} as told) "
        "select count(*) from lines "
        "where exists (select 1 from sought where contains(line, sought.name))",
    )
    return int(rows)


def _raw_rows(con: duckdb.DuckDBPyConnection, lake: Lake, path: Path, ring: KeyRing) -> int:
    """Raw identifiers that are theirs, however they are spelled."""
    if lake.landing not in path.parents or path.suffix != ".parquet":
        return 0
    told = {name for name, *_ in quietly(con, f"describe select * from {parquet(path)}")}
    found = 0
    for column in sorted(IDENTIFIERS & told):
        for key in ring.keys:
            make_pseudonyms(
                con,
                identifiers=f"select {column}::varchar as raw from {parquet(path)}",
                key=key,
                table="sought_people",
            )
            ((n,),) = quietly(
                con,
                "select count(*) from sought_people where pseudonym in (select name from sought) "
                "or stand_in in (select name from sought)",
            )
            found += n
            quietly(con, "drop table sought_people")
    return found


def _is_duckdb(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(12)[8:] == b"DUCK"


def _rows_of_database(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    quoted = str(path).replace("'", "''")
    quietly(con, f"attach '{quoted}' as looked_at (read_only)")
    try:
        tables = quietly(
            con,
            "select schema_name, table_name from duckdb_tables() where database_name = 'looked_at'",
        )
        return sum(_rows_with(con, f'looked_at."{schema}"."{table}"') for schema, table in tables)
    finally:
        quietly(con, "detach looked_at")


def _places_in_bytes(path: Path, names: Collection[str]) -> int:
    if path.stat().st_size == 0:
        return 0
    wanted = {form for name in names for form in _forms(name)}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return sum(content.find(form) >= 0 for form in wanted)


def _forms(name: str) -> set[bytes]:
    """A name as text, and as it is written inside JSON."""
    return {name.encode(), json.dumps(name)[1:-1].encode()}
