"""Where personal data is looked for: the places of a data directory, each read in its own way.

The closed areas are left out: they hold what is personal, for their owner alone. What stays out:
what counts as a find (``scan``, ``scan_texts``), and when a run is stopped (``checks``).

Limits: of a database its rows are read, and not what deleted ones left in the file or its log.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from mkt_assets.contracts import forms_of
from mkt_assets.errors import MktError
from mkt_assets.lake import Lake, sql_text
from mkt_assets.privacy import quiet
from mkt_assets.privacy.judging import Finding
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.scan import Scanned, scan_tables
from mkt_assets.privacy.scan_texts import (
    Named,
    named_in_json,
    named_in_page,
    readable_runs,
    scan_named,
)

#: what may be personal or secret by design, and only its owner may enter
CLOSED: Final = ("landing", "vault", "keys", "erasures")
#: what dbt, Dagster and the libraries write of themselves
_TOOLS: Final = ("dagster", "dbt", "logs")
_DATABASES: Final = frozenset({".duckdb"})
_HISTORIES: Final = frozenset({".db", ".sqlite"})
_JSON: Final = frozenset({".json"})
_PAGES: Final = frozenset({".html", ".htm", ".svg"})
_PREFIX_OF_MODELS: Final = "models"
_MARTS: Final = "marts"


def scan_guarded(lake: Lake, table: str, days: Sequence[date] = ()) -> list[Finding]:
    """A guarded table: the partitions of ``days``, or all of it where none are given."""
    folder = lake.guarded / table
    with _connected(lake) as con:
        return _scan_folder(con, lake, folder, _files_of(folder, days))


def scan_models(lake: Lake, paths: Iterable[str]) -> list[Finding]:
    """Tables that Python computed."""
    with _connected(lake) as con:
        return scan_tables(con, [_parquet(lake, lake.model(path)) for path in paths])


def scan_marts(lake: Lake) -> list[Finding]:
    """What dbt built for publication and for the models."""
    with _connected(lake) as con:
        return _scan_database(con, lake, lake.warehouse, _MARTS)


def scan_version(lake: Lake, version: Path) -> list[Finding]:
    """A published file and its Parquet twins."""
    files = sorted((lake.serving / "parquet" / version.stem).glob("*.parquet"))
    with _connected(lake) as con, _attached(con, version):
        tables = _tables(con, lake, version)
        twins = {(_MARTS, file.stem): _parquet(lake, file) for file in files}
        asked = {name: [d[name] for d in (tables, twins) if name in d] for name in tables | twins}
        if not scan_tables(con, [one for alike in asked.values() for one in _together(con, alike)]):
            return []
        return [*scan_tables(con, tables.values()), *scan_tables(con, twins.values())]


def scan_file(lake: Lake, file: Path) -> list[Finding]:
    """A file that is no table: JSON, a page, a database of Dagster's history, or text."""
    named = _named_texts(file, is_tools=_named(lake, file).split("/")[0] in _TOOLS)
    return scan_named(_without_root(lake, named), _named(lake, file))


def scan_events(lake: Lake, events: Iterable[str]) -> list[Finding]:
    """Events of a Dagster run as Dagster stores them: metadata, messages, errors."""
    named = (named for event in set(events) for named in named_in_json(event, is_tools=True))
    return scan_named(_without_root(lake, named), "dagster")


def scan_reports(lake: Lake) -> list[Finding]:
    """Every report."""
    files = sorted((lake.root / "reports").rglob("*"))
    return [found for file in files if file.is_file() for found in scan_file(lake, file)]


def scan_everything(lake: Lake) -> dict[str, list[Finding]]:
    """Each place below the data directory, the closed areas left out, with what was found there."""
    if not lake.root.is_dir():
        raise MktError(f"there is nothing at {lake.root} yet: mkt demo or mkt run")
    found: dict[str, list[Finding]] = {}
    with _connected(lake) as con:
        for folder in sorted({_table_folder(lake, p) for p in lake.guarded.rglob("*.parquet")}):
            files = sorted(folder.rglob("*.parquet"))
            found.setdefault(lake.guarded.name, []).extend(_scan_folder(con, lake, folder, files))
        for file in _open_files(lake):
            place = file.relative_to(lake.root).parts[0]
            found.setdefault(place, []).extend(_scan_one(con, lake, file))
    return found


def _open_files(lake: Lake) -> Iterator[Path]:
    """Every file below the root that is no Parquet file of the lake; a link to a file is none."""
    for path in sorted(lake.find("*")):
        parts = path.relative_to(lake.root).parts
        is_table = parts[0] == lake.guarded.name and path.suffix == ".parquet"
        if not path.is_file() or path.is_symlink() or is_table or _is_log_of_history(path):
            continue
        if parts[0] not in CLOSED:
            yield path


def _is_log_of_history(path: Path) -> bool:
    """Whether SQLite reads it with the file beside it, while somebody writes that."""
    beside = Path(str(path).removesuffix("-wal").removesuffix("-shm"))
    is_there = beside != path and beside.is_file() and not beside.is_symlink()
    # https://www.sqlite.org/fileformat.html: versions 2 say that there may be a write-ahead log
    return is_there and _is_history(beside) and _head(beside)[18:] == b"\2\2"


def _is_history(file: Path) -> bool:
    return file.suffix in _HISTORIES and _head(file).startswith(b"SQLite format 3\0")


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(20)


def _scan_one(con: duckdb.DuckDBPyConnection, lake: Lake, file: Path) -> list[Finding]:
    if file.suffix in _DATABASES:
        return _scan_database(con, lake, file)
    if file.suffix == ".parquet":
        return scan_tables(con, [_parquet(lake, file)])
    return scan_file(lake, file)


