"""Which rows were set aside: by reason the first one's file and row, to be mended at the source.

The rows' texts stay in the closed area; a file's name and a row's number are nobody's data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from mkt_assets.in_memory import asking
from mkt_assets.lake import Lake, sql_text
from mkt_assets.redaction import redact_place

#: of that many reasons an example is told
_TOLD = 5


def aside_path(lake: Lake, table: str, number: int, day: date | None = None) -> Path:
    """Where the rows of one source file go that could not be read; of a whole table without day."""
    stem = f"{table}_{day}" if day else table
    return lake.quarantine / f"{stem}-{number}.parquet"


def aside_files(lake: Lake, table: str, days: Sequence[date] = ()) -> list[Path]:
    """The files of ``aside_path`` that are there, of a table's days or of a whole table."""
    stems = [f"{table}_{day}" for day in days] or [table]
    found = (lake.quarantine.glob(f"{stem}-[0-9]*.parquet") for stem in stems)
    return [path for paths in found for path in sorted(paths)]


def forget_aside(lake: Lake, table: str, days: Sequence[date] = ()) -> None:
    """What is landed again must not keep the rows set aside from an older file."""
    for old in aside_files(lake, table, days):
        old.unlink()


def first_rows(lake: Lake, table: str, days: Sequence[date] = (), also: Iterable[Path] = ()) -> str:
    """By reason the first row that was set aside, in words; empty where there is none.

    Args:
        lake: the data directory.
        table: whose rows.
        days: its partitions; none for a table without.
        also: more files with ``reason``, ``source_file`` and ``source_row``, which counts from 1
            below the header.
    """
    files = [*aside_files(lake, table, days), *(path for path in also if path.is_file())]
    if not files:
        return ""
    listed = ", ".join(f"'{sql_text(path)}'" for path in files)
    with asking() as con:
        found = con.execute(
            "select reason, arg_min(source_file, (source_file, source_row)), "
            "arg_min(source_row, (source_file, source_row)) "
            f"from read_parquet([{listed}], union_by_name = true) group by 1 order by 1 limit ?",
            [_TOLD],
        ).fetchall()
    return "; ".join(f"{why}: {redact_place(file)}, row {row}" for why, file, row in found)
