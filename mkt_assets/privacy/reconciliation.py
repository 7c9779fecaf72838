"""Does the ledger agree with what is stored? Row by row what it says was kept must lie in the lake.

What stays out: whether the ledger agrees with itself (`ledger`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from mkt_assets.in_memory import asking
from mkt_assets.ingest.sources import ADS, CONSENT, CONTACTS, EVENTS, EXPERIMENTS
from mkt_assets.lake import Lake
from mkt_assets.privacy.guarding import COOKIELESS
from mkt_assets.privacy.ledger import (
    FOLDED,
    FOLDED_COOKIELESS,
    LINES,
    asking_lines,
    files_of_all,
)

#: table and day (None where the table has no days) -> rows
Counts = Mapping[tuple[str, date | None], int]

_TOLD = f"""
    with told as (
        select *, cast(cast(reasons as json) as map(varchar, bigint)) as rows_for
        from {LINES}
    )
    select
        table_name, "partition",
        sum(rows_kept - coalesce(rows_for['{FOLDED}'], 0))::bigint,
        sum(rows_cookieless - coalesce(rows_for['{FOLDED_COOKIELESS}'], 0))::bigint
    from told group by 1, 2
"""
_EVENTS_BY_FILE = """
    select filename, coalesce(sum(events), 0)::bigint
    from read_parquet($files, filename = true, hive_partitioning = false) group by 1
"""


def unreconciled(lake: Lake) -> list[str]:
    """Partitions of which the lake holds other rows than the ledger says, as sentences."""
    told, stored = _told(lake), _stored(lake)
    return [
        f"{table} of {day or 'all days'}: the ledger says {told.get((table, day), 0)} rows, "
        f"{stored.get((table, day), 0)} are stored: run it again "
        f"(mkt run{f' --date {day}' if day else ''})"
        for table, day in sorted(told.keys() | stored.keys(), key=str)
        if told.get((table, day), 0) != stored.get((table, day), 0)
    ]


def _told(lake: Lake) -> Counts:
    files = files_of_all(lake)
    if not files:
        return {}
    with asking_lines() as con:
        lines = con.execute(_TOLD, {"files": files}).fetchall()
    # contacts become match keys, several a person or none: the vault has its own checks
    kept = {(table, day): rows for table, day, rows, _ in lines if table != CONTACTS}
    counted = {(COOKIELESS, day): rows for table, day, _, rows in lines if table == EVENTS}
    return kept | counted


def _stored(lake: Lake) -> Counts:
    counts: dict[tuple[str, date | None], int] = {}
    for table in (EVENTS, ADS):
        for path in lake.guarded.glob(f"{table}/event_date=*/{table}.parquet"):
            counts[table, _day_of(path)] = pq.read_metadata(path).num_rows
    for table in (CONSENT, EXPERIMENTS):
        if lake.whole(table).is_file():
            counts[table, None] = pq.read_metadata(lake.whole(table)).num_rows
    # a file at a time by pyarrow takes ten times as long
    if counted := list(lake.guarded.glob(f"{COOKIELESS}/event_date=*/{COOKIELESS}.parquet")):
        with asking() as con:
            found = con.execute(_EVENTS_BY_FILE, {"files": [str(path) for path in counted]})
            for file, events in found.fetchall():
                counts[COOKIELESS, _day_of(Path(file))] = events
    return counts


def _day_of(path: Path) -> date:
    return date.fromisoformat(path.parent.name.removeprefix("event_date="))
