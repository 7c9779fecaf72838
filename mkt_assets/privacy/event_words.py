"""Text columns with few distinct values: each value is scanned once instead of once a row.

A column whose kept values are few and hold nobody's identifier becomes an ENUM, small to sort and
to write, and needs no scan of its rows: a value with a find is redacted here. What stays out:
columns with many values, or with a value that holds an identifier, since whether that is redacted
depends on whose row it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Closed:
    """The columns whose every kept value was looked at.

    Attributes:
        columns: column -> SQL of its clean value, an ENUM.
        joins: what these expressions need beside the row.
        marked: the columns that have a value with the mark of a redaction.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    joins: str = ""
    marked: frozenset[str] = frozenset()

    @property
    def unmarked(self) -> frozenset[str]:
        """The columns in which nothing was redacted."""
        return frozenset(self.columns) - self.marked


def has_enough_rows(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether so many rows are kept that looking at the values first pays."""
    ((kept,),) = quietly(con, "select count(*) from guard_decided where fate = 'kept'")
    return int(kept) >= MIN_ROWS


def collect_columns(
    con: duckdb.DuckDBPyConnection, parts: Sequence[Slice], expressions: Mapping[str, str]
) -> None:
    """Make ``guard_vocabulary(name, word)`` of the columns that seem to have few values.

    Args:
        con: the connection.
        parts: the slices of the raw rows.
        expressions: column -> SQL over a raw row, a VARCHAR.
    """
    quietly(con, "create or replace temp table guard_vocabulary (name varchar, word varchar)")
    few = _with_few_values(con, parts, expressions)
    if few:
        _collect(con, parts, {name: expressions[name] for name in few})


def collect_parameters(con: duckdb.DuckDBPyConnection, parameters: Mapping[str, str]) -> None:
    """Add columns that are parameters, column -> its name in ``guard_parameters``."""
    columns = ", ".join(f"('{column}', '{name}')" for column, name in parameters.items())
    quietly(
        con,
        f"""
        insert into guard_vocabulary
        select columns.name, given.raw
        from guard_parameters as given
        inner join (values {columns}) as columns (name, parameter)
            on columns.parameter = given.name
        where given.raw is not null and given.name in (
            select name from guard_parameters
            group by name having count(distinct raw) <= {MOST_WORDS}
        )
        """,
    )


def close(
    con: duckdb.DuckDBPyConnection, expressions: Mapping[str, str], shortest_id: int
) -> Closed:
    """The columns of ``guard_vocabulary`` that can be closed; makes the schema ``SCHEMA``.

    Needs ``guard_people`` and ``guard_logins``.

    Args:
        con: the connection.
        expressions: column -> SQL over a row, a VARCHAR.
        shortest_id: identifiers of people from this length on are looked for in the values.
    """
    quietly(con, _clean_words_sql())
    told = dict(quietly(con, _few_words_sql()))
    held = {name for (name,) in quietly(con, _held_sql(shortest_id))}
    changed = {name for (name,) in quietly(con, _changed_sql())}
    columns, joins = {}, []
    for name in (name for name in expressions if name in told and name not in held):
        # in an order of their own, since the values are written in the order of the type
        words = f"select distinct clean from guard_clean_words where name = '{name}' order by clean"
        kind = make_type(con, name, words)
        # the engine may cast before it leaves out the rows that are not kept
        columns[name] = f"try_cast({expressions[name]} as {kind})"
        if name in changed:
            columns[name] = f"of_{name}.code"
            joins.append(
                f"left join (select word, clean::{kind} as code from guard_clean_words "
                f"where name = '{name}') as of_{name} on of_{name}.word = {expressions[name]}"
            )
    marked = frozenset(name for name in columns if told[name])
    return Closed(columns, " ".join(joins), marked)


def make_type(con: duckdb.DuckDBPyConnection, name: str, words: str) -> str:
    """Make an ENUM of the values of a SELECT; its name."""
    quietly(con, f"create schema if not exists {SCHEMA}")
    quietly(con, f"create type {SCHEMA}.{name} as enum ({words})")
    return f"{SCHEMA}.{name}"


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


def _clean_words_sql() -> str:
    return f"""
        create or replace temp table guard_clean_words as
        select
            name,
            word,
            {pii.redact_sql("word")} as clean
        from (select distinct name, word from guard_vocabulary)"""


def _few_words_sql() -> str:
    """Columns with few values, and whether one of them has the mark."""
    return (
        f"select name, bool_or(contains(clean, '{pii.REDACTED}')) from guard_clean_words "
        f"group by name having count(*) <= {MOST_WORDS}"
    )


def _changed_sql() -> str:
    return "select distinct name from guard_clean_words where clean <> word"


def _held_sql(shortest_id: int) -> str:
    """Columns with a value that holds anybody's identifier, before or after it was redacted.

    Identifiers have few lengths: every piece of that length of every value is looked up.
    """
    ids = " union ".join(
        f"select raw, length(raw) as size from {table} where length(raw) >= {shortest_id}"
        for table in ("guard_people", "guard_logins")
    )
    return f"""
        with ids as ({ids}),
        words as (
            select name, word from guard_clean_words union select name, clean from guard_clean_words
        ),
        pieces as (
            select name, word, size, unnest(range(1, length(word) - size + 2)) as start
            from words inner join (select distinct size from ids) on length(word) >= size
        )

        select distinct name from pieces inner join ids
        on substr(word, start::bigint, pieces.size::bigint) = ids.raw"""
