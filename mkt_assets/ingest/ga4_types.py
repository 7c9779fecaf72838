"""Values of an export that are not of the type that GA4 documents, found before a cast loses them.

Numbers inside of records are first read as text (*told*), since a cast makes nothing of "12,50" and
rounds "1735700001.5" without a word. An event parameter whose number is none keeps its text, for
the guard to judge: only it knows which parameters are read. What stays out: days and files.

Limits: a record inside a record (``device.web_info``) is not asked for its shape.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import duckdb
from duckdb.sqltypes import DuckDBPyType

from mkt_assets.ingest.ga4_schema import RAW_EVENT_COLUMNS

#: the reason of a row is this and the name of what has another type
WRONG_TYPE: Final = "wrong_type_"
#: of no use to any later stage, so nothing is lost in it
_UNREAD: Final = ("user_properties",)
#: what of these is read; their numbers are told as text
AMOUNTS: Final = ("purchase_revenue", "refund_value", "shipping_value", "tax_value")
_WHOLE_OF_ITEMS: Final = ("quantity",)
_REAL_OF_ITEMS: Final = ("price", "item_revenue")
_BUNDLE: Final = "event_bundle_sequence_id"
_WITH_NUMBERS: Final = ("event_params", "ecommerce", "items", _BUNDLE)
_NUMBERS: Final = ("bigint", "double")
_WHOLE_TYPES: Final = frozenset(
    f"{sign}{size}" for sign in ("", "u") for size in ("tinyint", "smallint", "integer", "bigint")
) - {"ubigint"}
_REAL_TYPES: Final = _WHOLE_TYPES | {"ubigint", "hugeint", "float", "double", "decimal"}

_NUMBER_FIELDS: Final = ("int_value", "float_value", "double_value")
#: lists -> where in an element records must be, and what tells that one is empty
_RECORDS: Final = {"event_params": ("", ".value"), "items": ("",)}
_LEAVES: Final = {
    "event_params": tuple(f'"value".{name}' for name in ("string_value", *_NUMBER_FIELDS)),
    "items": ("item_id", "item_name", *_WHOLE_OF_ITEMS, *_REAL_OF_ITEMS),
}

#: columns that are a list or a record -> what JSON calls that
SHAPES: Final = {
    name: "ARRAY" if kind.endswith("[]") else "OBJECT"
    for name, kind in RAW_EVENT_COLUMNS.items()
    if kind.startswith("STRUCT") and name not in _UNREAD
}


@dataclass(frozen=True)
class JsonText:
    """Where the JSON of a column is: SQL of the text, the path in it, and SQL of its JSON type."""

    json: str
    path: str
    shape: str


def told_type(name: str) -> str:
    """The DuckDB type to read a column as: its landing type, with text for numbers in it."""
    kind = duckdb.sqltype(RAW_EVENT_COLUMNS[name])
    return _told(kind) if name in _WITH_NUMBERS else str(kind)


def is_lossless(found: DuckDBPyType, name: str) -> bool:
    """Whether every value of this type is one of the column's landing type."""
    return name not in _WITH_NUMBERS or _fits(found, duckdb.sqltype(RAW_EVENT_COLUMNS[name]))


def typed_sql(name: str) -> str:
    """A told column in its landing type; numbers of parameters that are none stay as their text."""
    plain = f'try_cast("{name}" as {RAW_EVENT_COLUMNS[name]})'
    if name != "event_params":
        return plain
    lost = " or ".join(_lost_of("param", field) for field in _NUMBER_FIELDS)
    return (
        f"case when len(list_filter(event_params, lambda param: {lost})) > 0 "
        f"then try_cast({_with_lost_as_text()} as {RAW_EVENT_COLUMNS[name]}) else {plain} end"
    )


def shape_fault_sql(texts: Mapping[str, JsonText]) -> str:
    """The first column that is not the list or record that it should be, over told rows; or null.

    Args:
        texts: the columns that were read from JSON.
    """
    faults = [(name, _is_other(name, text)) for name, text in texts.items() if name in SHAPES]
    faults += [(name, _has_other(name, texts[name])) for name in _RECORDS if name in texts]
    branches = " ".join(f"when {fault} then '{name}'" for name, fault in faults)
    return f"case {branches} end" if faults else "null::varchar"


