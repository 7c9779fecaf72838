"""Personal data in tables: every text in every column, nested or not, against what it may be.

Rows are many, so the patterns run in SQL over the distinct values of each column; the few values
that they find are judged in Python. A column whose contract says what form its keys have is held
against that form instead; a column that no contract knows is read as prose. What stays out: which
tables there are (``scan_places``), text outside of tables (``scan_texts``).

Limits: numbers and times are no text; what ``pii`` and ``judging`` say of themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
from duckdb.sqltypes import DuckDBPyType

from mkt_assets.contracts.forms import CODE, FORMS, JSON, ORDER, STAND_INS
from mkt_assets.privacy import pii
from mkt_assets.privacy.judging import WRONG_FORM, Finding, kinds
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.scan_texts import texts_of_json

#: candidates judged by column: where there are more, any of them tells that something is broken
_MOST_JUDGED: Final = 5000
_TEXTS: Final = frozenset({"varchar", "blob", "enum", "json"})


@dataclass(frozen=True)
class _Leaf:
    """One text in a row's type: its name, and SQL for it or, where it repeats, for a list."""

    path: str
    sql: str
    repeats: bool
    form: str = ""

    @property
    def is_code(self) -> bool:
        """Whether its values are codes of goods or orders, and no prose."""
        return self.form in (CODE, ORDER)

    def kinds(self, value: str) -> list[str]:
        """The kinds of personal data in one of its values."""
        if self.is_code:
            return kinds(value, pii.CODE_PATTERNS)
        texts = texts_of_json(value) if self.form == JSON else [value]
        return sorted({kind for text in texts for kind in kinds(text)})

    def distinct(self) -> str:
        """SQL for the list of its distinct values, stand-ins left out."""
        values = f"list(distinct {self.sql})"
        if self.repeats:
            values = f"list_distinct(flatten({values}))"
        if self.form in STAND_INS:
            stand_in = f"regexp_full_match(v, {pii.literal(STAND_INS[self.form])})"
            values = f"list_filter({values}, lambda v: not {stand_in})"
        return f"coalesce({values}, [])"

    def count(self, condition: Callable[[str], str]) -> str:
        """SQL for the number of its values that meet a condition."""
        if not self.repeats:
            return f"count(*) filter (where {condition(self.sql)})"
        return f"coalesce(sum(len(list_filter({self.sql}, lambda v: {condition('v')}))), 0)"


@dataclass(frozen=True)
class Scanned:
    """A table to scan: what can stand behind ``from``, and how findings name it.

    ``forms`` is column, or ``column[].field``, -> form; the others are prose.
    """

    relation: str
    place: str
    forms: Mapping[str, str]


def scan_tables(con: duckdb.DuckDBPyConnection, tables: Iterable[Scanned]) -> list[Finding]:
    """The personal data in some tables.

    Args:
        con: a connection to reuse; its temporary table ``scan_values`` is replaced and dropped.
        tables: what to scan, all together so that each pattern is compiled once.

    Raises:
        MktError: a table could not be read; never with a value in it.
    """
    found: list[Finding] = []
    texts: list[tuple[Scanned, _Leaf]] = []
    quietly(con, "create or replace temp table scan_values (leaf int, is_code boolean, v varchar)")
    for table in tables:
        described = quietly(con, f"describe from {table.relation}")
        leaves = [
            leaf
            for name, kind, *_ in described
            for leaf in _leaves(name, duckdb.sqltype(kind), table.forms)
        ]
        found += _wrong_keys(con, table, [leaf for leaf in leaves if leaf.form in FORMS])
        prose = [leaf for leaf in leaves if leaf.form not in FORMS]
        _collect(con, table, prose, start=len(texts))
        texts += [(table, leaf) for leaf in prose]
    found += _found(con, texts)
    quietly(con, "drop table scan_values")
    return sorted(found)


def _leaves(name: str, kind: DuckDBPyType, forms: Mapping[str, str]) -> Iterator[_Leaf]:
    column = _quoted(name)
    for path, listed in _nested(name, column, kind, depth=0):
        form = forms.get(path, forms.get(name, "") if path == f"{name}[]" else "")
        repeats = path != name
        yield _Leaf(path, listed if repeats else f"{column}::varchar", repeats, form)


