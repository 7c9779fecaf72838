"""SQL that gives the rows of a GA4 export the landing types and a verdict.

What stays out: days and files. A verdict is ``null`` for a good row, else the reason why it is set
aside.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from duckdb.sqltypes import DuckDBPyType

from mkt_assets.errors import InputError
from mkt_assets.ingest import ga4_types, headers
from mkt_assets.ingest.ga4_schema import RAW_EVENT_COLUMNS, REQUIRED_EVENT_COLUMNS
from mkt_assets.ingest.ga4_types import JsonText
from mkt_assets.ingest.staging import FAULT, RAW, ROW, Rows, quoted
from mkt_assets.lake import sql_text

#: what the landing code reads beside the event's own columns: its day, why it is set aside, and how
#: many rows of the file it stands for
DAY, REASON, WEIGHT = "_mkt_day", "_mkt_reason", "_mkt_weight"

#: microseconds of 2005 and 2100: seconds and milliseconds of today are outside, as is nonsense
_FIRST_TIME, _LAST_TIME = 1_104_537_600_000_000, 4_102_444_800_000_000
#: of a column's type in a message
_LONGEST_TYPE = 80
#: our own columns on the way: what has another shape, all shapes of a line, the JSON of a column
_SHAPE, _SHAPES, _JSON_OF = "_mkt_shape", "_mkt_shapes", "_mkt_json_of_"


def typed_events(con: duckdb.DuckDBPyConnection, rows: Rows, path: Path) -> str:
    """The relation of all rows of an event export, typed; columns that the file lacks are NULL.

    Raises:
        InputError: this is no GA4 export, or a column has a type that cannot be meant.
    """
    if rows.kind == "ndjson":
        _require_keys(con, rows, path)
        told = _told_lines(rows)
    else:
        _require_columns(rows, path)
        told = _told_columns(rows, path)
    columns = {
        name: ga4_types.typed_sql(name) if name in told.as_text else f'"{name}"'
        for name in RAW_EVENT_COLUMNS
    }
    chosen = ", ".join(f'{expression} as "{name}"' for name, expression in columns.items())
    return f"""(
        select
            {chosen},
            '{sql_text(path.absolute().as_uri())}' as source_file,
            {ROW} as source_row,
            {day_of("event_date")} as {DAY},
            case
                when {FAULT} is not null then {FAULT}
                when {day_of("event_date")} is null then 'bad_date'
                when not coalesce({is_time("event_timestamp")}, false) then 'bad_timestamp'
                when coalesce(trim(event_name), '') = '' then 'missing_name'
                when {_SHAPE} is not null then '{ga4_types.WRONG_TYPE}' || {_SHAPE}
                {ga4_types.number_faults_sql(told.as_text)}
            end as {REASON},
            1::bigint as {WEIGHT},
            {RAW}
        from (
            select
                * replace ({compact_date("event_date")} as event_date),
                {ga4_types.shape_fault_sql(told.texts)} as {_SHAPE}
            from {told.relation}
        )
    )"""


@dataclass(frozen=True)
class _Told:
    """All rows with their columns, ``as_text`` with numbers as text, and those read from JSON."""

    relation: str
    as_text: Collection[str]
    texts: Mapping[str, JsonText]


def _told_lines(rows: Rows) -> _Told:
    line = f"case when json_valid({RAW}) then {RAW} end"
    paths = ", ".join(f"'$.{name}'" for name in ga4_types.SHAPES)
    told = {name: duckdb.sqltype(ga4_types.told_type(name)) for name in RAW_EVENT_COLUMNS}
    relation = f"""(
        select
            unnest(json_transform({line}, '{_structure(told)}')),
            json_type({line}, [{paths}]) as {_SHAPES},
            {ROW}, {RAW}, {_line_fault()} as {FAULT}
        from {rows.relation}
    )"""
    texts = {
        name: JsonText(RAW, f"$.{name}", f"{_SHAPES}[{number}]")
        for number, name in enumerate(ga4_types.SHAPES, start=1)
    }
    return _Told(relation, frozenset(RAW_EVENT_COLUMNS), texts)


def _told_columns(rows: Rows, path: Path) -> _Told:
    """Columns of exact types are taken as they are."""
    chosen, as_text, texts = [], set(), {}
    for name in RAW_EVENT_COLUMNS:
        column = _column(rows, name, path)
        chosen.append(f'{column.expression} as "{name}"')
        if column.is_text:
            as_text.add(name)
        if column.json:
            text = f'"{_JSON_OF}{name}"'
            chosen.append(f"{column.json} as {text}")
            shape = (
                f"case when json_valid({text}) then json_type({text}) "
                f"when trim({text}) <> '' then 'none' end"
            )
            texts[name] = JsonText(text, "$", shape)
    relation = f"(select {', '.join(chosen)}, {ROW}, {RAW}, {FAULT} from {rows.relation})"
    return _Told(relation, as_text, texts)


def compact_date(expression: str) -> str:
    """SQL for ``YYYYMMDD`` from that or from an ISO date; NULL for anything else."""
    text = f"trim({expression}::varchar)"
    return (
        f"case when regexp_full_match({text}, '\\d{{8}}') then {text} "
        f"when regexp_full_match({text}, '\\d{{4}}-\\d{{2}}-\\d{{2}}([ T]00:00:00.*)?') "
        f"then replace({text}[:10], '-', '') end"
    )


def day_of(expression: str) -> str:
    """SQL for the day of a ``YYYYMMDD`` text; NULL for an impossible one."""
    return f"try_strptime({expression}, '%Y%m%d')::date"


def is_time(expression: str) -> str:
    """SQL for whether microseconds since 1970 can be the time of an event."""
    return f"({expression} >= {_FIRST_TIME} and {expression} < {_LAST_TIME})"


def _line_fault() -> str:
    return (
        f"case when {FAULT} is not null then {FAULT} when not json_valid({RAW}) "
        f"or json_type(case when json_valid({RAW}) then {RAW} end) <> 'OBJECT' then 'malformed' end"
    )


def _structure(told: Any) -> str:
    """Types as the JSON structure that ``json_transform`` reads: one, or a mapping of columns."""
    if isinstance(told, DuckDBPyType):
        return sql_text(json.dumps(_as_json(told)))
    return sql_text(json.dumps({name: _as_json(kind) for name, kind in told.items()}))


def _as_json(kind: DuckDBPyType) -> Any:
    if kind.id == "list":
        return [_as_json(_element(kind))]
    if kind.id == "struct":
        return {name: _as_json(child) for name, child in _fields(kind).items()}
    return str(kind)


@dataclass(frozen=True)
class _Column:
    """SQL of one column as it is told, whether with numbers as text, and of its JSON if it is."""

    expression: str
    is_text: bool = False
    json: str | None = None


def _column(rows: Rows, name: str, path: Path) -> _Column:
    """One column of a table with columns."""
    own = rows.column(name)
    if own is None:
        return _Column(f"null::{RAW_EVENT_COLUMNS[name]}")
    found, wanted = rows.types[own], duckdb.sqltype(RAW_EVENT_COLUMNS[name])
    if _is_untyped(found):
        return _Column(f"null::{RAW_EVENT_COLUMNS[name]}")
    told, expression = duckdb.sqltype(ga4_types.told_type(name)), quoted(own)
    if wanted.id in ("list", "struct") and (found.id == "varchar" or "JSON" in str(found)):
        text = expression if found.id == "varchar" else f"to_json({expression})::varchar"
        valid = f"case when json_valid({text}) then {text} end"
        return _Column(f"json_transform({valid}, '{_structure(told)}')", is_text=True, json=text)
    if wanted.id == "list":
        expression, found = _unwrapped(expression, found)
    if wanted.id == "bigint" and found.id.startswith("timestamp"):
        return _Column(f"epoch_us({expression})")
    if not _matches(found, wanted):
        raise InputError(
            "this file has another schema than a GA4 export",
            file=path,
            column=own,
            remedy=f"It is {_short(found)}; the GA4 export has {_short(wanted)}.",
        )
    is_text = not ga4_types.is_lossless(found, name)
    return _Column(f"try_cast({expression} as {told if is_text else wanted})", is_text)


def _unwrapped(expression: str, found: DuckDBPyType) -> tuple[str, DuckDBPyType]:
    """A repeated field without BigQuery's ``list`` and ``element`` layers."""
    if list(_fields(found)) == ["list"]:
        expression, found = f"{expression}.list", _fields(found)["list"]
    if found.id == "list" and list(_fields(_element(found))) == ["element"]:
        inner = duckdb.sqltype(f"{_fields(_element(found))['element']}[]")
        return f"list_transform({expression}, lambda e: e.element)", inner
    return expression, found


