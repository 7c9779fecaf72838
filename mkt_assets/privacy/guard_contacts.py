"""The guard of contacts: match keys for those who granted advertising, and for nobody else.

The contact of a person without both grants is never spelled, hashed or stored. What stays out: how
contacts are spelled (match_keys), how the lists change from day to day (vault_lists).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake, sql_text
from mkt_assets.privacy import vault, vault_lists
from mkt_assets.privacy.ad_consent import make_states
from mkt_assets.privacy.ad_refusals import AD_REFUSALS
from mkt_assets.privacy.fates import Fates
from mkt_assets.privacy.match_keys import DESTINATIONS, NoKeyError, match_key
from mkt_assets.privacy.no_id import is_id_sql
from mkt_assets.privacy.policy import Policy
from mkt_assets.privacy.pseudonyms import Key, make_pseudonyms
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import parquet

#: why a row of contacts gives no key, beside the reasons of match_keys
NO_SUBJECT, NO_CONTACT = "no_subject", "no_contact"
NO_CONSENT, GRANT_TOO_OLD = "no_ad_consent", "grant_too_old"
WITHDRAWN_ELSEWHERE: Final = "withdrawn_by_another_holder"

_TABLES: Final = (
    *vault_lists.TABLES,
    *(f"vault_{name}" for name in ("people", "state", "contacts", "cells", "spelled", "allowed")),
)
_SPELLED = pa.schema(
    [
        ("destination", pa.string()),
        ("kind", pa.string()),
        ("value", pa.string()),
        ("match_key", pa.string()),
        ("reason", pa.string()),
        ("was_hash", pa.bool_()),
    ]
)

_CELLS = """
    create or replace temp table vault_cells as
    select row_id, user_key, granted_at, kind, value
    from (
        select *, 'email' as kind, email as value from vault_contacts
        union all
        select *, 'phone' as kind, phone as value from vault_contacts
    )
    where fault is null and not is_repeat and value is not null"""

_ALLOWED = """
    create or replace temp table vault_allowed as
    select spelled.destination, cells.user_key, spelled.kind, spelled.match_key, cells.granted_at
    from vault_cells as cells join vault_spelled as spelled using (kind, value)
    where spelled.match_key is not null
    group by all"""

_ROW_FATES = f"""
    select
        coalesce(source_file, '') as source,
        case
            when fault = '{NO_SUBJECT}' then 'quarantined'
            when fault is not null then 'dropped'
            when is_repeat then 'duplicates'
            when has_kept then 'kept'
            when has_key then 'dropped'
            else 'quarantined'
        end as fate,
        case
            when fault is not null then fault
            when is_repeat or has_kept then null
            when has_key then '{WITHDRAWN_ELSEWHERE}'
            else coalesce(refusal, '{NO_CONTACT}')
        end as why,
        count(*)
    from vault_contacts
    left join (
        select
            cells.row_id,
            bool_or(spelled.match_key is not null) as has_key,
            bool_or(kept.user_key is not null) as has_kept,
            min(spelled.reason) as refusal
        from vault_cells as cells
        join vault_spelled as spelled using (kind, value)
        left join vault_kept as kept
            on kept.destination = spelled.destination and kept.kind = spelled.kind
            and kept.match_key = spelled.match_key and kept.user_key = cells.user_key
        group by cells.row_id
    ) using (row_id)
    group by all"""

_NOTES = """
    select destination || ' ' || coalesce(reason, 'came_as_a_hash'), count(*)
    from vault_cells join vault_spelled using (kind, value)
    where reason is not null or was_hash
    group by 1 order by 1"""


def guard_contacts(  # noqa: PLR0913  each is a part of the question, named at the call
    con: duckdb.DuckDBPyConnection,
    *,
    raw: Path,
    consent: Path,
    lake: Lake,
    key: Key,
    policy: Policy,
    day: date,
    retention_days: int,
    region: str | None,
) -> Fates:
    """Bring the vault up to ``day``; equal input gives equal bytes.

    The remove lists are written first: a kill in between leaves a withdrawn person on both lists,
    where the remove list holds, and never on none.

    Args:
        con: a connection to reuse; its temporary tables ``vault_*`` are replaced and dropped.
        raw: Parquet with ``subject_id, email, phone, source_file``.
        consent: the guarded consent log.
        lake: where the vault is, and the devices on which a login refuses advertising.
        key: the active pseudonym key, the same as the consent log's.
        policy: says which signals advertising needs.
        day: today; keys whose grant is ``retention_days`` old are not kept.
        retention_days: how long a key outlives its grant, and a line of a remove list its day.
        region: country of phone numbers that name none.

    Returns:
        the fates of the rows; ``notes`` counts values that gave no key, by destination and reason.

    Raises:
        MktError: the vault is open to others, or the log was made with another key.
    """
    vault.prepare(lake)
    _refuse_other_key(con, consent, key)
    people = f"select subject_id as raw from {parquet(raw)} where {is_id_sql('subject_id')}"
    try:
        make_pseudonyms(con, identifiers=people, key=key, table="vault_people")
        refusals = lake.whole(AD_REFUSALS)
        make_states(con, consent=consent, policy=policy, table="vault_state", refusals=refusals)
        quietly(con, _contacts_sql(raw), {"day": day, "days": retention_days})
        quietly(con, _CELLS)
        _spell(con, region)
        quietly(con, _ALLOWED)
        vault_lists.move_on(
            con,
            stored={d: vault.read(lake, vault.MATCH_KEYS, d) for d in DESTINATIONS},
            listed={d: vault.read(lake, vault.REMOVE_LIST, d) for d in DESTINATIONS},
            key_id=key.id,
            day=day,
            retention_days=retention_days,
        )
        fates = _fates(con)
        fates.check()
        _store(con, lake, key)
    finally:
        for table in _TABLES:
            quietly(con, f"drop table if exists {table}")
    return fates


def not_granted(
    con: duckdb.DuckDBPyConnection, *, lake: Lake, consent: Path, policy: Policy
) -> dict[str, int]:
    """Stored match keys of people whose latest word is not both grants, by destination.

    A refusal by somebody who signed in on their device is a word too.

    Raises:
        MktError: the vault is open to others.
    """
    stored = {d: vault.read(lake, vault.MATCH_KEYS, d) for d in DESTINATIONS}
    con.register("vault_stored", vault_lists.of_all(stored))
    try:
        make_states(
            con,
            consent=consent,
            policy=policy,
            table="vault_state",
            refusals=lake.whole(AD_REFUSALS),
            people="vault_stored",
        )
        found = quietly(
            con,
            "select destination, count(*) from vault_stored left join vault_state using (user_key) "
            "where not coalesce(is_granted, false) group by destination order by destination",
        )
    finally:
        con.unregister("vault_stored")
    quietly(con, "drop table vault_state")
    return dict(found)


def _refuse_other_key(con: duckdb.DuckDBPyConnection, consent: Path, key: Key) -> None:
    others = quietly(
        con, f"select distinct key_id from {parquet(consent)} where key_id <> ?", [key.id]
    )
    if others:
        raise MktError(
            f"the consent log was guarded with the key id {others[0][0]!r}, the active one is "
            f"{key.id!r}, so nobody's consent would be found: materialize privacy/consent_log first"
        )


def _contacts_sql(raw: Path) -> str:
    return f"""
        create or replace temp table vault_contacts as
        select
            contacts.row_id, contacts.source_file, people.pseudonym as user_key,
            contacts.email, contacts.phone, state.granted_at,
            case
                when people.pseudonym is null then '{NO_SUBJECT}'
                when not coalesce(state.is_granted, false) then '{NO_CONSENT}'
                when state.granted_at::date + $days <= $day then '{GRANT_TOO_OLD}'
            end as fault,
            row_number() over (
                partition by people.pseudonym, contacts.email, contacts.phone
                order by contacts.row_id
            ) > 1 as is_repeat
        from (
            select file_row_number as row_id, * exclude (file_row_number)
            from read_parquet('{sql_text(raw)}', file_row_number = true, hive_partitioning = false)
        ) as contacts
        left join vault_people as people on people.raw = contacts.subject_id
        left join vault_state as state on state.user_key = people.pseudonym"""


def _spell(con: duckdb.DuckDBPyConnection, region: str | None) -> None:
    """Make ``vault_spelled``: each distinct contact once for each destination."""
    contacts = quietly(con, "select distinct kind, value from vault_cells order by 1, 2")
    rows = list(_spellings(contacts, region))
    con.register("spelled_rows", pa.Table.from_pylist(rows, schema=_SPELLED))
    quietly(con, "create or replace temp table vault_spelled as select * from spelled_rows")
    con.unregister("spelled_rows")


def _spellings(contacts: list[tuple[Any, ...]], region: str | None) -> Iterator[dict[str, Any]]:
    for kind, value in contacts:
        for destination, rules in DESTINATIONS.items():
            row = {"destination": destination, "kind": kind, "value": value}
            try:
                found = match_key(kind, value, rules, region)
            except NoKeyError as refusal:
                yield row | {"reason": refusal.reason, "was_hash": False}
            else:
                yield row | {"match_key": found.value, "was_hash": found.was_hash}


def _fates(con: duckdb.DuckDBPyConnection) -> Fates:
    total: Counter[tuple[str, str | None]] = Counter()
    by_source: defaultdict[str, Counter[tuple[str, str | None]]] = defaultdict(Counter)
    for source, fate, why, n in quietly(con, _ROW_FATES):
        total[fate, why] += n
        by_source[source][fate, why] += n
    return Fates.counted(
        total,
        notes=dict(quietly(con, _NOTES)),
        per_source={s: Fates.counted(told) for s, told in sorted(by_source.items()) if s},
    )


def _store(con: duckdb.DuckDBPyConnection, lake: Lake, key: Key) -> None:
    # nothing is computed here that could fail on a value and quote it
    removed, kept = (con.table(t).to_arrow_table() for t in ("vault_removed", "vault_kept"))
    kept = kept.append_column("key_id", pa.repeat(key.id, len(kept)))
    for destination, rules in DESTINATIONS.items():
        here = pc.field("destination") == destination
        vault.write(lake, vault.REMOVE_LIST, destination, removed.filter(here))
        keys = kept.filter(here)
        versions = pa.repeat(rules.version, len(keys))
        keys = keys.append_column("rules_version", versions)
        vault.write(lake, vault.MATCH_KEYS, destination, keys)
