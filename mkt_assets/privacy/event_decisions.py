"""Which events may be kept: one narrow pass over a raw partition, one decision per row.

Precedence: what cannot be judged is quarantined; what has no identifier is cookieless; what lacks
consent is dropped, its content never read; of what remains, exact copies are left out, and then
whoever asked to be erased. What stays out: writing the rows.

Tables made here, all temporary: ``guard_people`` and ``guard_logins`` (raw identifier and
pseudonym), ``guard_decided`` (one row per raw row), ``guard_log`` (these people's consent log).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from mkt_assets.ingest.ga4_types import AMOUNTS
from mkt_assets.lake import sql_text
from mkt_assets.privacy.consent_entries import entries_sql
from mkt_assets.privacy.erased_rows import find_erased
from mkt_assets.privacy.erasure_list import Listed
from mkt_assets.privacy.event_numbers import AMOUNT_LIMIT
from mkt_assets.privacy.no_id import is_id_sql
from mkt_assets.privacy.policy import (
    CONSENT_DENIED,
    DENIED,
    GRANTED,
    SIGNALS,
    UNSET,
    Policy,
    combined_sql,
    privacy_info_sql,
)
from mkt_assets.privacy.pseudonyms import Key, make_pseudonyms
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import numbered, parquet

TABLES: Final = (
    "guard_decided",
    "guard_log",
    "guard_people",
    "guard_logins",
    "guard_kept_keys",
    "guard_erased",
    "guard_refusals",
)

#: GA4 processes what arrives up to 72 hours late, and a property's day is up to 14 hours off UTC
DAYS_AROUND: Final = 3
#: how far ahead the clock that made an event may be of ours
CLOCK_SKEW: Final = timedelta(minutes=5)
#: GA4's own limit for the name of an event
LONGEST_NAME: Final = 40

KEPT, DROPPED, COOKIELESS, DUPLICATE, QUARANTINED, ERASED = (
    "kept",
    "dropped",
    "cookieless",
    "duplicates",
    "quarantined",
    "erased",
)
_FATE = f"enum('{KEPT}', '{DROPPED}', '{COOKIELESS}', '{DUPLICATE}', '{QUARANTINED}', '{ERASED}')"
SIGNAL = f"enum('{GRANTED}', '{DENIED}', '{UNSET}')"
#: all that copies have in common beside their columns; as a text, in which nothing is ambiguous
CONTENT: Final = "{'params': event_params, 'items': items}::varchar"
# names in which nothing can be redacted; all others count as alike, so that events that differ in
# what was redacted are numbered and keep different keys
_PLAIN_NAME = (
    "case when regexp_full_match(said.event_name, '[a-z_]{1,31}') then said.event_name end"
)
# a transient token is made up for one page view: it is nobody's identifier
_IS_LASTING = "lower(coalesce(privacy_info.uses_transient_token, 'no')) <> 'yes'"


@dataclass(frozen=True)
class Question:
    """What the decision depends on."""

    landing: Path
    consent: Path | None
    day: date
    now: datetime
    key: Key
    policy: Policy
    is_upstream: bool
    sources: Sequence[str]
    erased: Listed | None = None
    folding: Collection[str] = ()

    @property
    def raw(self) -> str:
        """The raw rows with ``row_id``; one landed file, or all Parquet files of a folder."""
        return numbered(self.landing)


def decide(con: duckdb.DuckDBPyConnection, question: Question) -> None:
    """Make ``guard_decided``: row_id, source, person, device, fate, reason, signals, ordinal."""
    raw = parquet(question.landing)
    for table, column in (("guard_people", "user_pseudo_id"), ("guard_logins", "user_id")):
        people = f"select {column} as raw from {raw}"
        make_pseudonyms(con, identifiers=people, key=question.key, table=table)
        # here, where each is there once, and not row by row
        quietly(con, f"delete from {table} where not {is_id_sql('raw')}")
    quietly(con, _log_sql(question))
    quietly(con, _decisions_sql(question))
    _hear_logins(con, question)
    _find_alike(con)


def settle(con: duckdb.DuckDBPyConnection, question: Question, contents: str | None = None) -> None:
    """Leave out copies of rows that are kept so far, and what a login or an erasure refuses.

    Args:
        con: the connection.
        question: what was asked of ``decide``.
        contents: a FROM item with ``row_id, event_name, bundle, content`` of the rows of
            ``guard_kept_keys``, the last one ``CONTENT``; None has them read from the raw rows.
    """
    _mark_copies(con, contents or _contents(question))
    _drop_refused(con, question)
    _mark_erased(con, question)


def micros(moment: datetime) -> int:
    """A moment as an ``event_timestamp``: microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _log_sql(question: Question) -> str:
    """The consent log of the people seen, each entry with the time of the next; may be empty."""
    among = "select pseudonym from guard_people"
    # an asof join would sort all events, which spills; people have few entries, so look at them all
    return f"""
        create or replace temp table guard_log as
        select person.id as person, entries.* exclude (user_key)
        from ({entries_sql(question.consent, question.erased, among)}) as entries
        join (select distinct id, pseudonym from guard_people) as person
            on person.pseudonym = entries.user_key"""


