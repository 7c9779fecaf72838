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
from mkt_assets.privacy.event_slices import Slice
from mkt_assets.privacy.quiet import quietly

TABLES: Final = ("guard_vocabulary", "guard_together", "guard_clean_words")
#: holds one ENUM type a column; dropped with everything in it when a partition is done
SCHEMA: Final = "guard_words"
#: with fewer rows, looking at the values first costs more than it saves
MIN_ROWS: Final = 50_000
#: an ENUM's values are written into every row group, so they must be few
MOST_WORDS: Final = 1000
#: combinations of values of one record; with more, its columns are looked at one by one
_MOST_TOGETHER: Final = 50_000


@dataclass(frozen=True)
class Closed:
    """The columns whose every kept value was looked at.

    Attributes:
        columns: column -> SQL of its clean value, an ENUM.
        joins: column -> what its expression needs beside the row, where it needs any.
        marked: the columns that have a value with the mark of a redaction.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    joins: Mapping[str, str] = field(default_factory=dict)
    marked: frozenset[str] = frozenset()

    @property
    def unmarked(self) -> frozenset[str]:
        """The columns in which nothing was redacted."""
        return frozenset(self.columns) - self.marked


def has_enough_rows(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether so many rows are kept that looking at the values first pays."""
    ((kept,),) = quietly(con, "select count(*) from guard_decided where fate = 'kept'")
    return int(kept) >= MIN_ROWS


def raw_types(
    con: duckdb.DuckDBPyConnection, part: Slice, columns: Mapping[str, str]
) -> dict[str, str]:
    """Column -> an ENUM of all values in the rows of ``part.kept``, of columns with few.

    Args:
        con: the connection.
        part: the slice.
        columns: column -> SQL over a raw row, a plain column, of which distinct values are cheap.
    """
    rows = f"{part.raw} as raw inner join (select row_id from {part.kept}) as kept using (row_id)"
    quietly(con, "create or replace temp table guard_vocabulary (name varchar, word varchar)")
    # one after the other: all at once would hold the rows that are kept once for each
    for of_one in _by_record(columns):
        _add_words(con, of_one, rows)
    few = quietly(
        con,
        f"select name from guard_vocabulary group by name having count(*) <= {MOST_WORDS} "
        "and count(word) > 0 order by name",
    )
    return {
        name: make_type(
            con,
            f"raw_{name}",
            f"select word from guard_vocabulary where name = '{name}' and word is not null "
            "order by word",
        )
        for (name,) in few
    }


def close(
    con: duckdb.DuckDBPyConnection,
    columns: Sequence[str],
    types: Mapping[str, str],
    shortest_id: int,
) -> Closed:
    """The text columns of ``guard_taken`` that can be closed; makes the schema ``SCHEMA``.

    Needs ``guard_people`` and ``guard_logins``.

    Args:
        con: the connection.
        columns: those to look at.
        types: those that are an ENUM already, with its name.
        shortest_id: identifiers of people from this length on are looked for in the values.
    """
    told_words = " union all ".join(_distinct(name, name, "guard_taken") for name in columns)
    quietly(con, f"create or replace temp table guard_vocabulary as from ({told_words})")
    quietly(con, _clean_words_sql())
    told = {name: (count, marked) for name, count, marked in quietly(con, _few_words_sql())}
    held = {name for (name,) in quietly(con, _held_sql(shortest_id))}
    changed = {name for (name,) in quietly(con, _changed_sql())}
    closed: dict[str, str] = {}
    joins = {}
    for name in (name for name in columns if name in told and name not in held):
        if name not in changed and told[name][0] == size(con, types.get(name)):
            closed[name] = f"taken.{name}"
            continue
        # in an order of their own, since the values are written in the order of the type
        words = f"select distinct clean from guard_clean_words where name = '{name}' order by clean"
        kind = make_type(con, name, words)
        closed[name] = f"try_cast(taken.{name}::varchar as {kind})"
        if name in changed:
            closed[name] = f"of_{name}.code"
            joins[name] = (
                f"left join (select word, clean::{kind} as code from guard_clean_words "
                f"where name = '{name}') as of_{name} on of_{name}.word = taken.{name}::varchar"
            )
    marked = frozenset(name for name in closed if told[name][1])
    return Closed(closed, joins, marked)


def forget(con: duckdb.DuckDBPyConnection) -> None:
    """Drop every type made here; no table may be left that has one."""
    quietly(con, f"drop schema if exists {SCHEMA} cascade")


def make_type(con: duckdb.DuckDBPyConnection, name: str, words: str) -> str:
    """Make an ENUM of the values of a SELECT; its name."""
    quietly(con, f"create schema if not exists {SCHEMA}")
    quietly(con, f"create type {SCHEMA}.{name} as enum ({words})")
    return f"{SCHEMA}.{name}"


def _distinct(name: str, expression: str, rows: str) -> str:
    """Up to two values more than may be: one of them may be no value."""
    return (
        f"select '{name}' as name, word::varchar as word from "
        f"(select distinct {expression} as word from {rows} limit {MOST_WORDS + 2})"
    )


def coded_sql(text: str, kind: str) -> str:
    """A text as an ENUM that has it and few others; the text must come from a Parquet file.

    There each is stored once a row group, and a function, unlike a cast, is asked once for each.
    A text that the ENUM does not have becomes null, so its type must be made of the same files.
    """
    every = f"enum_range(null::{kind})"
    return f"({every}::{kind}[])[list_position({every}, {text})]"


def _by_record(columns: Mapping[str, str]) -> list[dict[str, str]]:
    """The columns that are fields of the same raw column together, and those that are none."""
    found: dict[str, dict[str, str]] = {}
    for name, column in columns.items():
        record = column.split(".")[0] if "." in column else ""
        found.setdefault(record, {})[name] = column
    return list(found.values())


def _add_words(con: duckdb.DuckDBPyConnection, columns: Mapping[str, str], rows: str) -> None:
    """Add the distinct values of some columns to ``guard_vocabulary``.

    Finding out which rows are kept costs more than reading a column of them, so their values are
    found together, unless they have too many combinations.
    """
    together = ", ".join(f"{column} as {name}" for name, column in columns.items())
    quietly(
        con,
        "create or replace temp table guard_together as "
        f"select distinct {together} from {rows} limit {_MOST_TOGETHER + 1}",
    )
    ((found,),) = quietly(con, "select count(*) from guard_together")
    are_all = found <= _MOST_TOGETHER
    for name, column in columns.items():
        told = _distinct(name, name, "guard_together") if are_all else _distinct(name, column, rows)
        quietly(con, f"insert into guard_vocabulary {told}")


def size(con: duckdb.DuckDBPyConnection, kind: str | None) -> int:
    """How many values an ENUM has."""
    if kind is None:
        return 0
    ((size,),) = quietly(con, f"select len(enum_range(null::{kind}))")
    return int(size)


def _clean_words_sql() -> str:
    return f"""
        create or replace temp table guard_clean_words as
        select
            name,
            word,
            {pii.redact_sql("word")} as clean
        from guard_vocabulary where word is not null"""


def _few_words_sql() -> str:
    """Columns with few values: how many, and whether one of them has the mark."""
    return (
        f"select name, count(*), bool_or(contains(clean, '{pii.REDACTED}')) from guard_clean_words "
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
