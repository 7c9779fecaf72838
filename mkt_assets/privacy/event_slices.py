"""A large partition in slices of raw rows, so that memory depends on the slice and not on the day.

A slice is a range of row groups or of whole files, read without touching the others. What stays
out: what is done with the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import parquet

#: rows of a slice; with a million, joins and dictionaries of a slice take some 300 MB
SLICE_ROWS: Final = 1_000_000
#: up to this many times as many rows are one slice: cutting costs about a tenth
_LEEWAY: Final = 1.5
#: bits of a ``row_id`` that hold the row's number within its file (see ``raw_files.numbered``)
_ROW_BITS: Final = 40


@dataclass(frozen=True)
class Slice:
    """FROM items for one slice.

    Attributes:
        raw: its raw rows with ``row_id``.
        kept: its rows of ``guard_decided`` that are kept.
        people: the rows of ``guard_people`` that its kept rows need, by ``device``.
        within: its rows of ``guard_decided``, a condition; None where these are all.
    """

    raw: str
    kept: str = "(from guard_decided where fate = 'kept')"
    people: str = "(select rowid as device, * from guard_people)"
    within: str | None = None


@dataclass(frozen=True)
class _Range:
    """From one row of one file up to another row, the last one excluded."""

    first_file: int
    first_row: int
    last_file: int
    end_row: int

    def slice(self, landing: Path) -> Slice:
        within = f"file_index >= {self.first_file} and file_index <= {self.last_file}"
        # only a slice within one file can be cut by row
        if self.first_file == self.last_file:
            within += (
                f" and file_row_number >= {self.first_row} and file_row_number < {self.end_row}"
            )
        low = (self.first_file << _ROW_BITS) + self.first_row
        high = (self.last_file << _ROW_BITS) + self.end_row
        return Slice(
            raw=f"(select *, (cast(file_index as bigint) << {_ROW_BITS}) + file_row_number "
            f"as row_id from {parquet(landing)} where {within})",
            kept="guard_kept",
            people="guard_kept_people",
            within=f"row_id >= {low} and row_id < {high}",
        )


def take(con: duckdb.DuckDBPyConnection, part: Slice) -> None:
    """Make what ``part.kept`` and ``part.people`` name, before anything is asked of a slice.

    Makes nothing where they are named by themselves.
    """
    if part.within is None:
        return
    kept = f"from guard_decided where fate = 'kept' and {part.within}"
    people = (
        "select rowid as device, * from guard_people where rowid in (select device from guard_kept)"
    )
    quietly(con, f"create or replace temp table guard_kept as {kept}")
    quietly(con, f"create or replace temp table guard_kept_people as {people}")


def slices(con: duckdb.DuckDBPyConnection, landing: Path, raw: str) -> list[Slice]:
    """The slices of a partition, in the order of its files; one where it is small enough.

    Args:
        con: the connection.
        landing: the raw rows, one Parquet file or a folder of them.
        raw: all of them, a FROM item with ``row_id``.
    """
    files = quietly(
        con, f"select file_index, count(*) from {parquet(landing)} group by all order by all"
    )
    if sum(rows for _, rows in files) <= _LEEWAY * SLICE_ROWS:
        return [Slice(raw)]
    return [found.slice(landing) for found in _ranges(files)]


def _ranges(files: Iterable[tuple[int, int]]) -> Iterator[_Range]:
    """Small files together, large ones cut."""
    first, last, rows_so_far, end = None, 0, 0, 0
    for file, rows in files:
        if first is not None and rows_so_far + rows > SLICE_ROWS:
            yield _Range(first, 0, last, end)
            first, rows_so_far = None, 0
        if rows > _LEEWAY * SLICE_ROWS:
            for start in range(0, rows, SLICE_ROWS):
                yield _Range(file, start, file, min(start + SLICE_ROWS, rows))
            continue
        first = file if first is None else first
        last, rows_so_far, end = file, rows_so_far + rows, rows
    if first is not None:
        yield _Range(first, 0, last, end)