def _quarantine_sql(day: date, now: datetime) -> str:
    low = f"epoch_us(timestamp '{day}') - {DAYS_AROUND} * 86400000000"
    high = f"epoch_us(timestamp '{day}') + {DAYS_AROUND + 1} * 86400000000"
    money = " or ".join(
        f"not (abs(coalesce(ecommerce.{amount}, 0)) < {AMOUNT_LIMIT})" for amount in AMOUNTS
    )
    return f"""
        case
            when event_timestamp is null then 'no_timestamp'
            when event_timestamp < {low} or event_timestamp >= {high} then 'impossible_timestamp'
            when event_timestamp > {micros(now + CLOCK_SKEW)} then 'in_the_future'
            when event_name is null or trim(event_name) = '' then 'no_event_name'
            when length(event_name) > {LONGEST_NAME} then 'long_event_name'
            when said_analytics is null or said_ads is null then 'unknown_consent_word'
            when {money} then 'impossible_amount'
        end"""


def _decisions_sql(question: Question) -> str:
    sources = ", ".join(f"'{sql_text(source)}'" for source in question.sources)
    analytics = combined_sql("said_analytics", "log.analytics_storage")
    if question.is_upstream:
        analytics = f"replace({analytics}, '{UNSET}', '{GRANTED}')"
    return f"""
        create or replace temp table guard_decided as
        with said as (
            select
                *,
                {privacy_info_sql("privacy_info.analytics_storage")} as said_analytics,
                {privacy_info_sql("privacy_info.ads_storage")} as said_ads
            from {question.raw}
        ),

        narrow as (
            select
                said.row_id,
                list_position([{sources}], said.source_file)::integer as source,
                case when {_IS_LASTING} then person.id end as person,
                -- a person may have several; joined by number where a text would cost more
                person.rowid::integer as device,
                said.event_timestamp,
                hash({_PLAIN_NAME}, said.event_bundle_sequence_id) as likeness,
                said.said_analytics,
                said.said_ads,
                {_quarantine_sql(question.day, question.now)} as fault
            from said left join guard_people as person on person.raw = said.user_pseudo_id
        ),

        signalled as (
            select
                narrow.*,
                {analytics} as analytics_storage,
                {combined_sql("said_ads", "log.ad_storage")} as ad_storage,
                coalesce(log.ad_user_data, '{UNSET}') as ad_user_data,
                coalesce(log.ad_personalization, '{UNSET}') as ad_personalization
            from narrow left join guard_log as log
                on narrow.person = log.person
                and narrow.event_timestamp >= log.changed_us
                and narrow.event_timestamp < log.until_us
        ),

        refused as (select *, {question.policy.refusal_sql()} as refusal from signalled)

        select
            row_id,
            source,
            person,
            device,
            event_timestamp,
            likeness,
            (case
                when fault is not null then '{QUARANTINED}'
                when person is null then '{COOKIELESS}'
                when refusal is not null then '{DROPPED}'
                else '{KEPT}'
            end)::{_FATE} as fate,
            coalesce(fault, case when person is not null then refusal end) as reason,
            {", ".join(f"{signal}::{SIGNAL} as {signal}" for signal in SIGNALS)},
            1::integer as ordinal
        from refused"""


