"""The clean rows of a partition, ready to be sorted: one query, or files of one slice each.

What stays out: which rows are kept, what is in a column, the order, and what is stamped on a row.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import duckdb

from mkt_assets.lake import sql_text
from mkt_assets.privacy import event_words as words
from mkt_assets.privacy.event_addresses import ADDRESSES, make_addresses
from mkt_assets.privacy.event_columns import (
    CARRIED,
    CLICK_ID,
    OWN_ID_LENGTH,
    TEXTS_OF_COLUMNS,
    guarded_sql,
    text_expressions,
)
from mkt_assets.privacy.event_decisions import SIGNAL, Question
from mkt_assets.privacy.event_findings import look_at_parameters
from mkt_assets.privacy.event_parameters import TEXTS_OF_PARAMETERS
from mkt_assets.privacy.event_slices import Slice, slices
from mkt_assets.privacy.event_words import SCHEMA, Closed
from mkt_assets.privacy.policy import SIGNALS
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import parquet

_OF_A_SLICE: Final = (
    "guard_parameters",
    "guard_addresses",
    "guard_kept",
    "guard_kept_people",
)
TABLES: Final = (*_OF_A_SLICE, "guard_found", "guard_vocabulary", "guard_clean_words")

#: an ENUM that is only sorted by is in no file; making one takes 1 s a million values
_MOST_CARRIED: Final = 50_000
_TEXT: Final = "varchar"


def clean_rows(
    con: duckdb.DuckDBPyConnection, question: Question, folder: Path
) -> tuple[str, Closed]:
    """A FROM item of the clean rows, and the columns whose values were looked at.

    Needs what ``event_decisions`` makes, and ``guard_orders``.

    Args:
        con: the connection.
        question: whose raw rows.
        folder: holds the files of several slices; the caller removes it.
    """
    parts = slices(con, question.landing, question.raw)
    is_worth_it = words.has_enough_rows(con)
    if len(parts) == 1:
        return _whole(con, parts[0], is_worth_it=is_worth_it)
    closed = Closed()
    if is_worth_it:
        words.collect_columns(con, parts, TEXTS_OF_COLUMNS)
        closed = words.close(con, TEXTS_OF_COLUMNS, OWN_ID_LENGTH)
    return _in_files(con, parts, closed, folder), closed


def remove(folder: Path) -> None:
    """The slices' files, those of a killed run too."""
    if folder.exists():
        shutil.rmtree(folder)


def _whole(con: duckdb.DuckDBPyConnection, part: Slice, *, is_worth_it: bool) -> tuple[str, Closed]:
    """One slice: the parameters are looked at too, in the pass that finds the addresses."""
    if not is_worth_it:
        look_at_parameters(con, part, ADDRESSES)
        make_addresses(con)
        return f"({guarded_sql(part, Closed(), _TEXT)})", Closed()
    look_at_parameters(con, part, list(TEXTS_OF_PARAMETERS.values()))
    make_addresses(con)
    words.collect_columns(con, [part], TEXTS_OF_COLUMNS)
    others = {c: name for c, name in TEXTS_OF_PARAMETERS.items() if c not in ADDRESSES}
    words.collect_parameters(con, others)
    expressions = {c: e for c, e in text_expressions().items() if c not in ADDRESSES}
    closed = words.close(con, expressions, OWN_ID_LENGTH)
    kinds = _carried(con, "(select clean as address from guard_addresses)", ["address"])
    return f"({guarded_sql(part, closed, kinds.get('address', _TEXT))})", closed


def _in_files(
    con: duckdb.DuckDBPyConnection, parts: Sequence[Slice], closed: Closed, folder: Path
) -> str:
    remove(folder)
    folder.mkdir(mode=0o700)
    for number, part in enumerate(parts):
        look_at_parameters(con, part, ADDRESSES)
        make_addresses(con)
        # files, since of a temporary table some 30 bytes a row can never be spilled
        clean = f"{sql_text(folder)}/{number:06d}.parquet"
        quietly(con, f"copy ({guarded_sql(part, closed, _TEXT)}) to '{clean}' (format parquet)")
    for table in _OF_A_SLICE:
        quietly(con, f"drop table {table}")
    kinds = {name: f"{SCHEMA}.{name}" for name in closed.columns}
    kinds |= dict.fromkeys(SIGNALS, SIGNAL)
    texts = [name for name in CARRIED if name != "click_id_type"]
    kinds |= {"click_id_type": CLICK_ID, **_carried(con, parquet(folder), texts)}
    types = ", ".join(f"{name}::{kind} as {name}" for name, kind in kinds.items())
    return f"(select * replace ({types}) from {parquet(folder)})"


def _carried(
    con: duckdb.DuckDBPyConnection, rows: str, columns: Sequence[str]
) -> Mapping[str, str]:
    """Types to carry text columns through the sort, of those that have few enough values."""
    counts = ", ".join(f"approx_count_distinct({column})" for column in columns)
    (counted,) = quietly(con, f"select {counts} from {rows}")
    return {
        column: words.make_type(
            con,
            column,
            f"select distinct {column} from {rows} where {column} is not null order by {column}",
        )
        for column, count in zip(columns, counted, strict=True)
        if 0 < count <= _MOST_CARRIED
    }
