"""Which columns of which tables a column of a dbt model comes from, read off the model's SQL.

dagster-dbt does this, too, but parses a model anew for each of its columns, which costs more than
the build. What stays out: Dagster.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from mkt_assets.lake import replacing

#: relation, as ``schema.table``, to its columns and their types
Columns = Mapping[str, Mapping[str, str]]
#: column to the (relation, column) pairs of its direct parents
Parents = dict[str, list[tuple[str, str]]]

#: where the last build left the parents of every column, below dbt's artifacts
STORED = "column_parents.json"

#: the schema under which a model's SQL names the files of the lake
LAKE = "lake"
#: how the SQL says the day of a file, a column as any other (macros/engine_duckdb.sql)
_DAY_OF_FILE = re.compile(r"cast\(\s*regexp_extract\(files\.filename, '[^']*', 1\) as date\s*\)")
#: the days that a build replaces, which say nothing of columns
_DAYS = re.compile(r"date '\d{4}-\d{2}-\d{2}'(?:, date '\d{4}-\d{2}-\d{2}')*")


def column_parents(sql: str, columns: Columns) -> Parents:
    """The direct parents of each column that ``sql``, a query in DuckDB's dialect, selects.

    Raises:
        sqlglot.errors.SqlglotError: the query cannot be read.
    """
    from sqlglot import MappingSchema, exp, parse_one
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    schema = MappingSchema(dialect="duckdb")
    for relation, types in columns.items():
        schema.add_table(relation, dict(types), dialect="duckdb")
    query = parse_one(sql, dialect="duckdb")
    for read in query.find_all(exp.Table):
        read.set("catalog", None)
    qualified = qualify(query, schema=schema, dialect="duckdb", validate_qualify_columns=False)
    scope = build_scope(qualified)
    found: Parents = {}
    for name in cast("exp.Query", qualified).named_selects:
        node = lineage(name, qualified, {}, scope=scope, dialect="duckdb", trim_selects=False)
        leaves = {
            (f"{leaf.source.db}.{leaf.source.name}", leaf.name.rsplit(".", 1)[-1].strip('"'))
            for leaf in node.walk()
            if not leaf.downstream and isinstance(leaf.source, exp.Table)
        }
        found[name] = sorted(leaf for leaf in leaves if leaf[0] in columns)
    return found


def parents_of_models(
    manifest: Mapping[str, Any], compiled: Path, columns: Columns, stored: Path
) -> dict[str, Parents]:
    """The columns' parents of every SQL model that was built, by the model's name.

    What the last build found is taken for models whose SQL and columns are as they were: to read
    all of it costs two seconds, each day anew.

    Args:
        manifest: dbt's.
        compiled: the folder where dbt leaves its compiled models.
        columns: of everything that was built.
        stored: where the last build left them, and this one does for those who ask before the next.
    """
    sources = [node for node in manifest["sources"].values() if node["source_name"] == LAKE]
    known = dict(columns)
    for source in sources:
        types = {name: told["data_type"] for name, told in source["columns"].items()}
        known[f"{LAKE}.{source['name']}"] = types
    before, now = _read(stored), {}
    for node in manifest["nodes"].values():
        path = compiled / node["original_file_path"]
        if node["resource_type"] == "model" and path.suffix == ".sql" and path.is_file():
            sql = _DAYS.sub("date '1970-01-01'", _with_names(path.read_text(), sources))
            of, name = _digest(sql, known), node["name"]
            if before.get(name, {}).get("of") != of:
                before[name] = {"of": of, "parents": column_parents(sql, known)}
            now[name] = before[name]
    with replacing(stored) as writing:
        writing.write_text(json.dumps(now, indent=1, sort_keys=True), encoding="utf-8")
    return _parents(now)


def stored_parents(path: Path) -> dict[str, Parents]:
    """What the last build stored; empty before the first."""
    return _parents(_read(path))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    # before there was a digest, the parents stood alone
    return {model: each for model, each in told.items() if each.keys() == {"of", "parents"}}


def _parents(stored: Mapping[str, Any]) -> dict[str, Parents]:
    return {
        model: {column: [(of, name) for of, name in above] for column, above in parents.items()}
        for model, each in stored.items()
        for parents in [each["parents"]]
    }


def _digest(sql: str, columns: Columns) -> str:
    """Of all that a model's lineage follows from; the columns are all tables' that it may name."""
    named = {table: types for table, types in columns.items() if table.split(".")[-1] in sql}
    facts = json.dumps([version("sqlglot"), sql, named], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()


def _with_names(sql: str, sources: list[Mapping[str, Any]]) -> str:
    """The query with the names of lake tables instead of their files, and of their day's column."""
    for source in sources:
        meta = source["config"]["meta"]
        text = r"'(?:[^']|'')*"
        files = rf"read_parquet\({text}{re.escape(meta['files'])}',(?:[^')]|{text}')*\)"
        sql, found = re.subn(files, f"{LAKE}.{source['name']}", sql)
        if found and "day" in meta:
            sql = _DAY_OF_FILE.sub(meta["day"], sql)
    return sql
