"""The addresses in a partition's events, each cleaned and scanned once, however many rows have it.

What stays out: a person's own identifiers inside an address; that is asked row by row.
"""

from __future__ import annotations

from typing import Final

import duckdb

from mkt_assets.privacy import pii
from mkt_assets.privacy.event_origin import click_id_sql
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.spelling import without_entities_sql
from mkt_assets.privacy.urls import clean_url_sql, click_ids_sql

#: the parameters that hold addresses
ADDRESSES: Final = ("page_location", "page_referrer")


def make_addresses(con: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary ``guard_addresses(raw, clean, click_id)`` of ``guard_taken``."""
    told = " union ".join(f"select {name} as raw from guard_taken" for name in ADDRESSES)
    kind = click_id_sql(click_ids_sql("raw"))
    quietly(
        con,
        f"""
        create or replace temp table guard_addresses as
        with addresses as (
            from ({told}) where raw is not null
        ),
        -- used twice, and cleaning is what takes the time
        cleaned as materialized (
            select raw, {clean_url_sql("spelled")} as clean, {kind} as click_id
            from (select raw, {without_entities_sql("raw")} as spelled from addresses)
        ),
        scanned as (
            -- many addresses differ in nothing but click ids
            select
                clean,
                {pii.redact_sql("clean")} as redacted
            from (select distinct clean from cleaned)
        )

        select cleaned.raw, scanned.redacted as clean, cleaned.click_id
        from cleaned inner join scanned on cleaned.clean = scanned.clean
        """,
    )
