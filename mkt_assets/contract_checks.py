"""Does a stored table keep its contract? One SQL query a table, no Dagster."""

from __future__ import annotations

from pathlib import Path

import duckdb

from mkt_assets.contracts import Column, Table


def violations(con: duckdb.DuckDBPyConnection, table: Table, parquet: Path) -> list[str]:
    """What of ``table``'s contract the file breaks, as sentences; an empty list where nothing."""
    if not parquet.is_file():
        return [f"{table.path} was not written: materialize it"]
    relation = con.read_parquet(str(parquet))
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    wrong = _wrong_columns(table, types)
    if wrong:
        return wrong
    rules = _rules(table)
    counts = con.execute(
        "select "
        + ", ".join(f"count(*) filter (where {sql})" for _, sql in rules)
        + " from read_parquet($file)",
        {"file": str(parquet)},
    ).fetchone()
    assert counts is not None, "an aggregate query always has one row"
    found = [
        f"{table.path}: {rule} in {n:,} rows"
        for (rule, _), n in zip(rules, counts, strict=True)
        if n
    ]
    return found + _repeated_keys(con, table, parquet)


def _wrong_columns(table: Table, types: dict[str, str]) -> list[str]:
    wanted = {c.name: c.type for c in table.columns}
    missing = [f"{table.path}: column {name} is missing" for name in wanted if name not in types]
    extra = [
        f"{table.path}: column {name} is not in the contract"
        for name in types
        if name not in wanted
    ]
    wrong = [
        f"{table.path}: column {name} is {types[name]}, the contract says {kind}"
        for name, kind in wanted.items()
        if name in types and types[name] != kind
    ]
    return missing + extra + wrong


def _rules(table: Table) -> list[tuple[str, str]]:
    rules = [("a row without key", " or ".join(f'"{key}" is null' for key in table.key))]
    for column in table.columns:
        rules += _column_rules(column)
    return rules


def _column_rules(column: Column) -> list[tuple[str, str]]:
    name = f'"{column.name}"'
    rules = []
    if not column.nullable:
        rules.append((f"{column.name} is null", f"{name} is null"))
    if column.type in ("DOUBLE", "FLOAT"):
        rules.append(
            (f"{column.name} is not finite", f"{name} is not null and not isfinite({name})")
        )
    if column.low is not None:
        rules.append((f"{column.name} is below {column.low:g}", f"{name} < {column.low!r}"))
    if column.high is not None:
        rules.append((f"{column.name} is above {column.high:g}", f"{name} > {column.high!r}"))
    if column.values:
        allowed = ", ".join("'" + v.replace("'", "''") + "'" for v in column.values)
        rules.append((f"{column.name} is none of {allowed}", f"{name} not in ({allowed})"))
    return rules


def _repeated_keys(con: duckdb.DuckDBPyConnection, table: Table, parquet: Path) -> list[str]:
    key = ", ".join(f'"{name}"' for name in table.key)
    found = con.execute(
        "select count(*) from "
        f"(select 1 from read_parquet($file) group by {key} having count(*) > 1)",
        {"file": str(parquet)},
    ).fetchone()
    repeated = found[0] if found else 0
    return [f"{table.path}: {repeated:,} keys ({key}) occur more than once"] if repeated else []
