"""Text columns with few distinct values: each value is scanned once instead of once a row.

A column whose kept values are few and hold nothing personal becomes an ENUM, small to sort and to
write, and needs no scan of its rows. What stays out: columns with many values or with a find.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from mkt_assets.privacy import pii
from mkt_assets.privacy.event_slices import Slice, take
from mkt_assets.privacy.quiet import quietly

#: holds one ENUM type a column; dropped with everything in it when a partition is done
SCHEMA: Final = "guard_words"
#: with fewer rows, looking at the values first costs more than it saves
MIN_ROWS: Final = 50_000
#: an ENUM's values are written into every row group, so they must be few
MOST_WORDS: Final = 1000


def closed_columns(
    con: duckdb.DuckDBPyConnection,
    *,
    parts: Sequence[Slice],
    expressions: Mapping[str, str],
    shortest_id: int,
) -> dict[str, str]:
    """The columns whose every kept value was looked at and is clean: name -> SQL of the ENUM.

    Needs ``guard_decided``, ``guard_people`` and ``guard_logins``. Leaves the schema ``SCHEMA``.

    Args:
        con: the connection.
        parts: the slices of the raw rows.
        expressions: column -> SQL over a raw row, a VARCHAR.
        shortest_id: identifiers of people from this length on are looked for in the values.
    """
    ((kept,),) = quietly(con, "select count(*) from guard_decided where fate = 'kept'")
    if kept < MIN_ROWS:
        return {}
    few = _with_few_values(con, parts, expressions)
    if not few:
        return {}
    _collect(con, parts, {name: expressions[name] for name in few})
    told = {name for (name,) in quietly(con, _few_words_sql())}
    unclean = {name for (name,) in quietly(con, _unclean_sql(shortest_id))}
    closed = [name for name in few if name in told - unclean]
    quietly(con, f"create schema {SCHEMA}")
    for name in closed:
        # in an order of their own, since the values are written in the order of the type
        words = f"select distinct word from guard_vocabulary where name = '{name}' order by word"
        quietly(con, f"create type {SCHEMA}.{name} as enum ({words})")
    # the engine may cast before it leaves out the rows that are not kept
    return {name: f"try_cast({expressions[name]} as {SCHEMA}.{name})" for name in closed}


def _with_few_values(
    con: duckdb.DuckDBPyConnection, parts: Sequence[Slice], expressions: Mapping[str, str]
) -> list[str]:
    """Estimated in fixed memory, in all rows; only counts are seen, with room for error."""
    counts = ", ".join(f"approx_count_distinct({e})" for e in expressions.values())
    few = set(expressions)
    for part in parts:
        (counted,) = quietly(con, f"select {counts} from {part.raw}")
        few -= {n for n, c in zip(expressions, counted, strict=True) if c > MOST_WORDS // 2}
    return [name for name in expressions if name in few]


def _collect(
    con: duckdb.DuckDBPyConnection, parts: Sequence[Slice], expressions: Mapping[str, str]
) -> None:
    lists = ", ".join(f"list(distinct {e})" for e in expressions.values())
    names = ", ".join(f"'{name}'" for name in expressions)
    quietly(con, "create or replace temp table guard_vocabulary (name varchar, word varchar)")
    for part in parts:
        take(con, part)
        quietly(
            con,
            f"""
            insert into guard_vocabulary
            select name, word from (
                select name, unnest(words) as word from (
                    select unnest([{names}]) as name, unnest([{lists}]) as words
                    from {part.raw} as raw
                    inner join {part.kept} as decided on raw.row_id = decided.row_id
                )
            )
            where word is not null
            """,
        )


def _few_words_sql() -> str:
    return (
        "select name from guard_vocabulary group by name "
        f"having count(distinct word) <= {MOST_WORDS}"
    )


def _unclean_sql(shortest_id: int) -> str:
    """Columns with a value that has the form of personal data or holds anybody's identifier.

    Identifiers have few lengths: every piece of that length of every value is looked up.
    """
    ids = " union ".join(
        f"select raw, length(raw) as size from {table} where length(raw) >= {shortest_id}"
        for table in ("guard_people", "guard_logins")
    )
    return f"""
        with ids as ({ids}),
        pieces as (
            select name, word, size, unnest(range(1, length(word) - size + 2)) as start
            from guard_vocabulary
            inner join (select distinct size from ids) on length(word) >= size
        )

        select name from guard_vocabulary
        where {pii.has_personal_sql("word")}
        union
        select name from pieces inner join ids
        on substr(word, start::bigint, pieces.size::bigint) = ids.raw"""
