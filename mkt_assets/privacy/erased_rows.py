"""Which raw rows belong to people on the erasure list; the same question for every raw table."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from mkt_assets.lake import sql_text
from mkt_assets.privacy.erasure_list import Listed
from mkt_assets.privacy.pseudonyms import make_pseudonyms
from mkt_assets.privacy.quiet import quietly


def find_erased(  # noqa: PLR0913 - a raw table is these four things
    con: duckdb.DuckDBPyConnection,
    listed: Listed,
    *,
    raw: str,
    identifiers: Sequence[str],
    moment: str | None,
    table: str,
) -> None:
    """Make the temporary ``table(row_id)`` of the rows that an erasure names.

    Args:
        con: the connection.
        listed: the list.
        raw: a FROM item with a ``row_id`` and the columns below.
        identifiers: VARCHAR columns, any of which may name a person.
        moment: microseconds since 1970, an expression; a row after the erasure is not part of it,
            one without a moment is. None where rows have no time: all are part of it.
        table: name of the table to make; the caller drops it.
    """
    quietly(con, f"create or replace temp table {table} (row_id bigint)")
    at = f"coalesce({moment}, 0)" if moment else "0"
    for key in listed.keys:
        for column in identifiers:
            make_pseudonyms(
                con,
                identifiers=f"select {column}::varchar as raw from {raw}",
                key=key,
                table="erased_people",
            )
            quietly(
                con,
                f"""
                insert into {table}
                select told.row_id
                from {raw} as told
                inner join (
                    select person.raw, max(listed.erased_at) as erased_at
                    from (
                        select raw, unnest([pseudonym, stand_in]) as name from erased_people
                    ) as person
                    inner join read_parquet('{sql_text(listed.path)}') as listed
                        on listed.pseudonym = person.name
                    where listed.key_id = ?
                    group by person.raw
                ) as person on person.raw = told.{column}
                where {at} <= epoch_us(person.erased_at)
                """,
                [key.id],
            )
    quietly(con, "drop table if exists erased_people")
