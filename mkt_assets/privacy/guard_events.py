"""The guard of the events: raw partition in, consented and clean partition out, all accounted for.

One partition at a time and DuckDB only: events never enter pandas. Identifiers become keyed
pseudonyms, columns are allow-listed, addresses lose their query, and what text remains is scanned.

Limits: see ``pii`` for what patterns cannot find. A person's own ``user_pseudo_id`` and ``user_id``
are also searched for, letter by letter, in all texts of that person's rows, so that an identifier
without a form of its own does not hide there; another person's would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from mkt_assets.errors import MktError
from mkt_assets.lake import sql_text
from mkt_assets.privacy import event_decisions as decisions
from mkt_assets.privacy import event_findings, event_rows, event_words, pii
from mkt_assets.privacy.erasure_list import Listed
from mkt_assets.privacy.event_columns import ITEM_TEXTS, OWN_ID_LENGTH, lake_sql
from mkt_assets.privacy.event_decisions import Question
from mkt_assets.privacy.event_numbers import refused_numbers
from mkt_assets.privacy.event_taken import TEXTS
from mkt_assets.privacy.fates import Fates
from mkt_assets.privacy.policy import Policy, is_upstream
from mkt_assets.privacy.pseudonyms import Key, make_pseudonyms
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import parquet

_TABLES = (
    *decisions.TABLES,
    *event_findings.TABLES,
    *event_rows.TABLES,
    "guard_orders",
    "guard_order_finds",
    "guard_order_keys",
)
# level 1 costs 3 % more bytes and a third less time than the default
_COPY = "(format parquet, compression zstd, compression_level 1)"
#: digits of the keyed pseudonym that keeps redacted order numbers apart: 64 bits
_ORDER_DIGITS = 16


def guard_events(  # noqa: PLR0913 - each is needed, none belongs to another
    con: duckdb.DuckDBPyConnection,
    *,
    landing: Path,
    consent: Path | None,
    day: date,
    now: datetime,
    out: Path,
    cookieless_out: Path,
    quarantine_out: Path,
    key: Key,
    policy: Policy,
    consent_basis: str,
    lineage_of: Mapping[str, str],
    processed_at: datetime,
    erased: Listed | None = None,
    folding: Collection[str] = (),
) -> Fates:
    """Guard one day's events.

    All three outputs are always written, empty ones too, so that a day that became empty replaces
    what was there. Equal input gives equal bytes.

    Args:
        con: a connection to reuse (see ``quiet.connect``); its temporary tables ``guard_*`` are
            replaced and dropped.
        landing: the raw rows, one Parquet file or a folder of them (``ingest.ga4_schema``).
        consent: the guarded consent log (``guard_consent``), made with the same key.
        day: the partition.
        now: when it is guarded; an event of a later time is set aside. Must know its time zone.
        out: where the guarded events go.
        cookieless_out: where the counts of events without an identifier go.
        quarantine_out: where raw rows that cannot be judged go, with a ``reason``; personal data,
            so it must lie in the closed landing area.
        key: the active pseudonym key.
        policy: what consent is needed.
        consent_basis: ``privacy_info``, ``consent_log``, both joined by ``+``, or
            ``upstream: <statement>``: then a row without any word on analytics counts as granted,
            one that says no is dropped all the same, and advertising stays unset.
        lineage_of: source file -> lineage id, one for each source object of the partition.
        processed_at: stamped on every row; must know its time zone.
        erased: who is to stay erased, where anybody is.
        folding: the source files of which a raw row stands for as many rows as it has items.

    Raises:
        MktError: the inputs do not fit together, or a query failed; never with a value in it.
    """
    for name, moment in (("now", now), ("processed_at", processed_at)):
        if moment.tzinfo is None:
            raise MktError(f"{name} has no time zone: give an aware datetime")
    sources = _sources(con, landing, lineage_of)
    question = Question(
        landing=landing,
        consent=consent,
        day=day,
        now=now,
        key=key,
        policy=policy,
        is_upstream=is_upstream(consent_basis, has_log=consent is not None),
        sources=sources,
        erased=erased,
        folding=folding,
    )
    _refuse_other_keys(con, consent, key)
    folder = quarantine_out.with_name(f"{quarantine_out.name}.parts")
    try:
        decisions.decide(con, question)
        _make_orders(con, question)
        lineage_ids = [lineage_of[source] for source in sources]
        clean = event_rows.clean_rows(con, question, folder)
        events = lake_sql(
            clean.rows,
            carried=clean.carried,
            day=day,
            lineage_ids=lineage_ids,
            key_id=key.id,
            processed_at=processed_at,
        )
        quietly(con, f"copy ({events}) to '{sql_text(out)}' {_COPY}")
        _write_cookieless(con, question, lineage_ids, cookieless_out)
        _write_quarantine(con, question, quarantine_out)
        redactions = _redactions(con, out, clean.unmarked) | refused_numbers(con)
        fates = _fates(con, question, redactions=redactions, notes=_notes(con))
    finally:
        for table in _TABLES:
            quietly(con, f"drop table if exists {table}")
        event_words.forget(con)
        event_rows.remove(folder)
    fates.check()
    return fates


def _sources(
    con: duckdb.DuckDBPyConnection, landing: Path, lineage_of: Mapping[str, str]
) -> list[str]:
    found = quietly(
        con, f"select distinct source_file from {parquet(landing)} order by source_file nulls first"
    )
    sources = [source for (source,) in found]
    unknown = sum(source not in lineage_of for source in sources)
    if unknown:
        raise MktError(
            f"{unknown} source files of the landed events have no lineage: "
            "land the partition again so that rows and manifest agree"
        )
    # a source whose rows were all set aside on the way in still gets its line in the ledger
    return sorted({*sources, *lineage_of})


def _refuse_other_keys(con: duckdb.DuckDBPyConnection, consent: Path | None, key: Key) -> None:
    """With another key nobody would be found in the log, and so nobody's denial."""
    if consent is None:
        return
    others = quietly(
        con,
        f"select distinct key_id from {parquet(consent)} where key_id is distinct from ? "
        "order by 1",
        [key.id],
    )
    if others:
        raise MktError(
            f"the consent log was made with the key id {others[0][0]!r}, the events are to be made "
            f"with {key.id!r}: guard the consent log again with the active key"
        )


