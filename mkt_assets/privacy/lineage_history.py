"""Ledger lines that were replaced, kept so that yesterday's payload still finds its way back.

What stays out: the ledger's current lines, and what they mean (`ledger`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mkt_assets.lake import Lake, replacing
from mkt_assets.privacy.ledger import lines_path
from mkt_assets.privacy.lineage import LEDGER_SCHEMA

HISTORY: Final = "lineage_history"
SUPERSEDED_AT: Final = "superseded_at"
HISTORY_SCHEMA: Final = pa.schema(
    [*LEDGER_SCHEMA, pa.field(SUPERSEDED_AT, pa.timestamp("us", tz="UTC"))]
)

Line = Mapping[str, Any]


def history_path(lake: Lake, table: str, day: date | None) -> Path:
    """The superseded lines of one partition of one table; ``day`` is None for a whole table."""
    if day is not None:
        return lake.partition(HISTORY, day, table)
    return lake.guarded / HISTORY / "whole" / f"{table}.parquet"


def replace_lines(
    lake: Lake, table: str, day: date | None, lines: pa.Table, *, now: datetime
) -> None:
    """Replace the ledger lines of one partition: the one way to do so.

    Lines whose ``lineage_id`` vanishes go to the history first. Killed between the two, a line is
    in both for a while; repeating it adds nothing twice.

    Args:
        lake: the folders.
        table: whose rows the lines account for.
        day: the partition; None for a whole table.
        lines: the new lines, as ``lineage.ledger_rows`` makes them.
        now: what ``superseded_at`` will say.
    """
    path = lines_path(lake, table, day)
    before = pq.read_table(path).to_pylist() if path.is_file() else []
    stay = set(lines["lineage_id"].to_pylist())
    _keep(history_path(lake, table, day), [b for b in before if b["lineage_id"] not in stay], now)
    with replacing(path) as writing:
        pq.write_table(lines, writing, compression="zstd")


def _keep(path: Path, gone: Sequence[Line], now: datetime) -> None:
    kept = pq.read_table(path).to_pylist() if path.is_file() else []
    known = [_said(line) for line in kept]
    fresh = [{**line, SUPERSEDED_AT: now} for line in gone if _said(line) not in known]
    if not fresh:
        return
    with replacing(path) as writing:
        table = pa.Table.from_pylist([*kept, *fresh], schema=HISTORY_SCHEMA)
        pq.write_table(table, writing, compression="zstd")


def _said(line: Line) -> dict[str, Any]:
    """A line as the ledger had it; a column that an older ledger lacked is empty."""
    return {name: line.get(name) for name in LEDGER_SCHEMA.names}
