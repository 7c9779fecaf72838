"""Rows taken out of a stored partition after the fact, with the ledger told what became of them.

What stays out: which rows, and why (``erasure``, ``late_denials``).
"""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from mkt_assets.lake import Lake, replacing, sql_text
from mkt_assets.privacy.ledger import lines_path, stored_rows
from mkt_assets.privacy.lineage import LEDGER_SCHEMA
from mkt_assets.privacy.lineage_history import replace_lines
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import numbered, parquet

#: reason -> the column of the ledger that counts it
_COUNTED_AS: Final = {"erased": "rows_erased", "consent_denied": "rows_dropped_consent"}


def take_out(  # noqa: PLR0913 - each is needed, none belongs to another
    con: duckdb.DuckDBPyConnection,
    lake: Lake,
    path: Path,
    *,
    is_meant: str,
    reason: str,
    now: datetime,
) -> None:
    """Replace a partition without some rows; may be interrupted and called again.

    Args:
        con: the connection.
        lake: the data directory.
        path: the partition; rows are ``told`` in the condition.
        is_meant: a condition, true for the rows to take out.
        reason: ``erased`` or ``consent_denied``.
        now: when a ledger line that vanishes is said to have been superseded.
    """
    meant = f"coalesce({is_meant}, false)"
    if quietly(con, f"select 1 from {parquet(path)} as told where {meant} limit 1"):
        # ordered, so that the bytes do not depend on the number of threads
        kept = (
            f"select told.* exclude (row_id) from {numbered(path)} as told "
            f"where not {meant} order by row_id"
        )
        with replacing(path) as writing:
            quietly(
                con, f"copy ({kept}) to '{sql_text(writing)}' (format parquet, compression zstd)"
            )
    _correct_ledger(con, lake, path, reason, now)


def _correct_ledger(
    con: duckdb.DuckDBPyConnection, lake: Lake, path: Path, reason: str, now: datetime
) -> None:
    """Rows that a line says are kept and that are there no more were taken out."""
    table, is_whole = path.stem, path.parent.name == path.stem
    day = None if is_whole else date.fromisoformat(path.parent.name.removeprefix("event_date="))
    lines = pq.read_table(lines_path(lake, table, day)).to_pylist()
    if is_whole:
        # a log's rows carry no lineage: its lines give up rows in their order
        left = {None: pq.read_metadata(path).num_rows}
    else:
        counted = quietly(con, f"select lineage_id, count(*) from {parquet(path)} group by 1")
        left = dict(counted)
    for line in lines:
        owner = None if is_whole else line["lineage_id"]
        told, there = stored_rows(line), left.get(owner, 0)
        gone = max(told - there, 0)
        left[owner] = max(there - told, 0)
        if gone:
            line["rows_kept"] -= gone
            line[_COUNTED_AS[reason]] += gone
            reasons = json.loads(line["reasons"])
            reasons[reason] = reasons.get(reason, 0) + gone
            line["reasons"] = json.dumps(dict(sorted(reasons.items())))
    replace_lines(lake, table, day, pa.Table.from_pylist(lines, schema=LEDGER_SCHEMA), now=now)
