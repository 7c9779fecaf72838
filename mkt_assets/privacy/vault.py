"""The vault's files: match keys and remove lists by destination, closed to all but their owner.

A vault that others may enter is refused, never quietly closed: who has been in it is not known.
What stays out: who may be in it (guard_contacts, vault_lists).
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake, replacing

MATCH_KEYS, REMOVE_LIST = "match_keys", "remove_list"
#: why somebody who was in the vault is not any more
WITHDRAWN, EXPIRED, CHANGED = "withdrawn", "expired", "contact_changed"

_OPEN_TO_OTHERS = 0o077
_DAY = pa.date32()
SCHEMAS: Final = {
    MATCH_KEYS: pa.schema(
        [
            ("user_key", pa.string()),
            ("kind", pa.string()),
            ("match_key", pa.string()),
            ("rules_version", pa.string()),
            ("key_id", pa.string()),
            ("granted_at", pa.timestamp("us", tz="UTC")),
            ("first_stored_on", _DAY),
            ("expires_on", _DAY),
        ]
    ),
    REMOVE_LIST: pa.schema(
        [
            ("user_key", pa.string()),
            ("kind", pa.string()),
            ("match_key", pa.string()),
            ("reason", pa.string()),
            ("key_id", pa.string()),
            ("since", _DAY),
            ("expires_on", _DAY),
        ]
    ),
}
_KEY = ("user_key", "kind", "match_key")


def prepare(lake: Lake) -> None:
    """Make the vault where it is missing.

    Raises:
        MktError: others may enter it, or read a file of it.
    """
    refuse_open(lake)
    for folder in (lake.vault, *(lake.vault / table for table in SCHEMAS)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def refuse_open(lake: Lake) -> None:
    """Raise if the vault is open to others.

    Raises:
        MktError: what is open, its mode, and what to do.
    """
    loose = open_places(lake)
    if loose:
        raise MktError(
            f"the vault of match keys is open to others: {', '.join(loose[:5])}. Find out who "
            f"could read it; then run 'chmod -R go-rwx {lake.vault}'"
        )


def open_places(lake: Lake) -> list[str]:
    """What of the vault somebody else than its owner may enter or read, with its mode."""
    if not lake.vault.exists():
        return []
    modes = {
        place: stat.S_IMODE(place.stat().st_mode)
        for place in (lake.vault, *sorted(lake.vault.rglob("*")))
    }
    return [f"{place} has mode {m:04o}" for place, m in modes.items() if m & _OPEN_TO_OTHERS]


def read(lake: Lake, table: str, destination: str) -> pa.Table:
    """One file of the vault; no rows where it was never written.

    Raises:
        MktError: the vault is open to others.
    """
    refuse_open(lake)
    path = _path(lake, table, destination)
    return pq.read_table(path) if path.is_file() else SCHEMAS[table].empty_table()


def write(lake: Lake, table: str, destination: str, rows: pa.Table) -> None:
    """Replace one file of the vault; equal rows give equal bytes.

    Raises:
        MktError: the vault is open to others.
    """
    prepare(lake)
    ordered = (
        rows.select(SCHEMAS[table].names)
        .cast(SCHEMAS[table])
        .sort_by([(c, "ascending") for c in _KEY])
    )
    with replacing(_path(lake, table, destination), mode=0o600) as writing:
        # closed from its first byte, so that what a kill leaves behind is closed too
        writing.touch(mode=0o600)
        pq.write_table(ordered, writing, compression="zstd")


def everything(lake: Lake) -> Iterator[pa.Table]:
    """Every match key and every entry of a remove list."""
    for table, destination in _stored(lake):
        yield read(lake, table, destination)


def counts(lake: Lake) -> dict[str, int]:
    """Rows by table, destination, and kind or reason."""
    told: dict[str, int] = {}
    for table, destination in _stored(lake):
        by = "kind" if table == MATCH_KEYS else "reason"
        for entry in read(lake, table, destination)[by].value_counts().to_pylist():
            told[f"{table}/{destination}/{entry['values']}"] = entry["counts"]
    return dict(sorted(told.items()))


def rows_of(lake: Lake, user_keys: AbstractSet[str]) -> pd.DataFrame:
    """``destination, kind, match_key`` of these people, to be handed over before they are erased.

    Remove lists count too: a destination may not have followed them yet.

    Raises:
        MktError: the vault is open to others.
    """
    parts = [
        _those(read(lake, table, destination), user_keys)
        .select(["kind", "match_key"])
        .to_pandas()
        .assign(destination=destination)
        for table, destination in _stored(lake)
    ]
    columns = ["destination", "kind", "match_key"]
    found = pd.concat(parts) if parts else pd.DataFrame(columns=columns, dtype="str")
    return found[columns].drop_duplicates().sort_values(columns, ignore_index=True)


def forget(lake: Lake, user_keys: AbstractSet[str]) -> dict[str, int]:
    """Remove these people from every file, each replaced whole; rows removed by file.

    May be interrupted and called again.

    Raises:
        MktError: the vault is open to others.
    """

    def without(rows: pa.Table) -> pa.Table:
        return rows.filter(pc.invert(_is_of(rows, user_keys)))

    return _rewrite(lake, lambda _, rows: without(rows))


def rekey(lake: Lake, mapping: Mapping[str, str], key_id: str) -> dict[str, int]:
    """Give people their pseudonyms under another key; rows re-keyed by file.

    Args:
        lake: the data directory.
        mapping: old pseudonym to new one; people who are not in it stay as they are, so that the
            job may go by parts, be interrupted, and begin again.
        key_id: the new key's.

    Raises:
        MktError: the vault is open to others.
    """
    told = {}
    for table, destination in _stored(lake):
        rows = read(lake, table, destination)
        moved = _is_of(rows, mapping.keys())
        told[f"{table}/{destination}"] = n = int(pc.sum(moved).as_py() or 0)
        if n:
            write(lake, table, destination, _rekeyed(rows, moved, mapping, key_id))
    return told


def expire(lake: Lake, day: date, retention_days: int) -> dict[str, int]:
    """End what is past its retention, whatever else the daily run does; rows gone by file.

    Expired keys land on the remove list first, so that a kill in between loses nobody.

    Raises:
        MktError: the vault is open to others.
    """
    for table, destination in _stored(lake):
        if table == MATCH_KEYS:
            rows = read(lake, table, destination)
            _enlist(lake, destination, rows.filter(_is_past(rows, day)), day, retention_days)
    return _rewrite(lake, lambda _, rows: rows.filter(pc.invert(_is_past(rows, day))))


def _enlist(lake: Lake, destination: str, rows: pa.Table, day: date, retention_days: int) -> None:
    """Put match keys on the remove list, those apart that are on it."""
    if not len(rows):
        return
    listed = read(lake, REMOVE_LIST, destination)
    fresh = rows.join(listed.select(list(_KEY)), list(_KEY), join_type="left anti")
    added = fresh.select([*_KEY, "key_id"])
    constants = {
        "reason": pa.scalar(EXPIRED),
        "since": pa.scalar(day, _DAY),
        "expires_on": pa.scalar(day + timedelta(days=retention_days), _DAY),
    }
    for name, value in constants.items():
        added = added.append_column(name, pa.repeat(value, len(added)))
    names = SCHEMAS[REMOVE_LIST].names
    both = pa.concat_tables([listed.select(names), added.select(names)])
    write(lake, REMOVE_LIST, destination, both)


def _rekeyed(
    rows: pa.Table, moved: pa.BooleanArray, mapping: Mapping[str, str], key_id: str
) -> pa.Table:
    """The rows under their new keys; of two that become one, the first stored stays."""
    new = pa.array([mapping.get(old, old) for old in rows["user_key"].to_pylist()], pa.string())
    ids = pc.if_else(moved, key_id, rows["key_id"])
    changed = rows.set_column(rows.schema.get_field_index("user_key"), "user_key", new)
    changed = changed.set_column(rows.schema.get_field_index("key_id"), "key_id", ids)
    first = "first_stored_on" if "first_stored_on" in rows.schema.names else "since"
    frame = changed.to_pandas(types_mapper=pd.ArrowDtype)
    kept = frame.sort_values([*_KEY, first]).drop_duplicates(list(_KEY))
    return pa.Table.from_pandas(kept, preserve_index=False)


def _rewrite(lake: Lake, change: Callable[[str, pa.Table], pa.Table]) -> dict[str, int]:
    """Replace every file whose rows change; rows gone by file."""
    gone = {}
    for table, destination in _stored(lake):
        before = read(lake, table, destination)
        after = change(table, before)
        gone[f"{table}/{destination}"] = len(before) - len(after)
        if len(after) < len(before):
            write(lake, table, destination, after)
    return gone


def _is_of(rows: pa.Table, user_keys: AbstractSet[str]) -> pa.BooleanArray:
    return pc.is_in(rows["user_key"], value_set=pa.array(sorted(user_keys), pa.string()))


def _those(rows: pa.Table, user_keys: AbstractSet[str]) -> pa.Table:
    return rows.filter(_is_of(rows, user_keys))


def _is_past(rows: pa.Table, day: date) -> pa.BooleanArray:
    return pc.less_equal(rows["expires_on"], pa.scalar(day, _DAY))


def _path(lake: Lake, table: str, destination: str) -> Path:
    return lake.vault / table / f"{destination}.parquet"


def _stored(lake: Lake) -> Iterator[tuple[str, str]]:
    """Every table and destination that has a file, retired destinations too."""
    for table in SCHEMAS:
        for path in sorted((lake.vault / table).glob("[!.]*.parquet")):
            yield table, path.stem
