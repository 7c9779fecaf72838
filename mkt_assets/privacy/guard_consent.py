"""The guard of the consent log: subjects become keyed pseudonyms, words become signals.

Built to fail closed: a word that is not understood counts as denied, and where one person has two
entries of the same moment a denial wins. Limit: an entry without a usable time cannot be placed in
the log; it is set aside and counted, whatever it says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from mkt_assets.errors import MktError
from mkt_assets.lake import sql_text
from mkt_assets.privacy.erased_rows import find_erased
from mkt_assets.privacy.erasure_list import Listed
from mkt_assets.privacy.fates import Fates
from mkt_assets.privacy.policy import DENIED, GRANTED, SIGNALS
from mkt_assets.privacy.pseudonyms import Key, make_pseudonyms
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import numbered, parquet

#: there was no consent to ask for on the web before; earlier times are clocks that were never set
_EARLIEST: Final = "2000-01-01"
#: how far ahead of ours the clock of a consent platform may be
_CLOCK_SKEW: Final = timedelta(days=1)
_ERASED: Final = "erased"


def guard_consent(  # noqa: PLR0913 - each is needed, none belongs to another
    con: duckdb.DuckDBPyConnection,
    *,
    raw: Path,
    out: Path,
    key: Key,
    processed_at: datetime | None = None,
    erased: Listed | None = None,
) -> Fates:
    """Guard the whole consent log; equal input gives equal bytes.

    Args:
        con: a connection to reuse; its temporary tables ``guard_*`` are replaced and dropped.
        raw: Parquet with ``subject_id``, ``changed_at`` and the four signals; a NULL signal is one
            that the entry says nothing about.
        out: where the guarded log goes, one row per person and moment: the state from then on, so
            that a signal is NULL only until it is first named.
        key: the active pseudonym key, the same as for the events.
        processed_at: where given, entries later than this by more than a day are set aside.
        erased: who is to stay erased, where anybody is.

    Returns:
        the fates of the entries; ``notes`` counts words that were not understood, by signal.

    Raises:
        MktError: a query failed; never with a value in it.
    """
    if processed_at is not None and processed_at.tzinfo is None:
        raise MktError("processed_at has no time zone: give an aware datetime")
    try:
        make_pseudonyms(
            con,
            identifiers=f"select subject_id::varchar as raw from {parquet(raw)}",
            key=key,
            table="guard_subjects",
        )
        latest = processed_at + _CLOCK_SKEW if processed_at else None
        quietly(con, _entries_sql(raw, _source(con, raw)), [latest])
        if erased is not None:
            _leave_out(con, raw, erased)
        quietly(
            con, f"copy ({_log_sql(key)}) to '{sql_text(out)}' (format parquet, compression zstd)"
        )
        fates = _fates(con)
    finally:
        for table in ("guard_subjects", "guard_entries", "guard_erased"):
            quietly(con, f"drop table if exists {table}")
    fates.check()
    return fates


def _source(con: duckdb.DuckDBPyConnection, raw: Path) -> str:
    """What an entry's file is called; a log of one file need not say."""
    columns = {name for name, *_ in quietly(con, f"describe select * from {parquet(raw)}")}
    return "source_file" if "source_file" in columns else "null::varchar"


def _entries_sql(raw: Path, source: str) -> str:
    words = ", ".join(
        f"case when trim({signal}) = '' then null else lower(trim({signal})) end as {signal}"
        for signal in SIGNALS
    )
    understood = ", ".join(
        f"case when {signal} in ('{GRANTED}', '{DENIED}') or {signal} is null then {signal} "
        f"else '{DENIED}' end as {signal}, "
        f"coalesce({signal} not in ('{GRANTED}', '{DENIED}'), false) as odd_{signal}"
        for signal in SIGNALS
    )
    return f"""
        create or replace temp table guard_entries as
        select
            entries.row_id,
            entries.source,
            subjects.pseudonym as user_key,
            entries.changed_at,
            {understood},
            case
                when subjects.pseudonym is null then 'no_subject'
                when entries.changed_at is null then 'no_time'
                when entries.changed_at < timestamptz '{_EARLIEST} 00:00:00+00'
                    or not isfinite(entries.changed_at)
                    or entries.changed_at > ?::timestamptz then 'impossible_time'
            end as fault
        from (
            select
                row_id, {source} as source, subject_id::varchar as subject_id, changed_at, {words}
            from {numbered(raw)}
        ) as entries
        left join guard_subjects as subjects on subjects.raw = entries.subject_id"""


def _leave_out(con: duckdb.DuckDBPyConnection, raw: Path, erased: Listed) -> None:
    find_erased(
        con,
        erased,
        raw=numbered(raw),
        identifiers=("subject_id",),
        moment="epoch_us(changed_at)",
        table="guard_erased",
    )
    quietly(
        con,
        f"update guard_entries set fault = '{_ERASED}' "
        "where row_id in (select row_id from guard_erased)",
    )


def _log_sql(key: Key) -> str:
    names = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
    said = ", ".join(
        f"case when bool_or({signal} = '{DENIED}') then '{DENIED}' "
        f"when bool_or({signal} = '{GRANTED}') then '{GRANTED}' end as {signal}"
        for signal in names
    )
    # a consent update changes the signals that it names; the others stay as they were
    state = ", ".join(
        f"last_value({signal} ignore nulls) over told as {signal}" for signal in names
    )
    return f"""
        select user_key, changed_at, {state}, '{key.id}' as key_id
        from (
            select user_key, changed_at, {said}
            from guard_entries where fault is null group by user_key, changed_at
        )
        window told as (
            partition by user_key order by changed_at
            rows between unbounded preceding and current row
        )
        order by user_key, changed_at"""


def _fates(con: duckdb.DuckDBPyConnection) -> Fates:
    """Of the entries of one person and moment the first is kept, the others are duplicates."""
    rows = quietly(
        con,
        """
        select source, fault, fault is null and number > 1 as is_duplicate, count(*)
        from (
            select *, row_number() over (
                partition by user_key, changed_at, fault order by row_id
            ) as number
            from guard_entries
        )
        group by all
        """,
    )
    (odd,) = quietly(
        con,
        "select "
        + ", ".join(f"count(*) filter (odd_{signal})" for signal in SIGNALS)
        + " from guard_entries where fault is null",
    )
    everything: Counter[tuple[str, str | None]] = Counter()
    by_source: defaultdict[str | None, Counter[tuple[str, str | None]]] = defaultdict(Counter)
    for source, fault, is_duplicate, n in rows:
        fate = (
            (_ERASED, None)
            if fault == _ERASED
            else ("quarantined", fault)
            if fault
            else ("duplicates" if is_duplicate else "kept", None)
        )
        everything[fate] += n
        by_source[source][fate] += n
    return Fates.counted(
        everything,
        notes={
            f"{signal} not understood, so denied": n
            for signal, n in zip(SIGNALS, odd, strict=True)
            if n
        },
        per_source={
            source: Fates.counted(counts)
            for source, counts in by_source.items()
            if source is not None
        },
    )