def _make_orders(con: duckdb.DuckDBPyConnection, question: Question) -> None:
    """Replacements for order numbers that hold personal data; distinct orders stay distinct."""
    own = " or ".join(
        f"(length({own_id}) >= {OWN_ID_LENGTH} and contains(ecommerce.transaction_id, {own_id}))"
        for own_id in ("user_pseudo_id", "user_id")
    )
    found = f"""
        create or replace temp table guard_order_finds as
        select ecommerce.transaction_id as raw from {parquet(question.landing)}
        where ecommerce.transaction_id is not null and (
            {pii.has_personal_sql("ecommerce.transaction_id", pii.CODE)}
            or {own}
        )"""
    quietly(con, found)
    if not quietly(con, "select 1 from guard_order_finds limit 1"):
        quietly(con, "create or replace temp table guard_orders (raw varchar, instead varchar)")
        return
    # the prefix lets an order number that looks like a hash be hashed all the same
    prefixed = "select 'order:' || raw as raw from guard_order_finds"
    make_pseudonyms(con, identifiers=prefixed, key=question.key, table="guard_order_keys")
    quietly(
        con,
        f"create or replace temp table guard_orders as select substr(raw, 7) as raw, "
        f"'{pii.REDACTED}-' || left(pseudonym, {_ORDER_DIGITS}) as instead from guard_order_keys",
    )


def _write_cookieless(
    con: duckdb.DuckDBPyConnection, question: Question, lineage_ids: list[str], out: Path
) -> None:
    lineage = ", ".join(f"'{lineage_id}'" for lineage_id in lineage_ids)
    quietly(
        con,
        f"""
        copy (
            select
                date '{question.day}' as event_date,
                {pii.redact_sql("told.event_name")} as event_name,
                sum(told.events)::bigint as events,
                ([{lineage}]::varchar[])[source] as lineage_id
            from (
                -- names are few: each is scanned once
                select raw.event_name, source, count(*) as events
                from {question.raw} as raw
                inner join guard_decided as decided on raw.row_id = decided.row_id
                where decided.fate = '{decisions.COOKIELESS}'
                group by all
            ) as told
            group by 2, 4 order by 2, 4
        ) to '{sql_text(out)}' {_COPY}
        """,
    )