def has_alike(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the content of rows must be compared."""
    return bool(quietly(con, "select 1 from guard_kept_keys limit 1"))


def _find_alike(con: duckdb.DuckDBPyConnection) -> None:
    quietly(
        con,
        f"""
        create or replace temp table guard_kept_keys as
        select row_id from guard_decided where fate = '{KEPT}'
        qualify count(*) over (partition by person, event_timestamp, likeness) > 1
        """,
    )


def _contents(question: Question) -> str:
    return (
        "(select raw.row_id, event_name, event_bundle_sequence_id as bundle, "
        f"{CONTENT} as content "
        f"from {question.raw} as raw inner join guard_kept_keys using (row_id))"
    )


def _mark_copies(con: duckdb.DuckDBPyConnection, contents: str) -> None:
    """Leave out exact copies; number events that differ in nothing but their parameters.

    Of copies whose consent differs one with a refusal stays, then one without a grant, then the
    first.
    """
    if not has_alike(con):
        return
    any_denied = " or ".join(f"decided.{signal} = '{DENIED}'" for signal in SIGNALS)
    content = "told.event_name, told.bundle, told.content"
    quietly(
        con,
        f"""
        create or replace temp table guard_copies as
        select
            decided.row_id,
            dense_rank() over (
                partition by decided.person, decided.event_timestamp, decided.likeness
                order by {content}
            ) as ordinal,
            row_number() over (
                partition by decided.person, decided.event_timestamp, {content}
                order by not ({any_denied}), decided.ad_storage = '{GRANTED}', decided.row_id
            ) > 1 as is_copy
        from {contents} as told
        join guard_kept_keys using (row_id)
        join guard_decided as decided using (row_id)
        """,
    )
    quietly(
        con,
        f"""
        update guard_decided
        set ordinal = copies.ordinal,
            fate = case when copies.is_copy then '{DUPLICATE}' else fate end
        from guard_copies as copies where copies.row_id = guard_decided.row_id
        """,
    )
    quietly(con, "drop table guard_copies")


def _hear_logins(con: duckdb.DuckDBPyConnection, question: Question) -> None:
    """A consent log may know a person by login: a refusal there is one on every device."""
    among = "select pseudonym from guard_logins"
    denials = " or ".join(f"{signal} = '{DENIED}'" for signal in SIGNALS)
    quietly(
        con,
        f"""
        create or replace temp table guard_refusals as
        select login.raw, entries.* exclude (user_key)
        from ({entries_sql(question.consent, question.erased, among)}) as entries
        inner join guard_logins as login on login.pseudonym = entries.user_key
        where {denials}
        """,
    )
    if not quietly(con, "select 1 from guard_refusals limit 1"):
        return
    quietly(
        con,
        f"""
        update guard_decided set {", ".join(map(_stricter, SIGNALS))}
        from (
            select raw.row_id, {", ".join(f"refusal.{signal}" for signal in SIGNALS)}
            from {question.raw} as raw
            inner join guard_refusals as refusal on refusal.raw = raw.user_id
                and raw.event_timestamp >= refusal.changed_us
                and raw.event_timestamp < refusal.until_us
        ) as told
        where told.row_id = guard_decided.row_id
        """,
    )


def _drop_refused(con: duckdb.DuckDBPyConnection, question: Question) -> None:
    """What a login refuses goes: only now, so that a copy of it without the login goes with it."""
    denied = " or ".join(f"{need} = '{DENIED}'" for need in question.policy.analysis_needs)
    quietly(
        con,
        f"update guard_decided set fate = '{DROPPED}', reason = '{CONSENT_DENIED}' "
        f"where fate = '{KEPT}' and ({denied})",
    )


def _stricter(signal: str) -> str:
    return (
        f"{signal} = case when told.{signal} = '{DENIED}' then '{DENIED}' "
        f"else guard_decided.{signal} end"
    )


def _mark_erased(con: duckdb.DuckDBPyConnection, question: Question) -> None:
    """Whoever asked to be erased is kept nowhere, not even among what is set aside."""
    if question.erased is None:
        return
    find_erased(
        con,
        question.erased,
        raw=question.raw,
        identifiers=("user_pseudo_id", "user_id"),
        moment="event_timestamp",
        table="guard_erased",
    )
    quietly(
        con,
        f"update guard_decided set fate = '{ERASED}', reason = null "
        f"where fate in ('{KEPT}', '{QUARANTINED}') "
        "and row_id in (select row_id from guard_erased)",
    )
