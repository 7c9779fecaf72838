"""Erasure: one person out of everything that lies here, once asked and however often interrupted.

The request is recorded and listed first; what follows only ever removes what the list names, a file
at a time, each replaced whole. So a killed erasure is finished by asking again, or by the next
daily run. What is computed from events (warehouse, models, published file) is removed and made
anew by the assets downstream. What stays out: proving that nothing is left (``erasure_search``).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow.parquet as pq

from mkt_assets.errors import MktError
from mkt_assets.ingest.sources import CONSENT, CONTACTS, EVENTS, raw_whole
from mkt_assets.lake import Lake, sql_text
from mkt_assets.privacy import erasure_list, quiet, vault
from mkt_assets.privacy.erased_rows import find_erased
from mkt_assets.privacy.erasure_list import Listed, Name, listed
from mkt_assets.privacy.event_columns import OWN_ID_LENGTH
from mkt_assets.privacy.keys import refuse_missing
from mkt_assets.privacy.ledger import partitions_by_key
from mkt_assets.privacy.persons import by_contact, linked, stored_events
from mkt_assets.privacy.pseudonyms import UNLINKED, KeyRing, pseudonym
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import numbered, parquet
from mkt_assets.privacy.stored_partitions import take_out
from mkt_assets.privacy.subjects import Subjects

#: what the raw tables know a person by, and when: identifiers, microseconds
_RAW: Final[dict[str, tuple[tuple[str, ...], str | None]]] = {
    EVENTS: (("user_pseudo_id", "user_id"), "event_timestamp"),
    CONSENT: (("subject_id",), "epoch_us(changed_at)"),
    CONTACTS: (("subject_id",), None),
}
#: the same in the lake
_STORED: Final = {
    EVENTS: (("user_key", "login_key"), "event_timestamp"),
    CONSENT: (("user_key",), "epoch_us(changed_at)"),
}


def request(
    lake: Lake, ring: KeyRing, subjects: Subjects, *, now: datetime, run_id: str
) -> dict[str, Any]:
    """Record a request and list its people; nothing is removed yet.

    Returns:
        the audit record: counts, times and key ids, no identifier.
    """
    refuse_missing(ring, lake)
    if len(partitions_by_key(lake)) > 1:
        raise MktError(
            "a key rotation is under way, and under two keys one person is two: "
            "run mkt rotate-keys to its end, then ask again"
        )
    given, others = _people(lake, ring, subjects)
    request_id = subjects.request_id(ring.active)
    before = erasure_list.read_record(lake, request_id) or {}
    earlier = before.get("earlier", [])
    if before.get("completed_at"):
        told = ("completed_at", "partitions", "found", "run_ids")
        earlier = [*earlier, {name: before[name] for name in told}]
        before = {"requested_at": before["requested_at"], "linked": before["linked"]}
    record = {
        "request_id": request_id,
        "requested_at": before.get("requested_at", now.isoformat()),
        "asked_again_at": now.isoformat() if before else None,
        "earlier": earlier,
        "subjects": len(subjects),
        "linked": max(len(others), before.get("linked", 0)),
        "key_ids": [key.id for key in ring.keys],
        "partitions": before.get("partitions", {}),
        "found": before.get("found", {}),
        "run_ids": sorted({*before.get("run_ids", []), run_id}),
        "is_listed": False,
        "applied_at": None,
        "completed_at": None,
    }
    erasure_list.write_record(lake, record)
    # a clock may run ahead: what is stored now was stored before the request, whatever it says
    erasure_list.add(lake, request_id, [*given, *others], max(now, _newest(lake, given, others)))
    record["is_listed"] = True
    erasure_list.write_record(lake, record)
    return record


def _newest(lake: Lake, given: Sequence[Name], others: Sequence[Name]) -> datetime:
    """The latest moment that stored rows of these people say of themselves."""
    names = sorted({name.pseudonym for name in [*given, *others]})
    newest = 0
    with quiet.connect(lake.closed(lake.landing)) as con:
        for table, pattern in ((EVENTS, stored_events(lake)), (CONSENT, str(lake.whole(CONSENT)))):
            keys, moment = _STORED[table]
            if not any(lake.guarded.glob(f"{table}/**/{table}.parquet")):
                continue
            theirs = " or ".join(f"list_contains($names, {key})" for key in keys)
            ((found,),) = quietly(
                con,
                f"select max({moment}) from read_parquet($pattern) where {theirs}",
                {"names": names, "pattern": pattern},
            )
            newest = max(newest, found or 0)
    return datetime.fromtimestamp(newest / 1e6, UTC) + timedelta(milliseconds=1)


def names_of(lake: Lake, ring: KeyRing, subjects: Subjects) -> set[str]:
    """Every pseudonym of these people, those that are linked to them too."""
    given, others = _people(lake, ring, subjects)
    return {name.pseudonym for name in [*given, *others]}


def _people(lake: Lake, ring: KeyRing, subjects: Subjects) -> tuple[list[Name], list[Name]]:
    by_key = subjects.pseudonyms(ring)
    given = [
        Name(key_id, name, person)
        for key_id, names in by_key.items()
        for name, person in zip(names, by_key[ring.active.id], strict=True)
    ]
    # whom a rotation without identifiers renamed can still be computed
    given += [
        Name(ring.active.id, pseudonym(UNLINKED + name.pseudonym, ring.active), name.person)
        for name in given
        if name.key_id != ring.active.id
    ]
    with quiet.connect(lake.closed(lake.landing)) as con:
        owners = by_contact(con, lake, ring, subjects)
        names = {name.pseudonym for name in given} | {name for _, name in owners}
        pairs = owners | linked(con, lake, names)
    return given, [Name(key_id, name, name) for key_id, name in pairs]


def sweep(
    lake: Lake,
    ring: KeyRing,
    *,
    now: datetime,
    days: Sequence[date] = (),
    subjects: Subjects | None = None,
) -> dict[str, int]:
    """Remove what the list names: everywhere for unfinished requests, else what was just landed.

    Args:
        lake: the data directory; the caller holds its run lock.
        ring: the live keys.
        now: written into the audit records.
        days: the days whose raw rows were landed by this run.
        subjects: those of a request just made; only with them is the text of rows that could not
            be read searched too.

    Returns:
        place -> rows removed (1 for a file that was removed whole).
    """
    names = listed(lake, ring)
    if names is None:
        return {}
    open_requests = [record for record in erasure_list.unfinished(lake) if record["is_listed"]]
    with quiet.connect(lake.closed(lake.landing)) as con:
        if not open_requests:
            return _remove_raw(con, lake, names, _landed(lake, days))
        planned = _plan(con, lake, open_requests)
        for place in planned:
            _remove_stored(con, lake, place, now)
        found: dict[str, int] = {}
        steps: list[Callable[[], dict[str, int]]] = [
            partial(_remove_match_keys, lake),
            partial(_remove_raw, con, lake, names, _landed(lake, None)),
            partial(_remove_unread, con, lake, subjects),
            *([partial(remove_derived, lake)] if planned else []),
        ]
        for step in steps:
            found |= step()
            _note(lake, open_requests, planned, found)
    _note(lake, open_requests, planned, found, applied_at=now.isoformat())
    return {**planned, **found}


def _note(
    lake: Lake,
    requests: Iterable[Mapping[str, Any]],
    planned: Mapping[str, int],
    found: Mapping[str, int],
    **more: Any,
) -> None:
    """Write down at once what was removed: a kill must not make the audit forget it."""
    for record in requests:
        told = {"partitions": planned, "found": {**record["found"], **found}}
        erasure_list.write_record(lake, {**record, **told, **more})


def complete(lake: Lake, now: datetime) -> int:
    """Close the open requests: the published file was replaced, older versions are gone."""
    applied = [r for r in erasure_list.unfinished(lake) if r["applied_at"] is not None]
    for record in applied:
        erasure_list.write_record(lake, {**record, "completed_at": now.isoformat()})
    return len(applied)


def _remove_match_keys(lake: Lake) -> dict[str, int]:
    names = set(erasure_list.read(lake)["pseudonym"].to_pylist())
    gone = vault.forget(lake, names)
    return {f"vault/{file}.parquet": n for file, n in gone.items() if n}


def remove_derived(lake: Lake) -> dict[str, int]:
    """Remove what is computed from guarded events and knows people: it is made anew.

    Published versions stay until the next one is there. The warehouse goes as a file, since DuckDB
    keeps deleted rows in free blocks.
    """
    lake.serving.mkdir(parents=True, exist_ok=True)
    lake.outdated.touch()
    warehouse = lake.warehouse
    files = [warehouse, Path(f"{warehouse}.wal"), warehouse.with_name("build.json")]
    files += [p for p in lake.guarded.glob("models/*/*/*.parquet") if _knows_people(p)]
    there = [path for path in files if path.is_file()]
    for path in there:
        path.unlink()
    return {str(path.relative_to(lake.root)): 1 for path in there}


def _knows_people(path: Path) -> bool:
    return bool({"user_key", "login_key"} & set(pq.read_schema(path).names))


def _plan(
    con: duckdb.DuckDBPyConnection, lake: Lake, requests: Iterable[Mapping[str, Any]]
) -> dict[str, int]:
    """Partitions with rows to remove, written down first: after a kill their ledger is repaired."""
    planned = {place: n for record in requests for place, n in record["partitions"].items()}
    for place, n in _affected(con, lake).items():
        planned[place] = max(n, planned.get(place, 0))
    for record in requests:
        erasure_list.write_record(lake, {**record, "partitions": planned})
    return planned


def _affected(con: duckdb.DuckDBPyConnection, lake: Lake) -> dict[str, int]:
    places: dict[str, int] = {}
    if any(lake.guarded.glob("events/event_date=*/events.parquet")):
        rows = quietly(
            con,
            "select filename, count(*) from read_parquet($events, filename = true) as told "
            f"where {_is_named(lake, EVENTS)} group by filename",
            {"events": stored_events(lake)},
        )
        places |= {str(Path(name).relative_to(lake.guarded)): n for name, n in rows}
    log = lake.whole(CONSENT)
    if log.is_file():
        named = _is_named(lake, CONSENT)
        ((n,),) = quietly(con, f"select count(*) from {parquet(log)} as told where {named}")
        places |= {str(log.relative_to(lake.guarded)): n} if n else {}
    return places


def _is_named(lake: Lake, table: str) -> str:
    """Whether a stored row belongs to somebody on the list and is not younger than the erasure."""
    keys, moment = _STORED[table]
    names = f"read_parquet('{sql_text(erasure_list.place(lake))}')"
    return " or ".join(
        f"exists (select 1 from {names} as listed where listed.pseudonym = told.{key} "
        f"and {moment} <= epoch_us(listed.erased_at))"
        for key in keys
    )


def _remove_stored(con: duckdb.DuckDBPyConnection, lake: Lake, place: str, now: datetime) -> None:
    path = lake.guarded / place
    if path.is_file():
        is_named = _is_named(lake, path.stem)
        take_out(con, lake, path, is_meant=is_named, reason="erased", now=now)


def _landed(lake: Lake, days: Sequence[date] | None) -> list[tuple[str, Path]]:
    """The raw files that may hold a person, by table: of ``days``, or all."""
    folders = lake.landing.glob(f"{EVENTS}/event_date=*")
    if days is not None:
        folders = (lake.landed(EVENTS, day).parent for day in days)
    found = [(EVENTS, path) for folder in folders for path in folder.glob("*.parquet")]
    aside = (lake.landing / "quarantine").glob("guard_events_*.parquet")
    found += [(EVENTS, path) for path in aside]
    return found + [(table, raw_whole(lake, table)) for table in (CONSENT, CONTACTS)]


def _remove_raw(
    con: duckdb.DuckDBPyConnection, lake: Lake, names: Listed, files: Sequence[tuple[str, Path]]
) -> dict[str, int]:
    """Remove raw files that hold an erased person; they are copies that a run lands again."""
    removed = {}
    for table, path in files:
        if not path.is_file():
            continue  # it was never landed, or went with its day
        identifiers, moment = _RAW[table]
        find_erased(
            con,
            names,
            raw=numbered(path),
            identifiers=identifiers,
            moment=moment,
            table="erased_raw",
        )
        ((rows,),) = quietly(con, "select count(*) from erased_raw")
        if rows:
            _remove_landed(lake, path)
            removed[str(path.relative_to(lake.root))] = 1
    quietly(con, "drop table if exists erased_raw")
    return removed


def _remove_unread(
    con: duckdb.DuckDBPyConnection, lake: Lake, subjects: Subjects | None
) -> dict[str, int]:
    """Remove rows set aside unread whose text holds an identifier: they have no column to ask."""
    sought = [i for i in subjects.identifiers if len(i) >= OWN_ID_LENGTH] if subjects else []
    removed = {}
    for path in sorted(lake.landing.rglob("*.parquet")):
        is_aside = "quarantine" in path.stem or path.parent.name == "quarantine"
        if not sought or not is_aside:
            continue
        found = quietly(
            con,
            f"select 1 from {parquet(path)} as told, unnest(?::varchar[]) as wanted(name) "
            "where contains(lower(told::varchar), lower(wanted.name)) limit 1",
            [sought],
        )
        if found:
            path.unlink()
            removed[str(path.relative_to(lake.root))] = 1
    return removed


def _remove_landed(lake: Lake, path: Path) -> None:
    """A raw file with what lies beside it, and what was set aside from its day."""
    if path.parent == lake.landing / "quarantine":
        path.unlink()
        return
    day = path.parent.name.removeprefix("event_date=")
    for aside in (lake.landing / "quarantine").glob(f"*_{day}*.parquet"):
        aside.unlink()
    shutil.rmtree(path.parent)