def _write_quarantine(con: duckdb.DuckDBPyConnection, question: Question, out: Path) -> None:
    of_fate = f"from guard_decided where fate = '{decisions.QUARANTINED}'"
    # most days have none: then nothing but the columns is read
    limit = "" if quietly(con, f"select 1 {of_fate} limit 1") else "limit 0"
    quietly(
        con,
        f"""
        copy (
            select raw.* exclude (row_id), decided.reason
            from {question.raw} as raw
            inner join ({of_fate}) as decided on raw.row_id = decided.row_id
            order by raw.row_id
            {limit}
        ) to '{sql_text(out)}' {_COPY}
        """,
    )


def _redactions(
    con: duckdb.DuckDBPyConnection, out: Path, unmarked: Collection[str]
) -> dict[str, int]:
    """Values of the written file that carry the mark, by column; read back: it is what is there."""
    texts = [text for text in (*TEXTS, "transaction_id") if text not in unmarked]
    counts = [f"count(*) filter (contains({text}, '{pii.REDACTED}'))" for text in texts]
    counts += [
        "coalesce(sum(len(list_filter(items, "
        f"lambda item: contains(item.{text}, '{pii.REDACTED}')))), 0)"
        for text in ITEM_TEXTS
    ]
    (found,) = quietly(con, f"select {', '.join(counts)} from {parquet(out)}")
    columns = (*texts, *(f"items.{text}" for text in ITEM_TEXTS))
    return {column: int(n) for column, n in zip(columns, found, strict=True) if n}


def _notes(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Identifiers that came as hashes: a device keeps its own, of a login a keyed one is stored."""
    counted: list[tuple[Any, ...]] = []
    for column, table in (("user_pseudo_id", "guard_people"), ("user_id", "guard_logins")):
        counted += quietly(
            con,
            f"select '{column} was a hash', count(*) from {table} where was_hash "
            "having count(*) > 0",
        )
    return dict(counted)


def _fates(
    con: duckdb.DuckDBPyConnection,
    question: Question,
    **told: Mapping[str, int],
) -> Fates:
    """What became of the source's rows; of an item list a raw row stands for all of its items."""
    rows = quietly(
        con, "select source, fate::varchar, reason, count(*), 0 from guard_decided group by all"
    )
    sources = list(question.sources)
    if question.folding:
        numbers = [sources.index(source) + 1 for source in question.folding]
        rows += quietly(
            con,
            f"""
            select source, fate::varchar, reason, sum(len(items) - 1)::bigint,
                sum(len(items) - 1)::bigint
            from {question.raw} as raw
            inner join guard_decided as decided on raw.row_id = decided.row_id
            where len(items) > 1 and list_contains(?::integer[], source)
            group by all
            """,
            [numbers],
        )
    new = event_findings.new_parameters(con)
    everything = _Counted(new=sum(map(Counter, new.values()), Counter()))
    by_source = {
        source: _Counted(new=Counter(new.get(number)))
        for number, source in enumerate(sources, start=1)
    }
    for source, fate, reason, count, folded in rows:
        for counted in (everything, by_source[sources[source - 1]]):
            counted.rows[fate, reason] += count
            counted.folded[fate] += folded
    per_source = {source: counted.fates() for source, counted in by_source.items()}
    return everything.fates(per_source=per_source, **told)


@dataclass
class _Counted:
    """Rows by fate and reason, how many of them lie in another row, and their new parameters."""

    rows: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    folded: Counter[str] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)

    def fates(self, **extra: Any) -> Fates:
        folded = {fate: n for fate, n in sorted(self.folded.items()) if n}
        new = dict(sorted(self.new.items()))
        return Fates.counted(self.rows, folded=folded, new_parameters=new, **extra)
