"""What the lineage ledger says: the waterfall of rows by table, and whether it adds up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from mkt_assets.lake import Lake
from mkt_assets.privacy.lineage import FATES

LEDGER = "lineage_ledger"
_FATES = " + ".join(FATES)

_WATERFALL = """
    select
        table_name, count(*) as lines, sum(rows_in)::bigint as rows_in,
        sum(rows_dropped_consent)::bigint as no_consent,
        sum(rows_cookieless)::bigint as cookieless,
        sum(rows_duplicate)::bigint as duplicate,
        sum(rows_quarantined)::bigint as quarantined, sum(rows_erased)::bigint as erased,
        sum(rows_kept)::bigint as kept
    from read_parquet($pattern)
    where len($days) = 0 or "partition" is null or list_contains($days, "partition")
    group by table_name order by table_name
"""


def _pattern(lake: Lake) -> str:
    return str(lake.guarded / LEDGER / "*" / "*.parquet")


def waterfall(lake: Lake, days: Sequence[date]) -> pd.DataFrame:
    """Rows in and what became of them, by table, for ``days``; all days where none are given."""
    with duckdb.connect() as con:
        values = {"pattern": _pattern(lake), "days": list(days)}
        return con.execute(_WATERFALL, values).df()


def unbalanced(lake: Lake) -> list[str]:
    """The ledger lines whose fates do not add up to the rows that came in, as sentences."""
    with duckdb.connect() as con:
        found = con.execute(
            f'select lineage_id, table_name, "partition", rows_in, {_FATES} '
            f"from read_parquet($pattern) where rows_in <> {_FATES} order by 1",
            {"pattern": _pattern(lake)},
        ).fetchall()
    return [
        f"{table} of {day}, lineage {lineage}: {came} rows came in, {told} are accounted for"
        for lineage, table, day, came, told in found
    ]


def set_aside(lake: Lake, table: str) -> dict[str, int]:
    """Why rows of an unpartitioned table are not in the lake, duplicates and erasures apart."""
    lines = lake.whole(LEDGER).with_name("whole") / f"{table}.parquet"
    reasons: Counter[str] = Counter()
    for line in pq.read_table(lines).to_pylist():
        reasons.update(json.loads(line["reasons"]))
    return {why: n for why, n in reasons.items() if why not in ("duplicate", "erased")}
