"""The cells of an ad report as they stand in the file; what stays out: what they mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mkt_assets.errors import InputError
from mkt_assets.ingest import file_formats, own_columns, text_rows


@dataclass(frozen=True)
class Fault:
    """A row that could not be told apart into cells."""

    row: int
    reason: str
    raw: str


@dataclass(frozen=True)
class Cells:
    """Header -> cells of the readable rows; ``rows`` numbers them as in the file, from 1."""

    headers: list[str]
    columns: dict[str, Sequence[object]]
    rows: list[int]
    #: the text of a row by its place in ``rows``; made only for those that are asked for
    raw: Callable[[int], str]
    faults: list[Fault] = field(default_factory=list)
    #: the columns with their types, as far as the file has any (see ``own_columns``)
    types: dict[str, str] = field(default_factory=dict)

    @property
    def rows_in(self) -> int:
        """All rows of the file."""
        return len(self.rows) + len(self.faults)


def read(path: Path, *, allow_empty: bool = False) -> Cells:
    """Read a CSV, NDJSON or Parquet file, the first two plain or gzipped.

    A file with a header but no rows is refused, unless ``allow_empty``: the file of a day without
    campaigns is an empty day.

    Raises:
        InputError: the file is missing, empty, damaged, or of another kind.
    """
    readers = {"csv": _csv, "ndjson": _ndjson, "parquet": _parquet}
    cells = readers[file_formats.recognise(path)](path)
    if not cells.rows_in and not allow_empty:
        raise InputError(
            "the file has a header but no rows", file=path, remedy="Export it again, with data."
        )
    return cells


def _csv(path: Path) -> Cells:
    headers = text_rows.csv_header(path)
    good: list[text_rows.Record] = []
    faults: list[Fault] = []
    for record in text_rows.csv_records(path):
        if record.fields is None:
            faults.append(Fault(record.row, record.fault or "malformed", record.raw))
        else:
            good.append(record)
    by_place = list(zip(*(record.fields or () for record in good), strict=True))
    by_place = by_place or [() for _ in headers]
    return Cells(
        headers,
        dict(zip(headers, by_place, strict=True)),
        [record.row for record in good],
        lambda place: good[place].raw,
        faults,
        own_columns.from_headers(headers),
    )


def _ndjson(path: Path) -> Cells:
    objects: list[dict[str, object]] = []
    good: list[text_rows.Record] = []
    faults: list[Fault] = []
    for record in text_rows.json_lines(path):
        told = None if record.fields is None else _object(record.raw)
        if told is None:
            faults.append(Fault(record.row, record.fault or "malformed", record.raw))
        else:
            objects.append(told)
            good.append(record)
    headers = list(dict.fromkeys(name for told in objects for name in told))
    return Cells(
        headers,
        {name: [_plain(told.get(name)) for told in objects] for name in headers},
        [record.row for record in good],
        lambda place: good[place].raw,
        faults,
    )


def _object(line: str) -> dict[str, object] | None:
    try:
        told = json.loads(line)
        if "\\u" in line:
            # half of a sign that takes two can be written nowhere
            json.dumps(told, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _parquet(path: Path) -> Cells:
    try:
        # ParquetFile, since read_table invents columns from folders called key=value
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            "the Parquet file is damaged", file=path, remedy="Transfer or export it again."
        ) from error
    columns = zip(table.column_names, table.columns, strict=True)
    return Cells(
        table.column_names,
        {name: [_plain(value) for value in column.to_pylist()] for name, column in columns},
        list(range(1, table.num_rows + 1)),
        lambda place: json.dumps(table.slice(place, 1).to_pylist()[0], default=str),
        types=own_columns.from_arrow(table.schema),
    )


def _plain(value: object) -> object:
    """A cell without structure; a nested value is text, which no number or date column accepts."""
    return json.dumps(value, default=str) if isinstance(value, dict | list) else value
