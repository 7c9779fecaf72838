"""What a partition's event parameters hold: their texts, what is wrong with them, which are new.

One pass over the parameters of the rows that consent allows: what is not kept is not read. Rows
with a fault are set aside by its name, and only then are the parameters looked at again. What stays
out: what makes a fault (``event_parameters``).

Tables made here, all temporary: ``guard_parameters`` (the distinct parameters of a slice) and
``guard_found`` (numbers beyond their limits and new parameters, of all slices).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from mkt_assets.privacy import pii
from mkt_assets.privacy.event_decisions import QUARANTINED
from mkt_assets.privacy.event_parameters import BEYOND, GA4_OWN, finding_sql, text_sql
from mkt_assets.privacy.event_slices import Slice, take
from mkt_assets.privacy.quiet import quietly

TABLES: Final = ("guard_parameters", "guard_found")
#: what new parameters count as whose names are not told
OTHER: Final = "(other)"
#: GA4's own rule for the name of a parameter; what breaks it may be anything, a person's name too
_NAME: Final = "[A-Za-z][A-Za-z0-9_]{0,39}"
#: as many as an event may have twice over; a tag that makes up names could fill the ledger
MOST_NAMES: Final = 50


def look_at_parameters(con: duckdb.DuckDBPyConnection, part: Slice, names: Sequence[str]) -> None:
    """Make ``guard_parameters(name, raw, finding, source, times)`` of a slice's kept rows.

    Rows with a faulty parameter are set aside first. ``raw`` is the text of the parameters
    ``names``. A name that a row has twice counts twice: more than what the row's columns hold.
    """
    take(con, part)
    _make(con, part, names)
    if _set_aside(con, part):
        take(con, part)
        _make(con, part, names)
    quietly(
        con,
        "create temp table if not exists guard_found "
        "(source integer, name varchar, finding varchar, times bigint)",
    )
    own = ", ".join(f"'{name}'" for name in sorted(GA4_OWN))
    quietly(
        con,
        "insert into guard_found select source, name, finding, times from guard_parameters "
        f"where finding is not null or coalesce(name, '') not in ({own})",
    )


def new_parameters(con: duckdb.DuckDBPyConnection) -> dict[int, dict[str, int]]:
    """Source -> name of a parameter that is neither read nor GA4's own -> kept rows that have it.

    Names that GA4 would refuse, that look personal, or that are too many are ``OTHER``.
    """
    if not quietly(con, "select 1 from guard_found where finding is null limit 1"):
        return {}
    speakable = f"regexp_full_match(name, '{_NAME}') and not {pii.has_personal_sql('name')}"
    found = quietly(
        con,
        f"""
        with named as (
            select source, case when {speakable} then name else '{OTHER}' end as name, times
            from guard_found where finding is null
        ),

        told as (
            select name from named group by name order by sum(times) desc, name limit {MOST_NAMES}
        )

        select
            source,
            case when name in (from told) then name else '{OTHER}' end as told_name,
            sum(times)::bigint
        from named group by all order by all
        """,
    )
    by_source: dict[int, dict[str, int]] = {}
    for source, name, times in found:
        by_source.setdefault(source, {})[name] = times
    return by_source


def _make(con: duckdb.DuckDBPyConnection, part: Slice, names: Sequence[str]) -> None:
    texts = ", ".join(f"'{name}'" for name in names)
    quietly(
        con,
        f"""
        create or replace temp table guard_parameters as
        select
            param."key" as name,
            case when param."key" in ({texts}) then {text_sql('param."value"')} end as raw,
            {finding_sql("param")} as finding,
            source,
            count(*) as times
        from ({_unnested(part)})
        group by all
        """,
    )


def _set_aside(con: duckdb.DuckDBPyConnection, part: Slice) -> bool:
    """Set aside the kept rows of a slice that have a fault; whether there were any."""
    is_fault = f"finding <> '{BEYOND}'"
    if not quietly(con, f"select 1 from guard_parameters where {is_fault} limit 1"):
        return False
    quietly(
        con,
        f"""
        update guard_decided set fate = '{QUARANTINED}', reason = faulty.reason
        from (
            -- of several faults the first by name, whatever the order of the parameters
            select row_id, min(finding) as reason
            from (select row_id, {finding_sql("param")} as finding from ({_unnested(part)}))
            where {is_fault}
            group by row_id
        ) as faulty
        where faulty.row_id = guard_decided.row_id
        """,
    )
    return True


def _unnested(part: Slice) -> str:
    return f"""
        select unnest(raw.event_params) as param, decided.source, decided.row_id
        from {part.raw} as raw inner join {part.kept} as decided on raw.row_id = decided.row_id"""
