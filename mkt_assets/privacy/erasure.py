"""Erasure: one person out of everything that lies here, once asked and however often interrupted.

The request is recorded and listed first; what follows only ever removes what the list names, a file
at a time, each replaced whole. So a killed erasure is finished by asking again, or by the next
daily run. What is computed from events (warehouse, models, published file) is removed and made
anew by the assets downstream. What stays out: proving that nothing is left (``erasure_search``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow.parquet as pq

from mkt_assets.errors import MktError
from mkt_assets.ingest.sources import CONSENT, EVENTS
from mkt_assets.lake import Lake, replacing, sql_text
from mkt_assets.privacy import erasure_list, quiet, unlinked, vault
from mkt_assets.privacy.ad_refusals import AD_REFUSALS, NAMES
from mkt_assets.privacy.erased_raw import landed, remove_raw, remove_unread
from mkt_assets.privacy.erasure_list import Name, listed
from mkt_assets.privacy.keys import refuse_missing
from mkt_assets.privacy.ledger_stamps import partitions_by_key
from mkt_assets.privacy.persons import (
    by_contact,
    linked,
    refuse_unknown_contacts,
    stored_events,
)
from mkt_assets.privacy.pseudonyms import KeyRing, pseudonym
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import parquet
from mkt_assets.privacy.standing_refusals import Refused, refused_by
from mkt_assets.privacy.stored_forms import forms
from mkt_assets.privacy.stored_partitions import take_out
from mkt_assets.privacy.subjects import Subjects
from mkt_assets.privacy.unlinked import chains

#: what the guarded tables know a person by, and when: pseudonyms, microseconds
_STORED: Final = {
    EVENTS: (("user_key", "login_key"), "event_timestamp"),
    CONSENT: (("user_key",), "epoch_us(changed_at)"),
    AD_REFUSALS: (NAMES, "seen_at"),
}


def request(
    lake: Lake, ring: KeyRing, subjects: Subjects, *, now: datetime, run_id: str
) -> dict[str, Any]:
    """Record a request and list its people; nothing is removed yet.

    Returns:
        the audit record: counts, times and key ids, no identifier.

    Raises:
        MktError: a key is missing, a rotation is under way, or nothing tells whose an address is.
    """
    refuse_missing(ring, lake)
    if len(partitions_by_key(lake)) > 1:
        raise MktError(
            "a key rotation is under way, and under two keys one person is two: "
            "run mkt rotate-keys to its end, then ask again"
        )
    given, others = people(lake, ring, subjects)
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
        "not_searched": [] if subjects.are_pseudonyms else unlinked.unsearchable(lake, ring),
        "run_ids": sorted({*before.get("run_ids", []), run_id}),
        "is_listed": False,
        "applied_at": None,
        "completed_at": None,
    }
    erasure_list.write_record(lake, record)
    refused = _refused(lake, ring, [*given, *others])
    # a clock may run ahead: what is stored now was stored before the request, whatever it says
    at = max(now, _newest(lake, given, others))
    erasure_list.add(lake, request_id, [*given, *others], at, refused)
    record["is_listed"] = True
    erasure_list.write_record(lake, record)
    return record


def _refused(lake: Lake, ring: KeyRing, names: Sequence[Name]) -> Refused:
    """What these people last said no to: they may be erased, their refusal may not."""
    log = lake.whole(CONSENT)
    with quiet.connect(lake.closed(lake.landing)) as con:
        return refused_by(
            con,
            log if log.is_file() else None,
            listed(lake, ring),
            {name.pseudonym for name in names},
        )


def stored(lake: Lake) -> list[tuple[str, tuple[str, ...], str]]:
    """Guarded tables that are there: a FROM item, the columns that name people, and when (us)."""
    found = []
    for table, (keys, moment) in _STORED.items():
        if any(lake.guarded.glob(f"{table}/**/{table}.parquet")):
            pattern = stored_events(lake) if table == EVENTS else lake.whole(table)
            found.append((f"read_parquet('{sql_text(pattern)}')", keys, moment))
    return found


def _newest(lake: Lake, given: Sequence[Name], others: Sequence[Name]) -> datetime:
    """The latest moment that stored rows of these people say of themselves."""
    names = sorted({name.pseudonym for name in [*given, *others]})
    newest = 0
    with quiet.connect(lake.closed(lake.landing)) as con:
        for relation, keys, moment in stored(lake):
            theirs = " or ".join(f"list_contains($names, {key})" for key in keys)
            query = f"select max({moment}) from {relation} where {theirs}"
            ((found,),) = quietly(con, query, {"names": names})
            newest = max(newest, found or 0)
    return datetime.fromtimestamp(newest / 1e6, UTC) + timedelta(milliseconds=1)


def names_of(lake: Lake, ring: KeyRing, subjects: Subjects) -> set[str]:
    """Every pseudonym of these people, those that are linked to them too."""
    given, others = people(lake, ring, subjects)
    return {name.pseudonym for name in [*given, *others]}


def people(lake: Lake, ring: KeyRing, subjects: Subjects) -> tuple[list[Name], list[Name]]:
    """The pseudonyms of the identifiers, and those that are found to be the same people's."""
    known = chains(lake, ring)
    given = [
        Name(key_id, name, pseudonym(identifier, ring.active))
        for identifier in subjects.identifiers
        for key_id, name in forms(identifier, ring, known)
    ]
    refuse_unknown_contacts(lake, ring, subjects)
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
            return remove_raw(con, lake, names, landed(lake, days))
        planned = _plan(con, lake, open_requests)
        for place in planned:
            _remove_stored(con, lake, place, now)
        found: dict[str, int] = {}
        steps: list[Callable[[], dict[str, int]]] = [
            partial(_remove_match_keys, lake),
            partial(_remove_refusals, con, lake),
            partial(remove_raw, con, lake, names, landed(lake, None)),
            partial(remove_unread, con, lake, subjects),
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


def _remove_refusals(con: duckdb.DuckDBPyConnection, lake: Lake) -> dict[str, int]:
    """Their devices and logins leave the list of whom not to advertise to."""
    path = lake.whole(AD_REFUSALS)
    if not path.is_file():
        return {}
    named = f"coalesce({_is_named(lake, AD_REFUSALS)}, false)"
    ((gone,),) = quietly(con, f"select count(*) from {parquet(path)} as told where {named}")
    if gone:
        kept = f"select * from {parquet(path)} as told where not {named} order by 1, 2"
        with replacing(path) as writing:
            quietly(con, f"copy ({kept}) to '{sql_text(writing)}' (format parquet)")
    return {str(path.relative_to(lake.root)): int(gone)} if gone else {}


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
