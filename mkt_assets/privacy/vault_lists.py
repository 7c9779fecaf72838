"""How the vault's two lists move on: from what is stored and what the policy allows today.

The lists of a destination never share a key. Where two people hold one address, a withdrawal by one
of them counts for the key unless the other's grant is later. What stays out: who is allowed, files.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

import duckdb
import pyarrow as pa

from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.vault import CHANGED, EXPIRED, WITHDRAWN

#: temporary tables made here; ``vault_kept`` and ``vault_removed`` are the answer
TABLES: Final = ("vault_lost", "vault_leaving", "vault_kept", "vault_removed")

_SAME_KEY = (
    "{a}.destination = {b}.destination and {a}.kind = {b}.kind and {a}.match_key = {b}.match_key"
)
# rows under another key id name their people otherwise: only the match key tells that they are one
_SAME_PERSON = "({a}.user_key = {b}.user_key or {b}.key_id <> $key_id)"

_LOST: Final = f"""
    create or replace temp table vault_lost as
    select
        stored.destination, stored.user_key, stored.kind, stored.match_key, stored.key_id,
        case
            when not coalesce(state.is_granted, false) then '{WITHDRAWN}'
            when state.granted_at::date + $days <= $day then '{EXPIRED}'
            else '{CHANGED}'
        end as reason
    from vault_stored as stored
    left join vault_state as state on state.user_key = stored.user_key
    where not exists (
        select 1 from vault_allowed as allowed
        where {_SAME_KEY.format(a="allowed", b="stored")}
            and {_SAME_PERSON.format(a="allowed", b="stored")}
    )"""

# the older line of somebody who is on the list already stays
_LEAVING: Final = f"""
    create or replace temp table vault_leaving as
    select * from (
        select destination, user_key, kind, match_key, reason, key_id, since, expires_on
        from vault_listed where expires_on > $day
        union all by name
        select *, $day as since, $day + $days as expires_on from vault_lost as lost
        where not exists (
            select 1 from vault_listed as listed
            where {_SAME_KEY.format(a="listed", b="lost")}
                and listed.user_key = lost.user_key and listed.expires_on > $day
        )
    ) as leaving
    where not exists (
        select 1 from vault_allowed as allowed
        where {_SAME_KEY.format(a="allowed", b="leaving")} and allowed.user_key = leaving.user_key
    )"""

_KEPT: Final = f"""
    create or replace temp table vault_kept as
    select
        allowed.destination, allowed.user_key, allowed.kind, allowed.match_key,
        allowed.granted_at, coalesce(min(stored.first_stored_on), $day) as first_stored_on,
        allowed.granted_at::date + $days as expires_on
    from vault_allowed as allowed
    left join vault_stored as stored
        on {_SAME_KEY.format(a="allowed", b="stored")}
        and {_SAME_PERSON.format(a="allowed", b="stored")}
    where not exists (
        select 1 from vault_leaving as leaving
        where {_SAME_KEY.format(a="allowed", b="leaving")}
            and leaving.reason = '{WITHDRAWN}' and leaving.since >= allowed.granted_at::date
    )
    group by all"""

_REMOVED: Final = f"""
    create or replace temp table vault_removed as
    select * from vault_leaving as leaving
    where not exists (
        select 1 from vault_kept as kept where {_SAME_KEY.format(a="kept", b="leaving")}
    )"""


def of_all(tables: Mapping[str, pa.Table]) -> pa.Table:
    """The files of all destinations as one table, with the column ``destination``."""
    parts = [
        t.append_column("destination", pa.array([d] * len(t), pa.string()))
        for d, t in tables.items()
    ]
    return pa.concat_tables(parts)


def move_on(  # noqa: PLR0913  each is a part of the question, named at the call
    con: duckdb.DuckDBPyConnection,
    *,
    stored: Mapping[str, pa.Table],
    listed: Mapping[str, pa.Table],
    key_id: str,
    day: date,
    retention_days: int,
) -> None:
    """Make ``vault_kept`` and ``vault_removed`` of what is stored and ``vault_allowed``.

    Args:
        con: has ``vault_allowed(destination, user_key, kind, match_key, granted_at)`` and
            ``vault_state``.
        stored: match keys by destination.
        listed: remove lists by destination.
        key_id: of the pseudonyms in ``vault_allowed``.
        day: today.
        retention_days: how long a key outlives its grant, and a line the day it was written.
    """
    values = {"day": day, "days": retention_days, "key_id": key_id}
    for name, tables in (("vault_stored", stored), ("vault_listed", listed)):
        con.register(name, of_all(tables))
    try:
        quietly(con, _LOST, values)
        quietly(con, _LEAVING, {k: values[k] for k in ("day", "days")})
        quietly(con, _KEPT, values)
        quietly(con, _REMOVED)
    finally:
        for name in ("vault_stored", "vault_listed"):
            con.unregister(name)
