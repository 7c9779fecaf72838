"""What the lineage ledger says: the waterfall of rows, and whether it adds up.

What stays out: making and replacing its lines (`lineage`, `lineage_history`), and under which keys
and policies they were made (`ledger_stamps`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from mkt_assets.in_memory import asking
from mkt_assets.lake import Lake
from mkt_assets.privacy.lineage import FATES, LEDGER_SCHEMA
from mkt_assets.privacy.policy import CONSENT_DENIED, CONSENT_UNSET

LEDGER = "lineage_ledger"
#: a reason that is no loss: rows that were kept as part of another row, the items of a purchase
FOLDED: Final = "folded"
#: the same of rows that are only counted
FOLDED_COOKIELESS: Final = "folded_cookieless"
#: why a row is not set aside but has another fate
_NOT_ASIDE: Final = frozenset(
    {CONSENT_DENIED, CONSENT_UNSET, "cookieless", "duplicate", "erased", FOLDED, FOLDED_COOKIELESS}
)
_FATES = " + ".join(f"coalesce({fate}, 0)" for fate in FATES)

#: a FROM item: the lines of ``$files``, one of an older file with every column of today
LINES: Final = """(
        from no_lines union all by name
        from read_parquet($files, union_by_name = true, filename = true, hive_partitioning = false)
    )"""

_WATERFALL = f"""
    select
        table_name, count(*) as lines, sum(rows_in)::bigint as rows_in,
        sum(rows_dropped_consent)::bigint as no_consent,
        sum(rows_cookieless)::bigint as cookieless,
        sum(rows_duplicate)::bigint as duplicate,
        sum(rows_quarantined)::bigint as quarantined, sum(rows_erased)::bigint as erased,
        sum(rows_kept)::bigint as kept
    from {LINES}
    where len($days) = 0 or "partition" is null or list_contains($days, "partition")
    group by table_name order by table_name
"""


_BY_DAY = f"""
    with told as (
        select *, cast(cast(reasons as json) as map(varchar, bigint)) as rows_for
        from {LINES}
        where table_name = $table and list_contains($days, "partition")
    )
    select
        "partition" as day, sum(rows_in)::bigint as rows_in,
        sum(coalesce(rows_for['consent_denied'], 0))::bigint as consent_denied,
        sum(coalesce(rows_for['consent_unset'], 0))::bigint as consent_unset,
        sum(rows_cookieless)::bigint as cookieless,
        sum(rows_duplicate)::bigint as duplicate,
        sum(rows_quarantined)::bigint as quarantined, sum(rows_erased)::bigint as erased,
        sum(rows_kept)::bigint as kept
    from told group by "partition" order by "partition"
"""


def lines_path(lake: Lake, table: str, day: date | None) -> Path:
    """The ledger lines of one partition of one table; ``day`` is None for a whole table."""
    if day is not None:
        return lake.partition(LEDGER, day, table)
    return lake.guarded / LEDGER / "whole" / f"{table}.parquet"


def files_of_all(lake: Lake) -> list[str]:
    """The ledger's files, without what a killed run left beside them."""
    return [str(file) for file in (lake.guarded / LEDGER).glob("*/[!.]*.parquet")]


@contextmanager
def asking_lines() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for questions to ``LINES``; of no files DuckDB knows no answer."""
    with asking() as con:
        con.register("no_lines", LEDGER_SCHEMA.empty_table())
        yield con


def _of_days(lake: Lake, days: Sequence[date], table: str) -> list[str]:
    """The files of ``days`` alone: to open those of two years takes most of a second."""
    partitions = (lake.partition(LEDGER, day, table) for day in set(days))
    return [str(file) for one in partitions for file in one.parent.glob(one.name)]


def waterfall(lake: Lake, days: Sequence[date]) -> pd.DataFrame:
    """Rows in and what became of them, by table, for ``days``; all days where none are given."""
    whole = (lake.guarded / LEDGER / "whole").glob("[!.]*.parquet") if days else ()
    files = [*_of_days(lake, days, "[!.]*"), *map(str, whole)] or files_of_all(lake)
    with asking_lines() as con:
        return con.execute(_WATERFALL, {"files": files, "days": list(days)}).df()


def by_day(lake: Lake, table: str, days: Sequence[date]) -> pd.DataFrame:
    """What became of the rows of ``table``: ``day, rows_in``, and a column for each fate."""
    files = _of_days(lake, days, table) or files_of_all(lake)
    with asking_lines() as con:
        values = {"files": files, "table": table, "days": list(days)}
        return con.execute(_BY_DAY, values).df()


def unbalanced(lake: Lake) -> list[str]:
    """The ledger lines whose fates do not add up to the rows that came in, as sentences."""
    with asking_lines() as con:
        found = con.execute(
            f'select lineage_id, table_name, "partition", rows_in, {_FATES} '
            f"from {LINES} where rows_in is distinct from {_FATES} order by 1",
            {"files": files_of_all(lake)},
        ).fetchall()
    return [
        f"{table} of {day}, lineage {lineage}: {came} rows came in, {told} are accounted for"
        for lineage, table, day, came, told in found
    ]


def set_aside(lake: Lake, table: str) -> dict[str, int]:
    """Why rows of an unpartitioned table are not in the lake, duplicates and erasures apart."""
    reasons: Counter[str] = Counter()
    for line in pq.read_table(lines_path(lake, table, None)).to_pylist():
        reasons.update(json.loads(line["reasons"]))
    return {why: n for why, n in reasons.items() if why not in ("duplicate", "erased")}


def aside_by_reason(lake: Lake, table: str, days: Sequence[date]) -> tuple[int, dict[str, int]]:
    """Rows that came in on ``days``, and those that ingest or the guard set aside, by reason."""
    rows, reasons = 0, Counter[str]()
    for path in (lines_path(lake, table, day) for day in days):
        for line in pq.read_table(path).to_pylist() if path.is_file() else []:
            rows += line["rows_in"]
            reasons.update(json.loads(line["reasons"]))
    return rows, {why: n for why, n in reasons.items() if why not in _NOT_ASIDE}


def stored_rows(line: Mapping[str, Any]) -> int:
    """The rows of the lake that a ledger line stands for: those kept, each purchase once."""
    folded = json.loads(line["reasons"] or "{}").get(FOLDED, 0)
    return int(line["rows_kept"] - folded)