def number_faults_sql(told: Collection[str]) -> str:
    """The branches of a CASE that name what has a number that is none.

    Args:
        told: the columns that were told as text.
    """
    faults: dict[str, str] = {}
    if _BUNDLE in told:
        faults[_BUNDLE] = _not_whole(f'"{_BUNDLE}"')
    if "ecommerce" in told:
        faults |= {amount: _not_real(f"ecommerce.{amount}") for amount in AMOUNTS}
    if "items" in told:
        faults |= {f"items_{n}": _any_item(_not_whole(f"item.{n}")) for n in _WHOLE_OF_ITEMS}
        faults |= {f"items_{n}": _any_item(_not_real(f"item.{n}")) for n in _REAL_OF_ITEMS}
    return " ".join(f"when {fault} then '{WRONG_TYPE}{name}'" for name, fault in faults.items())


def _is_other(name: str, text: JsonText) -> str:
    return f"coalesce({text.shape}, 'NULL') not in ('NULL', '{SHAPES[name]}')"


def _has_other(name: str, text: JsonText) -> str:
    """Whether a list has an element that is no record, or a parameter whose value is none."""
    # what is no record reads like an empty one, and those are seldom: only then look again
    empty = " and ".join(f"element.{field} is null" for field in _LEAVES[name])
    others = " or ".join(
        f"len(list_filter(json_type({text.json}, '{text.path}[*]{place}'), "
        "lambda shape: shape not in ('OBJECT', 'NULL'))) > 0"
        for place in _RECORDS[name]
    )
    return (
        f"case when len(list_filter({name}, lambda element: {empty})) > 0 "
        f"then {others} else false end"
    )


def _told(kind: DuckDBPyType) -> str:
    if kind.id == "list":
        return f"{_told(_child(kind, 'child'))}[]"
    if kind.id == "struct":
        fields = (f'"{name}" {_told(_child(kind, name))}' for name, _ in kind.children)
        return f"struct({', '.join(fields)})"
    return "varchar" if kind.id in _NUMBERS else str(kind)


def _fits(found: DuckDBPyType, wanted: DuckDBPyType) -> bool:
    if found.id in ("list", "struct") and found.id == wanted.id:
        there = {name.lower(): name for name, _ in found.children}
        return all(
            _fits(_child(found, there[name.lower()]), _child(wanted, name))
            for name, _ in wanted.children
            if name.lower() in there
        )
    numbers = {"bigint": _WHOLE_TYPES, "double": _REAL_TYPES}
    return found.id == "null" or found.id in numbers.get(wanted.id, (found.id,))


def _child(kind: DuckDBPyType, name: str) -> DuckDBPyType:
    child = dict(kind.children)[name]
    assert isinstance(child, DuckDBPyType)
    return child


def _lost_of(param: str, field: str) -> str:
    test = _not_whole if field == "int_value" else _not_real
    return test(f'{param}."value".{field}')


def _with_lost_as_text() -> str:
    value = 'param."value"'
    lost = ", ".join(
        f"case when {_lost_of('param', field)} then {value}.{field} end" for field in _NUMBER_FIELDS
    )
    kept = ", ".join(
        f"{field} := case when not {_lost_of('param', field)} then {value}.{field} end"
        for field in _NUMBER_FIELDS
    )
    packed = f"struct_pack(string_value := coalesce({value}.string_value, {lost}), {kept})"
    return (
        "list_transform(event_params, lambda param: "
        f'struct_pack("key" := param."key", "value" := {packed}))'
    )


def _any_item(fault: str) -> str:
    return f"len(list_filter(items, lambda item: {fault})) > 0"


def _not_whole(text: str) -> str:
    """Whether a text is there and no whole number; 15000.0 is one."""
    number = f"regexp_full_match(trim({text}), '[+-]?[0-9]+([.]0*)?')"
    return f"coalesce(trim({text}) <> '' and (not {number} or {_fails(text, 'bigint')}), false)"


def _not_real(text: str) -> str:
    return f"coalesce(trim({text}) <> '' and {_fails(text, 'double')}, false)"


def _fails(text: str, kind: str) -> str:
    return f"try_cast({text} as {kind}) is null"
