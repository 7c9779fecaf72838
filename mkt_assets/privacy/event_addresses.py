"""The addresses in a partition's events, each cleaned and scanned once, however many rows have it.

What stays out: a person's own identifiers inside an address; that is asked row by row.
"""

from __future__ import annotations

from typing import Final

import duckdb

from mkt_assets.privacy import pii
from mkt_assets.privacy.event_slices import Slice
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.urls import clean_url_sql, click_ids_sql

#: the parameters that hold addresses
ADDRESSES: Final = ("page_location", "page_referrer")


def parameter_text(value: str) -> str:
    """The value of an event parameter as text; ``value`` is SQL of its STRUCT."""
    return (
        f"coalesce({value}.string_value, {value}.int_value::varchar, {value}.double_value::varchar)"
    )


def make_addresses(con: duckdb.DuckDBPyConnection, part: Slice) -> None:
    """Make the temporary ``guard_addresses(raw, clean, click_ids)`` of a slice's kept rows."""
    keys = ", ".join(f"'{name}'" for name in ADDRESSES)
    quietly(
        con,
        f"""
        create or replace temp table guard_addresses as
        with params as (
            select unnest(raw.event_params) as param
            from {part.raw} as raw inner join {part.kept} as decided on raw.row_id = decided.row_id
        ),
        addresses as (
            select distinct {parameter_text('param."value"')} as raw
            from params where param."key" in ({keys})
        ),
        cleaned as (
            select raw, {clean_url_sql("raw")} as clean, {click_ids_sql("raw")} as click_ids
            from addresses where raw is not null
        )

        select
            raw,
            case when {pii.has_personal_sql("clean")} then {pii.redact_sql("clean")} else clean end
                as clean,
            click_ids
        from cleaned
        """,
    )
