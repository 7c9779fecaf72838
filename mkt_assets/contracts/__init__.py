"""The one registry of the tables that Python writes: columns, types, units, keys, bounds, owner.

dbt's sources and models carry their contract in dbt's YAML; a table is described in exactly one of
the two places. From here come the column schema that Dagster shows, the contract checks, and the
comments in the published file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from mkt_assets.contracts import (
    activation,
    allocation,
    audiences,
    experiments,
    forecast,
    insights,
)
from mkt_assets.contracts.columns import (
    ACTIVATION,
    ANALYTICS,
    PRIVACY_OFFICE,
    Column,
    Need,
    Privacy,
    Table,
)
from mkt_assets.contracts.forms import FORMS, KNOWN, ORDER, PSEUDONYMS
from mkt_assets.contracts.publication import PUBLICATION
from mkt_assets.errors import MktError
from mkt_assets.project import dbt_project_dir, read_yaml

__all__ = [
    "ACTIVATION",
    "ANALYTICS",
    "PRIVACY_OFFICE",
    "PUBLICATION",
    "REGISTRY",
    "Column",
    "Need",
    "Privacy",
    "Table",
    "forms_of",
    "identifying",
    "lake_columns",
    "mart_columns",
    "mart_key",
]

#: by path, in the order in which the data flows
REGISTRY: dict[str, Table] = {
    table.path: table
    for stage in (insights, forecast, audiences, experiments, allocation, activation)
    for table in stage.TABLES
}


#: tables that hold what others held: their columns are described there
_SAME_COLUMNS = {"lineage_history": "lineage_ledger"}


@cache
def lake_columns(table: str) -> tuple[Column, ...]:
    """The columns of a guarded table, as dbt's sources describe them.

    Raises:
        KeyError: dbt reads no such table.
    """
    return tuple(_column(c) for c in _sources()[table]["columns"])


def _column(told: Mapping[str, Any]) -> Column:
    form = _form(told) if isinstance(_form(told), str) else ""
    return Column(
        told["name"],
        told["data_type"],
        told["description"],
        nullable=True,
        privacy="pseudonym" if form in PSEUDONYMS else "none",
        form=form,
    )


@cache
def mart_columns(mart: str) -> Mapping[str, Mapping[str, Any]]:
    """The columns of a mart by name, each as dbt's YAML describes it.

    Raises:
        KeyError: there is no such mart.
    """
    return {column["name"]: column for column in _models()[mart]["columns"]}


@cache
def mart_key(mart: str) -> tuple[str, ...]:
    """The columns that identify a row of a mart, as the test of its rows says.

    Raises:
        KeyError: there is no such mart, or none of its tests says what is unique.
    """
    for test in _models()[mart]["data_tests"]:
        if key := test.get("sound_rows", {}).get("arguments", {}).get("key"):
            return tuple(key)
    raise KeyError(f"no test of {mart} says what is unique")


@cache
def identifying() -> frozenset[str]:
    """The columns of dbt's tables that are keys of a person, a visit, an order or a file.

    Dagster keeps metadata for good, so no value of theirs belongs there.
    """
    kinds = {*FORMS, ORDER} - {"lineage", "build"}
    tables = (*_sources().values(), *_models().values())
    return frozenset(
        column["name"]
        for table in tables
        for column in table.get("columns", ())
        if isinstance(_form(column), str) and _form(column) in kinds
    )


@cache
def forms_of(table: str) -> Mapping[str, str]:
    """Column, or ``column[].field``, -> the form of its values; a table may be unknown.

    Raises:
        MktError: a contract names a form that there is not.
    """
    table = _SAME_COLUMNS.get(table, table)
    forms: dict[str, str] = {}
    for column in (*_python_columns(table), *_dbt_columns(table)):
        name, form = column
        pairs = form.items() if isinstance(form, Mapping) else [("", form)]
        forms |= {f"{name}{field}": kind for field, kind in pairs if kind}
    unknown = sorted(set(forms.values()) - KNOWN)
    if unknown:
        raise MktError(f"the contract of {table} names the form {unknown[0]!r}, which is not known")
    return forms


def _python_columns(table: str) -> Iterator[tuple[str, Any]]:
    for known in (*REGISTRY.values(), PUBLICATION):
        if known.name == table:
            yield from ((column.name, column.form) for column in known.columns)


def _dbt_columns(table: str) -> Iterator[tuple[str, Any]]:
    for told in (_sources().get(table), _models().get(table)):
        if told:
            yield from ((column["name"], _form(column)) for column in told.get("columns", ()))


def _form(column: Mapping[str, Any]) -> Any:
    return column.get("config", {}).get("meta", {}).get("form", "")


@cache
def _sources() -> dict[str, Any]:
    sources = read_yaml(dbt_project_dir() / "models" / "staging" / "_sources.yml")["sources"]
    return {t["name"]: t for source in sources for t in source["tables"]}


@cache
def _models() -> dict[str, Any]:
    # the warehouse keeps what lies between sources and marts, too
    models = dbt_project_dir() / "models"
    files = [
        f for stage in ("intermediate", "marts") for f in sorted((models / stage).glob("_*.yml"))
    ]
    return {m["name"]: m for file in files for m in read_yaml(file).get("models", [])}
