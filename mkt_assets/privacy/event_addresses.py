"""The addresses in a partition's events, each cleaned and scanned once, however many rows have it.

What stays out: a person's own identifiers inside an address; that is asked row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from mkt_assets.privacy import pii
from mkt_assets.privacy.event_numbers import NUMBER_LIMITS, beyond_sql
from mkt_assets.privacy.event_slices import Slice
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.spelling import without_entities_sql
from mkt_assets.privacy.urls import clean_url_sql, click_ids_sql

#: the parameters that hold addresses
ADDRESSES: Final = ("page_location", "page_referrer")


def parameter_text(value: str) -> str:
    """The value of an event parameter as text; ``value`` is SQL of its STRUCT."""
    return (
        f"coalesce({value}.string_value, {value}.int_value::varchar, {value}.double_value::varchar)"
    )


def make_parameters(con: duckdb.DuckDBPyConnection, part: Slice, names: Sequence[str]) -> None:
    """Make the temporary ``guard_parameters(name, raw, times)``: the distinct texts in kept rows.

    A name that a row has twice counts twice: more than what the row's columns hold. Numbers beyond
    their limits are there too, and counted in ``guard_beyond(name, times)``, slice by slice.
    """
    keys = ", ".join(f"'{name}'" for name in names)
    quietly(
        con,
        f"""
        create or replace temp table guard_parameters as
        select param."key" as name, {parameter_text('param."value"')} as raw, count(*) as times
        from (
            select unnest(raw.event_params) as param
            from {part.raw} as raw inner join {part.kept} as decided on raw.row_id = decided.row_id
        )
        where param."key" in ({keys}) or {beyond_sql("param")}
        group by 1, 2
        """,
    )
    quietly(con, "create temp table if not exists guard_beyond (name varchar, times bigint)")
    limited = ", ".join(f"'{name}'" for name in NUMBER_LIMITS)
    quietly(
        con,
        "insert into guard_beyond select name, times from guard_parameters "
        f"where name in ({limited})",
    )


def make_addresses(con: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary ``guard_addresses(raw, clean, click_ids)`` of ``guard_parameters``."""
    keys = ", ".join(f"'{name}'" for name in ADDRESSES)
    quietly(
        con,
        f"""
        create or replace temp table guard_addresses as
        with addresses as (
            select distinct raw from guard_parameters where name in ({keys}) and raw is not null
        ),
        cleaned as (
            select raw, {clean_url_sql("spelled")} as clean, {click_ids_sql("raw")} as click_ids
            from (select raw, {without_entities_sql("raw")} as spelled from addresses)
        ),
        scanned as (
            -- many addresses differ in nothing but click ids
            select
                clean,
                {pii.redact_sql("clean")} as redacted
            from (select distinct clean from cleaned)
        )

        select cleaned.raw, scanned.redacted as clean, cleaned.click_ids
        from cleaned inner join scanned on cleaned.clean = scanned.clean
        """,
    )
