"""What erased people last said no to: read off the log when they are erased, and as it comes late.

What stays out: keeping it (``erasure_list``) and heeding it (``consent_entries``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from mkt_assets.privacy.consent_entries import entries_sql
from mkt_assets.privacy.erased_rows import find_erased
from mkt_assets.privacy.erasure_list import Listed
from mkt_assets.privacy.policy import DENIED, GRANTED, SIGNALS
from mkt_assets.privacy.pseudonyms import Key, make_pseudonyms
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import numbered

#: pseudonym -> the signals that were refused last
Refused = dict[str, list[str]]


def refused_by(
    con: duckdb.DuckDBPyConnection,
    consent: Path | None,
    erased: Listed | None,
    names: Collection[str],
) -> Refused:
    """What these people refuse now, by the guarded log and by what stands from before."""
    con.register("refusing", pa.table({"name": pa.array(sorted(names), pa.string())}))
    rows = quietly(
        con,
        f"select user_key, {', '.join(SIGNALS)} "
        f"from ({entries_sql(consent, erased, 'select name from refusing')}) "
        "qualify row_number() over (partition by user_key order by changed_us desc) = 1",
    )
    con.unregister("refusing")
    return _denied(rows)


def refused_before(
    con: duckdb.DuckDBPyConnection, *, raw: Path, erased: Listed, key: Key
) -> Refused:
    """What erased people refused last, by the entries of a raw log that their erasure leaves out.

    Read as the guard reads it: a word that is not understood is a refusal.
    """
    entries = numbered(raw)
    find_erased(
        con,
        erased,
        raw=entries,
        identifiers=("subject_id",),
        moment="epoch_us(changed_at)",
        table="refused_rows",
    )
    make_pseudonyms(
        con,
        identifiers=f"select subject_id as raw from {entries} "
        "where row_id in (select row_id from refused_rows)",
        key=key,
        table="refused_people",
    )
    last = ", ".join(
        f"case when max_by({signal}, row(changed_at, {signal} <> '{GRANTED}')) "
        f"filter (where {signal} <> '') <> '{GRANTED}' then '{DENIED}' end as {signal}"
        for signal in SIGNALS
    )
    words = ", ".join(f"lower(trim({signal})) as {signal}" for signal in SIGNALS)
    rows = quietly(
        con,
        f"select pseudonym, {last} from (select subject_id, changed_at, {words} from {entries} "
        "where changed_at is not null and row_id in (select row_id from refused_rows)) as told "
        "inner join refused_people as person on person.raw = told.subject_id group by pseudonym",
    )
    for table in ("refused_rows", "refused_people"):
        quietly(con, f"drop table {table}")
    return _denied(rows)


def _denied(rows: Sequence[tuple[Any, ...]]) -> Refused:
    found = {
        name: [s for s, word in zip(SIGNALS, words, strict=True) if word == DENIED]
        for name, *words in rows
    }
    return {name: signals for name, signals in found.items() if signals}
