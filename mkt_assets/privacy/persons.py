"""One person's pseudonyms: the devices and logins that belong together in the guarded events.

A device that was only ever used with one login is that person's; one with several is shared, and
only its rows with the person's own login are theirs. What stays out: what is done with them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from mkt_assets.errors import MktError
from mkt_assets.ingest.sources import CONTACTS, raw_whole
from mkt_assets.lake import Lake
from mkt_assets.privacy import vault
from mkt_assets.privacy.erasure_list import read_record
from mkt_assets.privacy.ledger import lines_path
from mkt_assets.privacy.pseudonyms import KeyRing
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.stored_forms import forms
from mkt_assets.privacy.subjects import Subjects
from mkt_assets.privacy.unlinked import chains

_LINKS: Final = """
    create or replace temp table person_links as
    select
        user_key, login_key, any_value(key_id) as key_id,
        count(*) over (partition by user_key) = 1 as is_own
    from read_parquet($events) where login_key is not null
    group by user_key, login_key
"""
_LOGINS: Final = """
    insert into person_names
    select distinct links.login_key, links.key_id from person_links as links
    where links.is_own and links.user_key in (select name from person_names)
        and links.login_key not in (select name from person_names)
    returning name
"""
_DEVICES: Final = """
    insert into person_names
    select distinct links.user_key, links.key_id from person_links as links
    where links.is_own and links.login_key in (select name from person_names)
        and links.user_key not in (select name from person_names)
    returning name
"""

_CONTACTS: Final = """
    select distinct subject_id from read_parquet($raw)
    where subject_id is not null and (
        list_contains($names, lower(trim(email)))
        or list_contains($names, '+' || regexp_replace(phone, '[^0-9]', '', 'g'))
    )
"""


def stored_events(lake: Lake) -> str:
    """The pattern of all guarded events."""
    return str(lake.guarded / "events" / "event_date=*" / "events.parquet")


def linked(
    con: duckdb.DuckDBPyConnection, lake: Lake, pseudonyms: Collection[str]
) -> set[tuple[str, str]]:
    """(key id, pseudonym) of what the events show to be the same people, without those given."""
    if not any(lake.guarded.glob("events/event_date=*/events.parquet")):
        return set()
    given = pa.table({"name": sorted(pseudonyms)}, schema=pa.schema([("name", pa.string())]))
    con.register("person_given", given)
    quietly(
        con,
        "create or replace temp table person_names as "
        "select name, null::varchar as key_id from person_given",
    )
    con.unregister("person_given")
    quietly(con, _LINKS, {"events": stored_events(lake)})
    # what is found is a person's, so this ends when all of the person is found
    while quietly(con, _LOGINS) + quietly(con, _DEVICES):
        pass
    found = quietly(con, "select key_id, name from person_names where key_id is not null")
    for table in ("person_names", "person_links"):
        quietly(con, f"drop table {table}")
    return {(str(key_id), str(name)) for key_id, name in found}


def by_contact(
    con: duckdb.DuckDBPyConnection, lake: Lake, ring: KeyRing, subjects: Subjects
) -> set[tuple[str, str]]:
    """(key id, pseudonym) of people whose e-mail address or phone number is an identifier.

    Looked for in the vault, by match key, and in the contacts as they were landed.
    """
    known = chains(lake, ring)
    keys = pa.array(sorted(subjects.match_keys()), pa.string())
    found = set()
    for rows in vault.everything(lake):
        theirs = rows.filter(pc.is_in(rows["match_key"], value_set=keys))
        found |= {(row["key_id"], row["user_key"]) for row in theirs.to_pylist()}
    raw = raw_whole(lake, CONTACTS)
    if raw.is_file():
        rows = quietly(con, _CONTACTS, {"raw": str(raw), "names": list(subjects.identifiers)})
        found |= {form for (name,) in rows for form in forms(name, ring, known)}
    return found


def needs_contacts(lake: Lake, ring: KeyRing, subjects: Subjects) -> bool:
    """Whether only contacts that are not landed now can tell whose an address is.

    So where contacts were guarded, unless the same subjects were asked for before: those found
    then are on the list.
    """
    if not subjects.contacts or raw_whole(lake, CONTACTS).is_file():
        return False
    asked_before = any(read_record(lake, subjects.request_id(key)) for key in ring.keys)
    return lines_path(lake, CONTACTS, None).is_file() and not asked_before


def refuse_unknown_contacts(lake: Lake, ring: KeyRing, subjects: Subjects) -> None:
    """Without the contacts an address is nobody's, and "nobody is here" would be a guess.

    Raises:
        MktError: an address is asked for, and the contacts are not there.
    """
    if needs_contacts(lake, ring, subjects):
        raise MktError(
            "cannot tell whose these e-mail addresses or numbers are: no contacts are landed. "
            "Make MKT_CONTACTS_URI readable and mkt run, or give the client id or the login instead"
        )