def _matches(found: DuckDBPyType, wanted: DuckDBPyType) -> bool:
    """Whether a cast from ``found`` can keep anything: structs share a field, lists hold such."""
    if _is_untyped(found):
        return True
    if wanted.id == "list":
        return found.id == "list" and _matches(_element(found), _element(wanted))
    if wanted.id == "struct":
        there = {name.lower(): child for name, child in _fields(found).items()}
        shared = {name: child for name, child in _fields(wanted).items() if name in there}
        return bool(shared) and all(_matches(there[n], child) for n, child in shared.items())
    return found.id not in ("list", "struct", "map")


def _is_untyped(kind: DuckDBPyType) -> bool:
    """Whether there are only nulls, of which writers of data frames know no type."""
    return bool(kind.id == "null")


def _fields(kind: DuckDBPyType) -> dict[str, DuckDBPyType]:
    """The fields of a struct; none of anything else."""
    children = kind.children if kind.id == "struct" else []
    return {name: child for name, child in children if isinstance(child, DuckDBPyType)}


def _element(kind: DuckDBPyType) -> DuckDBPyType:
    """The type of a list's elements."""
    child = kind.children[0][1]
    assert isinstance(child, DuckDBPyType)
    return child


def _short(kind: DuckDBPyType) -> str:
    text = str(kind)
    return text if len(text) <= _LONGEST_TYPE else f"{text[:_LONGEST_TYPE]}..."