def _scan_database(
    con: duckdb.DuckDBPyConnection, lake: Lake, file: Path, schema: str | None = None
) -> list[Finding]:
    """Every table of a DuckDB file, or of one of its schemas; views show what others hold."""
    with _attached(con, file):
        return scan_tables(con, _tables(con, lake, file, schema).values())


def _together(con: duckdb.DuckDBPyConnection, alike: Sequence[Scanned]) -> Iterator[Scanned]:
    """Tables of the same columns as one, since a query costs more than the rows of most tables."""
    columns = [quietly(con, f"describe from {one.relation}") for one in alike]
    if any(told != columns[0] for told in columns):
        yield from alike
        return
    rows = " union all ".join(f"from {one.relation}" for one in alike)
    yield Scanned(f"({rows})", alike[0].place, alike[0].forms)


@contextmanager
def _connected(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    with quiet.connect(lake.landing) as con:
        # a scan joins nothing, and looking for the order of joins is a fifth of its time
        quietly(con, "set disabled_optimizers = 'join_order'")
        yield con


@contextmanager
def _attached(con: duckdb.DuckDBPyConnection, file: Path) -> Iterator[None]:
    quietly(con, f"attach '{sql_text(file)}' as scanned (read_only)")
    try:
        yield
    finally:
        quietly(con, "detach scanned")


def _tables(
    con: duckdb.DuckDBPyConnection, lake: Lake, file: Path, schema: str | None = None
) -> dict[tuple[str, str], Scanned]:
    """The tables of the attached file, by schema and name."""
    tables = quietly(
        con,
        "select schema_name, table_name from duckdb_tables() where database_name = 'scanned' "
        "and ($schema is null or schema_name = $schema) order by all",
        {"schema": schema},
    )
    return {
        (within, table): Scanned(
            f'scanned."{within}"."{table}"',
            f"{_named(lake, file)} {within}.{table}",
            forms_of(table),
        )
        for within, table in tables
    }


def _scan_folder(
    con: duckdb.DuckDBPyConnection, lake: Lake, folder: Path, files: Sequence[Path]
) -> list[Finding]:
    """The files of one table together; where something is found, each by itself, to name it."""
    if not files:
        return []
    listed = ", ".join(f"'{sql_text(file)}'" for file in files)
    relation = f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
    whole = Scanned(relation, _named(lake, folder), forms_of(folder.name))
    if _have_one_type_a_column(lake, files) and not scan_tables(con, [whole]):
        return []
    return scan_tables(con, [_parquet(lake, file, folder.name) for file in files])


def _have_one_type_a_column(lake: Lake, files: Sequence[Path]) -> bool:
    """Whether no column changes its type: DuckDB would take one that fits all, and read no text."""
    types: dict[str, pa.DataType] = {}
    for file in files:
        try:
            schema = pq.read_schema(file)
        except (OSError, pa.ArrowException) as error:
            raise MktError(
                f"{_named(lake, file)} is no Parquet ({error}): make it again"
            ) from error
        if any(types.setdefault(column.name, column.type) != column.type for column in schema):
            return False
    return True


def _parquet(lake: Lake, file: Path, table: str | None = None) -> Scanned:
    relation = f"read_parquet('{sql_text(file)}', hive_partitioning = false)"
    return Scanned(relation, _named(lake, file), forms_of(table or file.stem))


def _files_of(folder: Path, days: Sequence[date]) -> list[Path]:
    files = sorted(folder.rglob("*.parquet"))
    asked = {f"event_date={day}" for day in days}
    return [f for f in files if not days or f.parent.name in asked or "=" not in f.parent.name]


def _table_folder(lake: Lake, file: Path) -> Path:
    parts = file.relative_to(lake.guarded).parts
    depth = 3 if parts[0] == _PREFIX_OF_MODELS else 1
    return lake.guarded.joinpath(*parts[:depth])


def _named(lake: Lake, path: Path) -> str:
    return str(path.relative_to(lake.root)) if path.is_relative_to(lake.root) else path.name


def _without_root(lake: Lake, named: Iterable[Named]) -> Iterator[Named]:
    """The installation's own folder may look like anything; it is nobody's data."""
    root = str(lake.root)
    return (
        one._replace(text=one.text.replace(root, "")) if root in one.text else one for one in named
    )


def _named_texts(file: Path, *, is_tools: bool) -> Iterator[Named]:
    if _is_history(file):
        yield from _history(file, is_tools=is_tools)
        return
    content = file.read_bytes()
    if b"\0" in content:
        yield from (Named("text", run, is_tools) for run in readable_runs(content))
        return
    text = content.decode("utf-8", "replace")
    if file.suffix in _JSON:
        yield from named_in_json(text, is_tools=is_tools)
    elif file.suffix in _PAGES:
        yield from named_in_page(text)
    else:
        yield from (Named("text", line, is_tools) for line in text.splitlines())


def _history(file: Path, *, is_tools: bool) -> Iterator[Named]:
    """Every text of an SQLite file; what is JSON is taken apart, what is compressed is unpacked."""
    with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as con:
        tables = con.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (table,) in tables:
            rows = con.execute(f'select * from "{table}"')
            names = [column[0] for column in rows.description]
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    text = _as_text(value)
                    yield from named_in_json(text, f"{table}.{name}", is_tools=is_tools)


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        with suppress(zlib.error):
            value = zlib.decompress(value)
        return str(value.decode("utf-8", "replace"))
    return value if isinstance(value, str) else ""