def _nested(path: str, sql: str, kind: DuckDBPyType, depth: int) -> Iterator[tuple[str, str]]:
    """Each text inside a value of ``kind``, with SQL for the list of all its occurrences."""
    if kind.id in _TEXTS:
        yield path, f"[{sql}::varchar]"
    elif kind.id == "struct":
        for name, child in _children(kind).items():
            yield from _nested(f"{path}.{name}", f"{sql}.{_quoted(name)}", child, depth)
    elif kind.id in ("list", "array"):
        child = _children(kind)["child"]
        yield from _each(f"{path}[]", f"{sql}::{child}[]", child, depth)
    elif kind.id == "map":
        inner = _children(kind)
        yield from _each(f"{path}[key]", f"map_keys({sql})", inner["key"], depth)
        yield from _each(f"{path}[]", f"map_values({sql})", inner["value"], depth)
    elif kind.id == "union":
        yield path, f"[{sql}::varchar]"


def _children(kind: DuckDBPyType) -> dict[str, DuckDBPyType]:
    return {name: child for name, child in kind.children if isinstance(child, DuckDBPyType)}


def _each(path: str, sql: str, kind: DuckDBPyType, depth: int) -> Iterator[tuple[str, str]]:
    element = f"e{depth}"
    for inner, listed in _nested(path, element, kind, depth + 1):
        yield inner, f"flatten(list_transform({sql}, lambda {element}: {listed}))"


def _wrong_keys(
    con: duckdb.DuckDBPyConnection, table: Scanned, leaves: Sequence[_Leaf]
) -> Iterator[Finding]:
    if not leaves:
        return
    counts = [leaf.count(_is_not(FORMS[leaf.form])) for leaf in leaves]
    (row,) = quietly(con, f"select {', '.join(counts)} from {table.relation}")
    for leaf, n in zip(leaves, row, strict=True):
        if n:
            yield Finding(table.place, leaf.path, f"{WRONG_FORM} ({leaf.form})", int(n))


def _is_not(form: str) -> Callable[[str], str]:
    return lambda value: f"not regexp_full_match({value}, {pii.literal(form)})"


def _collect(
    con: duckdb.DuckDBPyConnection, table: Scanned, leaves: Sequence[_Leaf], *, start: int
) -> None:
    """Put the distinct values of every leaf into ``scan_values``, in one pass over the table."""
    if not leaves:
        return
    lists = ", ".join(
        f"{{leaf: {start + number}, is_code: {leaf.is_code}, vs: {leaf.distinct()}}}"
        for number, leaf in enumerate(leaves)
    )
    quietly(
        con,
        "insert into scan_values select one.leaf, one.is_code, unnest(one.vs) "
        f"from (select unnest([{lists}]) as one from {table.relation})",
    )


def _found(
    con: duckdb.DuckDBPyConnection, texts: Sequence[tuple[Scanned, _Leaf]]
) -> Iterator[Finding]:
    are_codes = {leaf.is_code for _, leaf in texts}
    for number, values in _candidates(con, are_codes).items():
        table, leaf = texts[number]
        by_kind: dict[str, list[str]] = {}
        for value in values:
            for kind in leaf.kinds(value):
                by_kind.setdefault(kind, []).append(value)
        for kind, confirmed in by_kind.items():
            counted = leaf.count(lambda v: f"list_contains($found::varchar[], {v})")
            ((n,),) = quietly(con, f"select {counted} from {table.relation}", {"found": confirmed})
            yield Finding(table.place, leaf.path, kind, int(n))


def _candidates(con: duckdb.DuckDBPyConnection, are_codes: set[bool]) -> dict[int, list[str]]:
    """The values that a pattern finds, by the number of their leaf."""
    found: dict[int, list[str]] = {}
    # to compile a pattern costs more than to search a small table
    for of_codes, pattern in ((False, pii.PROSE), (True, pii.CODE)):
        if of_codes not in are_codes:
            continue
        rows = quietly(
            con,
            f"select leaf, v from scan_values where is_code = {of_codes} "
            f"and {pii.has_personal_sql('v', pattern)} "
            # not of all columns together: what is judged harmless in one would hide the others
            f"qualify row_number() over (partition by leaf order by v) <= {_MOST_JUDGED} "
            "order by all",
        )
        for number, value in rows:
            found.setdefault(number, []).append(value)
    return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
