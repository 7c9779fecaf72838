"""Text exports to a Parquet file of raw text columns that DuckDB can type; what stays out: types.

CSV goes through our own reader, since DuckDB's guesses another dialect when lines are ragged and
forgets lines that it rejects; every line must be accounted for.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb.sqltypes import DuckDBPyType

from mkt_assets.errors import InputError
from mkt_assets.ingest import file_formats, text_rows
from mkt_assets.ingest import headers as column_names
from mkt_assets.lake import sql_text

#: our own columns beside the file's: row number, text of the row, why it could not be read
ROW, RAW, FAULT = "_mkt_row", "_mkt_raw", "_mkt_fault"
_OURS = (ROW, RAW, FAULT)
#: rows held in memory at once
_BATCH = 20_000
#: DuckDB packs a record by the square of its fields: 10,000 take seconds, each time it is asked for
_MOST_PACKED = 500


@dataclass(frozen=True)
class Rows:
    """The rows of an export as an SQL relation, and the types of the file's own columns.

    The relation also has ``ROW``, ``RAW`` and ``FAULT``. NDJSON has no columns of its own: its
    lines are in ``RAW``.
    """

    relation: str
    types: dict[str, DuckDBPyType]
    kind: file_formats.Format

    def column(self, name: str) -> str | None:
        """The file's spelling of ``name``, which is compared without case."""
        return next((own for own in self.types if own.lower() == name.lower()), None)


def open_rows(con: duckdb.DuckDBPyConnection, path: Path, folder: Path) -> Rows:
    """Open an export; text is staged in ``folder``, which must be closed to others.

    Raises:
        InputError: the file is missing, empty, damaged, or of another kind.
    """
    kind = file_formats.recognise(path)
    if kind == "parquet":
        relation = (
            f"(select * exclude (file_row_number), file_row_number + 1 as {ROW}, "
            f"null::varchar as {FAULT}, to_json(told)::varchar as {RAW} "
            f"from read_parquet('{sql_text(path)}', file_row_number = true, "
            "hive_partitioning = false) as told)"
        )
    else:
        staged = folder / "rows.parquet"
        (_stage_lines if kind == "ndjson" else _stage_csv)(path, staged)
        relation = f"(from read_parquet('{sql_text(staged)}', hive_partitioning = false))"
    described = ask(con, f"describe {relation}", path)
    types = {name: duckdb.sqltype(type_) for name, type_, *_ in described if name not in _OURS}
    if kind == "csv" and len(types) <= _MOST_PACKED:
        cells = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in types)
        whole = f"coalesce({RAW}, to_json(struct_pack({cells}))::varchar)"
        relation = f"(select * replace ({whole} as {RAW}) from {relation})"
    return Rows(relation, types, kind)


def ask(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> list[tuple[Any, ...]]:
    """Run a query that reads ``path`` and fetch everything; DuckDB's own errors quote cells.

    Raises:
        InputError: the file is damaged where DuckDB looked only now.
        duckdb.Error: there is no room for what is written; that is not the file's fault.
    """
    try:
        return con.execute(query).fetchall()
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        if os.strerror(errno.ENOSPC) in str(error):
            raise
        fault = type(error).__name__
    # raised outside of the handler: inside, the original error would hang on as its context
    raise InputError(
        f"the file is damaged ({fault})", file=path, remedy="Transfer or export it again."
    )


def quoted(name: str) -> str:
    """``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _stage_lines(path: Path, staged: Path) -> None:
    schema = pa.schema([(ROW, pa.int64()), (RAW, pa.string()), (FAULT, pa.string())])
    records = text_rows.json_lines(path)
    with pq.ParquetWriter(staged, schema, compression="lz4") as writer:
        for batch in _batches(records):
            columns = [[r.row for r in batch], [r.raw for r in batch], [r.fault for r in batch]]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _stage_csv(path: Path, staged: Path) -> None:
    headers = text_rows.csv_header(path)
    times = Counter(header.lower() for header in headers)
    repeated = {header for header in headers if times[header.lower()] > 1}
    if repeated:
        raise InputError(
            "two columns have one name",
            file=path,
            column=column_names.shown(min(repeated), among=headers),
            remedy="Remove or rename one of them.",
        )
    schema = pa.schema(
        [(name, pa.string()) for name in headers]
        + [(ROW, pa.int64()), (RAW, pa.string()), (FAULT, pa.string())]
    )
    nothing = [None] * len(headers)
    keeps_text = len(headers) > _MOST_PACKED
    with pq.ParquetWriter(staged, schema, compression="lz4") as writer:
        for batch in _batches(text_rows.csv_records(path)):
            cells = zip(*(r.fields or nothing for r in batch), strict=True)
            columns = [
                *(pa.array([cell or None for cell in column], pa.string()) for column in cells),
                pa.array([r.row for r in batch], pa.int64()),
                # the text of a good row is in its cells, and packed from them where it is asked for
                pa.array([r.raw if keeps_text or r.fault else None for r in batch], pa.string()),
                pa.array([r.fault for r in batch], pa.string()),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _batches(records: Iterator[text_rows.Record]) -> Iterator[list[text_rows.Record]]:
    while batch := list(islice(records, _BATCH)):
        yield batch
