"""Key rotation: the lake's pseudonyms from an old key to the active one, a partition at a time.

A pseudonym cannot be turned into another without the identifier behind it. Identifiers are taken
from the raw files: those still landed, or asked of the source again and dropped afterwards. Rows
never change but for their keys, their lineage id and ``event_key``, which is made from a key. Each
partition is replaced whole, and one that is done is left alone: a rotation that was killed goes on
where it stopped. What stays out: asking the source, and publishing anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from mkt_assets.ingest.sources import CONSENT, CONTACTS, EVENTS, raw_whole
from mkt_assets.lake import Lake, replacing, sql_text
from mkt_assets.privacy import ad_refusals, erasure_list, quiet, unlinked, vault
from mkt_assets.privacy.erasure import remove_derived
from mkt_assets.privacy.erasure_list import Name
from mkt_assets.privacy.ledger import LEDGER
from mkt_assets.privacy.lineage import LEDGER_SCHEMA, lineage_id
from mkt_assets.privacy.lineage_history import replace_lines
from mkt_assets.privacy.pseudonyms import UNLINKED, Key, KeyRing, make_pseudonyms
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import numbered, parquet

COOKIELESS: Final = "cookieless_daily"
_RAW: Final = {EVENTS: ("user_pseudo_id", "user_id"), CONSENT: ("subject_id",)}
_STORED: Final = {
    EVENTS: ("user_key", "login_key"),
    CONSENT: ("user_key",),
    CONTACTS: ("user_key",),
}
_PEOPLE: Final = pa.schema([("user_key", pa.string()), ("key_id", pa.string())])

#: asks the source for a raw partition again (None: the consent log); False where it has it no more
Land = Callable[[date | None], bool]


@dataclass
class Rotated:
    """What a rotation did.

    ``left`` maps partitions that still have the old key to how many of their people could not be
    found in any raw file; ``unlinked`` counts people who were cut from their later selves.
    """

    done: list[str] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)
    unlinked: int = 0


@dataclass(frozen=True)
class _Work:
    """What every partition is re-keyed with."""

    con: duckdb.DuckDBPyConnection
    lake: Lake
    ring: KeyRing
    land: Land
    unlink: bool
    rotated: Rotated
    now: datetime


def rotate(
    lake: Lake, ring: KeyRing, *, land: Land, now: datetime, unlink: bool = False
) -> Rotated:
    """Bring the whole lake under the active key.

    Args:
        lake: the data directory; the caller holds its run lock.
        ring: the active key first, then the keys that stored data have.
        land: asks the source for raw rows that are not landed any more.
        now: when old ledger lines are said to have been superseded.
        unlink: re-key people without raw identifiers too, by their old pseudonym: they keep their
            history and are cut from whatever they do later. Without it their partition waits.

    Raises:
        MktError: stored data have a key that is not in the ring.
    """
    rotated = Rotated()
    ledgers = [path for path in _ledgers(lake) if _old_keys(path, ring.active)]
    if not ledgers:
        return rotated
    remove_derived(lake)
    with quiet.connect(lake.closed(lake.landing)) as con:
        work = _Work(con, lake, ring, land, unlink, rotated, now)
        # one of the log's people may be all that is known of one in the events
        _people_of_log(work)
        for path in ledgers:
            _rotate_partition(work, path)
    return rotated


def _ledgers(lake: Lake) -> list[Path]:
    """The ledger files of tables with pseudonyms: the log, the vault, the days of events."""
    folder = lake.guarded / LEDGER
    return [
        *sorted(folder.glob(f"whole/{CONSENT}.parquet")),
        *sorted(folder.glob(f"whole/{CONTACTS}.parquet")),
        *sorted(folder.glob(f"event_date=*/{EVENTS}.parquet")),
    ]


def _old_keys(ledger: Path, active: Key) -> list[str]:
    told = pq.read_table(ledger, columns=["key_id"])["key_id"].to_pylist()
    return sorted({*told} - {active.id})


def _day(ledger: Path) -> date | None:
    name = ledger.parent.name
    return None if name == "whole" else date.fromisoformat(name.removeprefix("event_date="))


def _rotate_partition(work: _Work, ledger: Path) -> None:
    active, day, table = work.ring.active, _day(ledger), ledger.stem
    lines = pq.read_table(ledger).to_pylist()
    place = unlinked.place_of(table, day)
    stored = work.lake.partition(table, day) if day else work.lake.whole(table)
    _map_people(work, [work.ring.key(key_id) for key_id in _old_keys(ledger, active)], day)
    missing, rows = _unknown_people(work, stored, table)
    if missing and not work.unlink:
        work.rotated.left[place] = missing
        return
    if missing:
        old = _old_keys(ledger, active)
        unlinked.note(work.lake, place, old=old, new=active.id, people=missing, rows=rows)
    lineage = {
        line["lineage_id"]: lineage_id(
            line["source_sha256"], day, line["policy_version"], active.id
        )
        for line in lines
    }
    if table == CONTACTS:
        _rekey_vault(work)
    else:
        _rekey(work, stored, table, lineage)
    if table == CONSENT:
        ad_refusals.rekey(work.con, work.lake, active.id)
    if day:
        _restamp(work, work.lake.partition(COOKIELESS, day), lineage)
    for line in lines:
        line |= {"lineage_id": lineage[line["lineage_id"]], "key_id": active.id}
    _list_again(work)
    # the old ids go to the history: a payload made before still finds its way back
    replace_lines(
        work.lake, table, day, pa.Table.from_pylist(lines, schema=LEDGER_SCHEMA), now=work.now
    )
    work.rotated.unlinked += missing
    work.rotated.done.append(place)


def _people_of_log(work: _Work) -> None:
    """Everybody in the raw consent log: ``log_raw(raw)``."""
    path = raw_whole(work.lake, CONSENT)
    was_there = path.is_file()
    there = was_there or work.land(None)
    source = f"select distinct subject_id::varchar as raw from {parquet(path)}"
    nobody = "select null::varchar as raw where false"
    quietly(work.con, f"create or replace temp table log_raw as {source if there else nobody}")
    if there and not was_there:
        shutil.rmtree(path.parent)


def _map_people(work: _Work, old: Sequence[Key], day: date | None) -> None:
    """``key_map(key_id, old, new)`` of everybody whose identifier is known for this partition."""
    quietly(
        work.con,
        'create or replace temp table key_map (key_id varchar, "old" varchar, "new" varchar)',
    )
    quietly(work.con, "create or replace temp table all_raw as select raw from log_raw")
    if day:
        _add_raw_of(work, day)
    for key in (work.ring.active, *old):
        make_pseudonyms(
            work.con,
            identifiers="select distinct raw from all_raw",
            key=key,
            table="people_new" if key is work.ring.active else "people_old",
        )
        if key is not work.ring.active:
            quietly(
                work.con,
                "insert into key_map select distinct ?, unnest([was.pseudonym, was.stand_in]), "
                "unnest([becomes.pseudonym, becomes.stand_in]) "
                "from people_old as was inner join people_new as becomes on becomes.raw = was.raw",
                [key.id],
            )
    for table in ("people_new", "people_old", "all_raw"):
        quietly(work.con, f"drop table if exists {table}")


def _add_raw_of(work: _Work, day: date) -> None:
    path = work.lake.landed(EVENTS, day)
    was_there = path.is_file()
    if not was_there and not work.land(day):
        return
    for column in _RAW[EVENTS]:
        quietly(
            work.con,
            f"insert into all_raw select distinct {column}::varchar from {parquet(path)} "
            f"where {column} is not null",
        )
    if not was_there:
        for aside in work.lake.quarantine.glob(f"{EVENTS}_{day}*.parquet"):
            aside.unlink()
        shutil.rmtree(path.parent)


def _unknown_people(work: _Work, stored: Path, table: str) -> tuple[int, int]:
    """People of a partition whose identifier is in no raw file, and their rows; now in the map."""
    active = work.ring.active
    if table == CONTACTS:
        everybody = [rows.select(["user_key", "key_id"]) for rows in vault.everything(work.lake)]
        rows = pa.concat_tables([_PEOPLE.empty_table(), *everybody])
        work.con.register("vault_people", rows)
    relation = "vault_people" if table == CONTACTS else parquet(stored)
    columns = [(relation, column) for column in _STORED[table]]
    refusals = work.lake.whole(ad_refusals.AD_REFUSALS)
    if table == CONSENT and refusals.is_file():
        columns += [(parquet(refusals), column) for column in ad_refusals.NAMES]
    named = " union ".join(
        f"select {column} as name, key_id from {here} where {column} is not null"
        for here, column in columns
    )
    quietly(
        work.con,
        f"""
        create or replace temp table unknown as
        select distinct told.name, told.key_id from ({named}) as told
        left join key_map as known on known."old" = told.name and known.key_id = told.key_id
        where told.key_id <> ? and known."old" is null
        """,
        [active.id],
    )
    # the prefix lets a pseudonym, which looks like a hash, be hashed all the same
    make_pseudonyms(
        work.con,
        identifiers=f"select '{UNLINKED}' || name as raw from unknown",
        key=active,
        table="cut_off",
    )
    quietly(
        work.con,
        "insert into key_map select unknown.key_id, unknown.name, cut_off.pseudonym "
        f"from unknown inner join cut_off on cut_off.raw = '{UNLINKED}' || unknown.name",
    )
    ((missing,),) = quietly(work.con, "select count(*) from unknown")
    theirs = " or ".join(f"{c} in (select name from unknown)" for c in _STORED[table])
    ((rows,),) = quietly(work.con, f"select count(*) from {relation} where {theirs}")
    for temporary in ("unknown", "cut_off"):
        quietly(work.con, f"drop table {temporary}")
    return int(missing), int(rows)


def _rekey(work: _Work, stored: Path, table: str, lineage: dict[str, str]) -> None:
    """Replace a partition; rows that an interrupted rotation already did stay as they are."""
    columns = _STORED[table]
    renamed = [f'coalesce({column}_map."new", {column}) as {column}' for column in columns]
    joins = " ".join(
        f'left join key_map as {column}_map on {column}_map."old" = told.{column} '
        f"and {column}_map.key_id = told.key_id"
        for column in columns
    )
    if table == EVENTS:
        key = "md5(user_key_map.\"new\" || '|' || event_key)"
        renamed += [
            f'case when user_key_map."new" is null then event_key else {key} end as event_key',
            f"{_renamed_lineage(lineage)} as lineage_id",
        ]
        order = "told.row_id"
    else:
        order = "user_key, changed_at"
    renamed.append(f"'{sql_text(work.ring.active.id)}' as key_id")
    query = (
        f"select told.* exclude (row_id) replace ({', '.join(renamed)}) "
        f"from {numbered(stored)} as told {joins} order by {order}"
    )
    with replacing(stored) as writing:
        quietly(
            work.con, f"copy ({query}) to '{sql_text(writing)}' (format parquet, compression zstd)"
        )


def _rekey_vault(work: _Work) -> None:
    pairs = quietly(work.con, 'select "old", "new" from key_map')
    vault.rekey(work.lake, dict(pairs), work.ring.active.id)


def _restamp(work: _Work, path: Path, lineage: dict[str, str]) -> None:
    """The new lineage ids on rows that hold no pseudonym."""
    query = f"select * replace ({_renamed_lineage(lineage)} as lineage_id) from {parquet(path)}"
    with replacing(path) as writing:
        quietly(
            work.con, f"copy ({query}) to '{sql_text(writing)}' (format parquet, compression zstd)"
        )


def _renamed_lineage(lineage: dict[str, str]) -> str:
    cases = " ".join(f"when '{sql_text(o)}' then '{sql_text(n)}'" for o, n in lineage.items())
    return f"case lineage_id {cases} else lineage_id end"


def _list_again(work: _Work) -> None:
    """Erased people whose identifier is met are listed under the active key too."""
    rows = erasure_list.read(work.lake).to_pylist()
    if not rows:
        return
    known = {
        (key_id, old): new
        for key_id, old, new in quietly(work.con, 'select key_id, "old", "new" from key_map')
    }
    for row in rows:
        new = known.get((row["key_id"], row["pseudonym"]))
        if new is not None:
            name = Name(work.ring.active.id, new, row["person"])
            refused = {new: row["refused"] or ()}
            erasure_list.add(work.lake, row["request_id"], [name], row["erased_at"], refused)
