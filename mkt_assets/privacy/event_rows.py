"""The clean rows of a partition, ready to be sorted: one query, or files of one slice each.

What stays out: what is in a column, the order, and what is stamped on a row.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from mkt_assets.lake import sql_text
from mkt_assets.privacy import event_decisions as decisions
from mkt_assets.privacy import event_findings, event_taken
from mkt_assets.privacy import event_words as words
from mkt_assets.privacy.event_addresses import ADDRESSES, make_addresses
from mkt_assets.privacy.event_columns import OWN_ID_LENGTH, code_texts, guarded_sql
from mkt_assets.privacy.event_decisions import KEPT, SIGNAL, Question
from mkt_assets.privacy.event_origin import CLICK_ID
from mkt_assets.privacy.event_slices import Slice, slices, take
from mkt_assets.privacy.event_taken import PLAIN_TEXTS, TEXTS
from mkt_assets.privacy.event_words import Closed
from mkt_assets.privacy.policy import SIGNALS
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import parquet

_OF_A_SLICE: Final = (
    "guard_taken",
    "guard_coded",
    "guard_addresses",
    "guard_kept",
    "guard_kept_people",
)
TABLES: Final = (*_OF_A_SLICE, "guard_layouts", *words.TABLES)

#: an ENUM that is only sorted by is in no file; making one takes 1 s a million values
_MOST_CARRIED: Final = 50_000
#: read once and soon: a third less time than the default, for as many bytes
_COPY: Final = "(format parquet, compression lz4_raw)"
_TEXT: Final = "varchar"
_CONTENTS: Final = "(select row_id, event_name, bundle, content from guard_taken)"


@dataclass(frozen=True)
class CleanRows:
    """The clean rows of a partition.

    Attributes:
        rows: a FROM item.
        unmarked: text columns in which nothing was redacted.
        carried: columns that are an ENUM for the sort only, to be written as text.
    """

    rows: str
    unmarked: frozenset[str]
    carried: frozenset[str]


def clean_rows(con: duckdb.DuckDBPyConnection, question: Question, folder: Path) -> CleanRows:
    """The clean rows of what is kept; settles which rows that are.

    Needs what ``event_decisions.decide`` makes, and ``guard_orders``.

    Args:
        con: the connection.
        question: whose raw rows.
        folder: holds the files of several slices; the caller removes it.
    """
    parts = slices(con, question.landing, question.raw)
    is_worth_it = words.has_enough_rows(con)
    if len(parts) == 1:
        return _whole(con, question, parts[0], is_worth_it=is_worth_it)
    decisions.settle(con, question)
    return _in_files(con, parts, folder, is_worth_it=is_worth_it)


def remove(folder: Path) -> None:
    """The slices' files, those of a killed run too."""
    if folder.exists():
        shutil.rmtree(folder)


def _whole(
    con: duckdb.DuckDBPyConnection,
    question: Question,
    part: Slice,
    *,
    is_worth_it: bool,
) -> CleanRows:
    """One slice: whether rows are copies is asked of what was read for everything else."""
    layouts = event_taken.known_layouts(con, part, is_worth_it=is_worth_it)
    types = words.raw_types(con, part, PLAIN_TEXTS) if is_worth_it else {}
    alike = "guard_kept_keys" if decisions.has_alike(con) else None
    event_taken.take_rows(con, part, types=types, layouts=layouts, alike=alike)
    decisions.settle(con, question, _CONTENTS)
    quietly(
        con,
        "delete from guard_taken where row_id in "
        f"(select row_id from guard_decided where fate <> '{KEPT}')",
    )
    closed = _look(con, part, types, is_worth_it=is_worth_it)
    return CleanRows(f"({guarded_sql(part, closed)})", closed.unmarked, frozenset(ADDRESSES))


def _look(
    con: duckdb.DuckDBPyConnection, part: Slice, types: Mapping[str, str], *, is_worth_it: bool
) -> Closed:
    """Set aside what has a fault, and look at the values of ``guard_taken``."""
    event_findings.find(con, part)
    make_addresses(con)
    closed, kinds = Closed(), {}
    if is_worth_it:
        columns = [name for name in TEXTS if name not in ADDRESSES]
        closed = words.close(con, columns, types, OWN_ID_LENGTH)
        kinds = _carried(con, "(select clean as address from guard_addresses)", ["address"])
    code_texts(con, closed, kinds.get("address", _TEXT))
    return closed


def _in_files(
    con: duckdb.DuckDBPyConnection,
    parts: Sequence[Slice],
    folder: Path,
    *,
    is_worth_it: bool,
) -> CleanRows:
    remove(folder)
    folder.mkdir(mode=0o700)
    unmarked, layouts = frozenset(TEXTS), []
    for number, part in enumerate(parts):
        for table in ("guard_taken", "guard_coded"):
            quietly(con, f"drop table if exists {table}")
        words.forget(con)
        take(con, part)
        if number == 0:
            layouts = event_taken.known_layouts(con, part, is_worth_it=is_worth_it)
        types = words.raw_types(con, part, PLAIN_TEXTS) if is_worth_it else {}
        event_taken.take_rows(con, part, types=types, layouts=layouts)
        closed = _look(con, part, types, is_worth_it=is_worth_it)
        unmarked &= closed.unmarked
        # files, since of a temporary table some 30 bytes a row can never be spilled
        clean = f"{sql_text(folder)}/{number:06d}.parquet"
        quietly(con, f"copy ({guarded_sql(part, closed)}) to '{clean}' {_COPY}")
    for table in _OF_A_SLICE:
        quietly(con, f"drop table {table}")
    words.forget(con)
    kinds = _carried(con, parquet(folder), TEXTS)
    small = {name for name, kind in kinds.items() if words.size(con, kind) <= words.MOST_WORDS}
    carried = frozenset(kinds) - small if is_worth_it else frozenset(kinds)
    return CleanRows(_typed(parquet(folder), kinds, small), unmarked, carried)


def _typed(rows: str, kinds: Mapping[str, str], small: Collection[str]) -> str:
    """A FROM item of the rows of files, in which an ENUM came as its text, with their types."""
    coded = dict.fromkeys(SIGNALS, SIGNAL) | {"click_id_type": CLICK_ID}
    coded |= {name: kinds[name] for name in small}
    typed = [f"{words.coded_sql(name, kind)} as {name}" for name, kind in coded.items()]
    typed += [f"{name}::{kind} as {name}" for name, kind in kinds.items() if name not in small]
    return f"(select * replace ({', '.join(typed)}) from {rows})"


def _carried(con: duckdb.DuckDBPyConnection, rows: str, columns: Sequence[str]) -> dict[str, str]:
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
