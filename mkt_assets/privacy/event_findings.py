"""What is wrong with the event parameters of a partition, and which of them are new.

Asked of the rows that consent allows: what is not kept is not read. Rows with a fault are set aside
by its name. What stays out: what makes a fault (``event_parameters``).

Tables made here, all temporary: ``guard_names`` (the parameters of a slice by the order they have)
and ``guard_found`` (numbers beyond their limits and new parameters, of all slices).
"""

from __future__ import annotations

from typing import Final

import duckdb

from mkt_assets.privacy import pii
from mkt_assets.privacy.event_decisions import QUARANTINED
from mkt_assets.privacy.event_numbers import beyond_of_items_sql
from mkt_assets.privacy.event_parameters import (
    BETWEEN_FINDINGS,
    BEYOND,
    GA4_OWN,
    MEASURED,
    finding_sql,
)
from mkt_assets.privacy.event_slices import Slice
from mkt_assets.privacy.event_taken import names_sql
from mkt_assets.privacy.quiet import quietly

TABLES: Final = ("guard_names", "guard_twice", "guard_found")
#: what new parameters count as whose names are not told
OTHER: Final = "(other)"
#: GA4's own rule for the name of a parameter; what breaks it may be anything, a person's name too
_NAME: Final = "[A-Za-z][A-Za-z0-9_]{0,39}"
#: as many as an event may have twice over; a tag that makes up names could fill the ledger
MOST_NAMES: Final = 50


def find(con: duckdb.DuckDBPyConnection, part: Slice) -> None:
    """Set aside the rows of ``guard_taken`` with a faulty parameter, and add to ``guard_found``.

    Numbers of items beyond their limits are no fault of the row and are told there too.
    ``guard_taken`` is left with what is still kept. A name that a row has twice counts twice, and
    both values are looked at: more than what the row's columns hold.
    """
    _make_names(con)
    twice = _with_a_number_twice(con, part)
    found = _all_findings(twice)
    if quietly(con, f"select 1 from {found} where finding <> '{BEYOND}' limit 1"):
        _set_aside(con, found)
        _make_names(con)
    quietly(
        con,
        "create temp table if not exists guard_found "
        "(source integer, name varchar, finding varchar, times bigint)",
    )
    quietly(
        con,
        "insert into guard_found "
        f"select source, name, finding, count(*) from {_all_findings(twice)} group by all",
    )
    quietly(
        con,
        f"insert into guard_found select null, name, '{BEYOND}', times "
        f"from ({beyond_of_items_sql('guard_taken')}) where times > 0",
    )
    own = ", ".join(f"'{name}'" for name in sorted(GA4_OWN))
    quietly(
        con,
        f"""
        insert into guard_found
        select source, name, null, sum(times)
        from (select source, times, unnest(names) as name from guard_names)
        where coalesce(name, '') not in ({own})
        group by all
        """,
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


def _make_names(con: duckdb.DuckDBPyConnection) -> None:
    """``guard_names``: each order of parameters there is, by source, and how many rows have it."""
    quietly(
        con,
        f"""
        create or replace temp table guard_names as
        select source, layout, {names_sql()} as names, times
        from (
            select source, layout, odd_names, count(*) as times from guard_taken
            where layout is not null group by all
        ) left join guard_layouts using (layout)
        """,
    )


def _with_a_number_twice(con: duckdb.DuckDBPyConnection, part: Slice) -> bool:
    """Whether rows have a measured parameter twice; if so ``guard_twice`` tells all they have."""
    is_twice = " or ".join(
        f"len(list_filter(names, lambda n: n = '{name}')) > 1" for name in MEASURED
    )
    layouts = f"select layout from guard_names where {is_twice}"
    if not quietly(con, f"{layouts} limit 1"):
        return False
    quietly(
        con,
        f"""
        create or replace temp table guard_twice as
        select row_id, source, param."key" as name, {finding_sql("param")} as finding
        from (
            select taken.row_id, taken.source, unnest(raw.event_params) as param
            from {part.raw} as raw
            inner join (select row_id, source from guard_taken where layout in ({layouts})) as taken
                on raw.row_id = taken.row_id
        )
        """,
    )
    return True


def _all_findings(is_twice: bool) -> str:
    """A FROM item of ``row_id, source, name, finding`` of what is in ``guard_taken``."""
    one = "row_id, source, split_part(told, '=', 1) as name, split_part(told, '=', 2) as finding"
    told = (
        f"select {one} from (select row_id, source, "
        f"unnest(string_split(findings, {BETWEEN_FINDINGS})) as told from guard_taken)"
    )
    if is_twice:
        told = (
            f"{told} where row_id not in (select row_id from guard_twice) union all "
            "select * from guard_twice where finding is not null "
            "and row_id in (select row_id from guard_taken)"
        )
    return f"({told})"


def _set_aside(con: duckdb.DuckDBPyConnection, found: str) -> None:
    quietly(
        con,
        f"""
        update guard_decided set fate = '{QUARANTINED}', reason = faulty.reason
        from (
            -- of several faults the first by name, whatever the order of the parameters
            select row_id, min(finding) as reason
            from {found} where finding <> '{BEYOND}' group by row_id
        ) as faulty
        where faulty.row_id = guard_decided.row_id
        """,
    )
    quietly(
        con,
        "delete from guard_taken where row_id in "
        f"(select row_id from {found} where finding <> '{BEYOND}')",
    )
