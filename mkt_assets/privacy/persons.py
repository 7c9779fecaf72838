"""One person's pseudonyms: the devices and logins that belong together in the guarded events.

A device that was only ever used with one login is that person's; one with several is shared, and
only its rows with the person's own login are theirs. What stays out: what is done with them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import duckdb
import pyarrow as pa

from mkt_assets.lake import Lake
from mkt_assets.privacy.quiet import quietly

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
