"""Every pseudonym under which one identifier may lie stored, as far as the live keys tell.

Under each live key; of a login that came as a hash its stand-in; of people whom a rotation cut off
the pseudonym made from their old one. What stays out: which of them are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from mkt_assets.ingest.sources import CONSENT, raw_whole
from mkt_assets.lake import Lake
from mkt_assets.privacy.pseudonyms import (
    UNLINKED,
    Key,
    KeyRing,
    make_pseudonyms,
    pseudonym,
    stand_in,
)
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import parquet
from mkt_assets.privacy.unlinked import Chain, chains

#: temporary tables used here
_TABLES: Final = ("forms_made", "forms_from")


def forms(identifier: str, ring: KeyRing, chains: Sequence[Chain]) -> list[tuple[str, str]]:
    """(key id, pseudonym) of an identifier in every form that can be computed, each once."""
    found = [(key.id, made(identifier, key)) for key in ring.keys for made in (pseudonym, stand_in)]
    for first, *others in chains:
        for made in (pseudonym, stand_in):
            name = made(identifier, ring.key(first))
            for key_id in others:
                name = pseudonym(UNLINKED + name, ring.key(key_id))
            found.append((others[-1], name))
    return list(dict.fromkeys(found))


def make_forms_of_log(
    con: duckdb.DuckDBPyConnection, lake: Lake, ring: KeyRing, table: str
) -> bool:
    """``make_forms`` of everybody in the raw consent log; False, and no table, without one."""
    raw = raw_whole(lake, CONSENT)
    if not raw.is_file():
        return False
    make_forms(
        con,
        identifiers=f"select subject_id::varchar as raw from {parquet(raw)}",
        key=ring.active,
        ring=ring,
        chains=chains(lake, ring),
        table=table,
    )
    return True


def make_forms(  # noqa: PLR0913 - each is needed, none belongs to another
    con: duckdb.DuckDBPyConnection,
    *,
    identifiers: str,
    key: Key,
    ring: KeyRing,
    chains: Sequence[Chain],
    table: str,
) -> None:
    """Make the temporary ``table(user_key, form)`` of the identifiers; the same as ``forms``.

    Args:
        con: the connection.
        identifiers: a SELECT of one VARCHAR column named ``raw``.
        key: the key of ``user_key``; forms under other keys are those that chains lead to.
        ring: the live keys.
        chains: the chains that ``ring`` can follow.
        table: name of the table to make; the caller drops it.
    """
    make_pseudonyms(con, identifiers=identifiers, key=key, table=table)
    quietly(
        con,
        f"create or replace temp table {table} as "
        f"select distinct pseudonym as user_key, raw, unnest([pseudonym, stand_in]) as form "
        f"from {table}",
    )
    for first, *others in chains:
        if others[-1] != key.id:
            continue  # what it leads to is under no key that stored rows have now
        made = f"select distinct raw from {table}"
        make_pseudonyms(con, identifiers=made, key=ring.key(first), table="forms_from")
        quietly(
            con,
            "create or replace temp table forms_from as select distinct raw as origin, "
            "unnest([pseudonym, stand_in]) as name from forms_from",
        )
        for key_id in others:
            prefixed = f"select '{UNLINKED}' || name as raw from forms_from"
            make_pseudonyms(con, identifiers=prefixed, key=ring.key(key_id), table="forms_made")
            quietly(
                con,
                "create or replace temp table forms_from as "
                "select was.origin, made.pseudonym as name from forms_from as was "
                f"inner join forms_made as made on made.raw = '{UNLINKED}' || was.name",
            )
        quietly(
            con,
            f"insert into {table} select distinct told.user_key, told.raw, made.name "
            f"from {table} as told inner join forms_from as made on made.origin = told.raw",
        )
    for temporary in _TABLES:
        quietly(con, f"drop table if exists {temporary}")
