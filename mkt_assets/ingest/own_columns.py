"""The columns of an input as its sender made them, so that a change of them can be told.

Structs are taken apart, so that a field that came or went inside is named. NDJSON has no columns:
it leaves out what is null, and a key that is not there today is no change. What stays out:
comparing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from mkt_assets.in_memory import asking
from mkt_assets.privacy import pii

#: what a column of a text file is
TEXT: Final = "text"
#: a header longer than this is the first row of a file without a header line
_LONGEST: Final = 60


def from_types(types: Mapping[str, DuckDBPyType]) -> dict[str, str]:
    """Column or ``column.field`` -> DuckDB type."""
    return _speakable({n: kind for name, of in types.items() for n, kind in _leaves(name, of)})


def from_arrow(schema: pa.Schema) -> dict[str, str]:
    """Column or ``column.field`` -> DuckDB type, of an Arrow or Parquet schema."""
    empty = schema.empty_table()
    with asking() as con:
        relation = con.from_arrow(empty)
        return from_types(dict(zip(relation.columns, relation.types, strict=True)))


def from_headers(headers: list[str]) -> dict[str, str]:
    """The columns of a text file."""
    return _speakable(dict.fromkeys(headers, TEXT))


def _leaves(name: str, kind: DuckDBPyType) -> Iterator[tuple[str, str]]:
    inner, suffix = kind, ""
    while inner.id == "list":
        child = inner.children[0][1]
        assert isinstance(child, DuckDBPyType)
        inner, suffix = child, "[]"
    if inner.id != "struct":
        yield name, f"{inner}{suffix}"
        return
    for field, child in inner.children:
        if isinstance(child, DuckDBPyType):
            yield from _leaves(f"{name}{suffix}.{field}", child)


def _speakable(columns: dict[str, str]) -> dict[str, str]:
    """Without names that are data: messages and the open part of the lake repeat them."""
    return {n: k for n, k in columns.items() if len(n) <= _LONGEST and not pii.findings(n)}