def _require_columns(rows: Rows, path: Path) -> None:
    missing = [name for name in REQUIRED_EVENT_COLUMNS if rows.column(name) is None]
    if missing:
        raise _no_export(missing, list(rows.types), path)


def _require_keys(con: duckdb.DuckDBPyConnection, rows: Rows, path: Path) -> None:
    """NDJSON leaves out what is null, so a key is missing only where no line at all has it.

    ``user_pseudo_id`` may be: a day may consist of cookieless events.
    """
    names = [name for name in REQUIRED_EVENT_COLUMNS if name != "user_pseudo_id"]
    parsed = f"case when {FAULT} is null and json_valid({RAW}) then {RAW} end"
    counts = ", ".join(f"count(json_extract({parsed}, '$.{name}'))" for name in names)
    found = con.execute(f"select {counts} from {rows.relation}").fetchone() or ()
    missing = [name for name, count in zip(names, found, strict=True) if not count]
    if missing:
        first = con.execute(
            f"select json_keys({parsed}) from {rows.relation} where {parsed} is not null limit 1"
        ).fetchone()
        raise _no_export(missing, (first[0] if first else None) or [], path)


def _no_export(missing: list[str], found: list[str], path: Path) -> InputError:
    return InputError(
        f"this is not a GA4 export: there is no {', '.join(missing)}; columns found: "
        f"{headers.listed(found)}",
        file=path,
        remedy="Give the BigQuery export (events_YYYYMMDD) or a purchase-item list with "
        "user_pseudo_id, event_date, event_timestamp, item_id and item_revenue.",
    )
