"""Devices that may not be advertised to because somebody who signed in there said no.

``ad_refusals(user_key, login_key, seen_at, key_id)`` is a suppression list: a pair stays while the
login's latest word refuses a signal that activation needs, though all its events were dropped and
their raw files are gone. Only devices of the consent log are on it: nobody else is ever advertised
to. What stays out: a device's own word (``ad_consent``), and analysis (``event_decisions``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final

import duckdb

from mkt_assets.ingest.sources import CONSENT, EVENTS
from mkt_assets.lake import Lake, replacing, sql_text
from mkt_assets.privacy.consent_entries import entries_sql
from mkt_assets.privacy.erased_rows import find_erased
from mkt_assets.privacy.erasure_list import Listed
from mkt_assets.privacy.no_id import is_id_sql
from mkt_assets.privacy.persons import stored_events
from mkt_assets.privacy.policy import DENIED, Policy
from mkt_assets.privacy.pseudonyms import KeyRing, make_pseudonyms
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import numbered, parquet
from mkt_assets.privacy.stored_forms import make_forms_of_log

AD_REFUSALS: Final = "ad_refusals"
#: the columns that name a person
NAMES: Final = ("user_key", "login_key")
_COLUMNS: Final = "user_key varchar, login_key varchar, seen_at bigint"
_TABLES: Final = ("ad_words", "ad_forms", "ad_pairs", "ad_erased", "ad_people", "ad_logins")


def update(  # noqa: PLR0913 - each is needed, none belongs to another
    con: duckdb.DuckDBPyConnection,
    lake: Lake,
    ring: KeyRing,
    policy: Policy,
    *,
    days: Sequence[date],
    erased: Listed | None,
) -> int:
    """Bring the list up to the log as it is now; how many devices are on it.

    Looked for in the stored events, in the raw events of ``days``, dropped ones too, and on the
    list itself. Equal input gives equal bytes.

    Args:
        con: the connection; temporary tables ``ad_*`` are replaced and dropped.
        lake: the data directory.
        ring: the live keys.
        policy: says which signals advertising needs.
        days: the days whose raw rows were landed by this run.
        erased: the standing erasures: older sightings of these people are none.
    """
    try:
        _make_words(con, lake, ring, policy, erased)
        quietly(con, f"create or replace temp table ad_pairs ({_COLUMNS})")
        _add_listed(con, lake)
        if quietly(con, "select 1 from ad_words where is_refused limit 1"):
            _add_stored(con, lake)
            for day in days:
                _add_raw(con, lake.landed(EVENTS, day), ring, erased)
        return _write(con, lake, ring.active.id)
    finally:
        for table in _TABLES:
            quietly(con, f"drop table if exists {table}")


def rekey(con: duckdb.DuckDBPyConnection, lake: Lake, key_id: str) -> None:
    """Give the pairs their pseudonyms by ``key_map(key_id, old, new)``; may be called again."""
    path = lake.whole(AD_REFUSALS)
    if not path.is_file():
        return
    names = ", ".join(f'coalesce({name}_map."new", told.{name}) as {name}' for name in NAMES)
    joins = " ".join(
        f'left join key_map as {name}_map on {name}_map."old" = told.{name} '
        f"and {name}_map.key_id = told.key_id"
        for name in NAMES
    )
    query = (
        f"select {names}, told.seen_at, '{sql_text(key_id)}' as key_id "
        f"from {parquet(path)} as told {joins} order by 1, 2"
    )
    _copy(con, query, path)


def _make_words(
    con: duckdb.DuckDBPyConnection,
    lake: Lake,
    ring: KeyRing,
    policy: Policy,
    erased: Listed | None,
) -> None:
    """``ad_words(user_key, is_refused)``: who is in the log, in every form a login may have."""
    log = lake.whole(CONSENT)
    refused = " or ".join(f"{need} = '{DENIED}'" for need in policy.activation_needs)
    entries = entries_sql(log if log.is_file() else None, erased)
    quietly(
        con,
        f"create or replace temp table ad_words as "
        f"select user_key, coalesce({refused}, false) as is_refused, true as is_own "
        # a word counts once its time has come
        f"from ({entries}) where changed_us <= epoch_us(now()) "
        "qualify row_number() over (partition by user_key order by changed_us desc) = 1",
    )
    if make_forms_of_log(con, lake, ring, "ad_forms"):
        quietly(
            con,
            "insert into ad_words select forms.form, bool_or(is_refused), false from ad_forms as "
            "forms inner join ad_words using (user_key) where forms.form <> user_key group by 1",
        )


def _add_listed(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """A pair goes when its login is known to refuse no more, not when nothing is known of it."""
    path = lake.whole(AD_REFUSALS)
    if path.is_file():
        quietly(
            con,
            f"insert into ad_pairs select user_key, login_key, seen_at from {parquet(path)} "
            "where login_key not in (select user_key from ad_words where not is_refused)",
        )


def _add_stored(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    if any(lake.guarded.glob(f"{EVENTS}/event_date=*/{EVENTS}.parquet")):
        quietly(
            con,
            "insert into ad_pairs select user_key, login_key, min(event_timestamp) "
            "from read_parquet($events) "
            "where login_key in (select user_key from ad_words where is_refused) group by 1, 2",
            {"events": stored_events(lake)},
        )


def _add_raw(
    con: duckdb.DuckDBPyConnection, landed: Path, ring: KeyRing, erased: Listed | None
) -> None:
    """Pairs of raw events, whatever became of the events, unless an erasure took them."""
    if not landed.is_file():
        return
    rows = numbered(landed)
    logins = f"select user_id as raw from {rows} where {is_id_sql('user_id')}"
    make_pseudonyms(con, identifiers=logins, key=ring.active, table="ad_logins")
    quietly(
        con,
        "delete from ad_logins where pseudonym not in "
        "(select user_key from ad_words where is_refused)",
    )
    if not quietly(con, "select 1 from ad_logins limit 1"):
        return
    moment = "event_timestamp"
    names = ("user_pseudo_id", "user_id")
    quietly(con, "create or replace temp table ad_erased (row_id bigint)")
    if erased is not None:
        find_erased(con, erased, raw=rows, identifiers=names, moment=moment, table="ad_erased")
    theirs = (
        f"from {rows} as told inner join ad_logins as login on login.raw = told.user_id "
        f"where {is_id_sql('user_pseudo_id')} and told.event_timestamp is not null "
        "and told.row_id not in (select row_id from ad_erased)"
    )
    people = f"select told.user_pseudo_id as raw {theirs}"
    make_pseudonyms(con, identifiers=people, key=ring.active, table="ad_people")
    quietly(
        con,
        "insert into ad_pairs select person.pseudonym, seen.stand_in, min(seen.event_timestamp) "
        f"from (select user_pseudo_id, stand_in, event_timestamp {theirs}) as seen "
        "inner join ad_people as person on person.raw = seen.user_pseudo_id group by 1, 2",
    )


def _write(con: duckdb.DuckDBPyConnection, lake: Lake, key_id: str) -> int:
    query = (
        "select user_key, login_key, min(seen_at) as seen_at, "
        f"'{sql_text(key_id)}' as key_id from ad_pairs "
        "where user_key in (select user_key from ad_words where is_own) "
        "group by 1, 2 order by 1, 2"
    )
    ((devices,),) = quietly(con, f"select count(distinct user_key) from ({query})")
    _copy(con, query, lake.whole(AD_REFUSALS))
    return int(devices)


def _copy(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    with replacing(path) as writing:
        quietly(con, f"copy ({query}) to '{sql_text(writing)}' (format parquet, compression zstd)")
