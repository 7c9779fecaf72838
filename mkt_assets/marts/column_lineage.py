"""Which columns of which tables a column of a dbt model comes from, read off the model's SQL.

dagster-dbt does this, too, but parses a model anew for each of its columns, which costs more than
the build. What stays out: Dagster.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
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
    manifest: Mapping[str, Any], compiled: Path, columns: Columns
) -> Iterator[tuple[str, Parents]]:
    """The name and the columns' parents of every SQL model that was built.

    Args:
        manifest: dbt's.
        compiled: the folder where dbt leaves its compiled models.
        columns: of everything that was built.
    """
    sources = [node for node in manifest["sources"].values() if node["source_name"] == LAKE]
    known = dict(columns)
    for source in sources:
        types = {name: told["data_type"] for name, told in source["columns"].items()}
        known[f"{LAKE}.{source['name']}"] = types
    for node in manifest["nodes"].values():
        path = compiled / node["original_file_path"]
        if node["resource_type"] == "model" and path.suffix == ".sql" and path.is_file():
            yield node["name"], column_parents(_with_names(path.read_text(), sources), known)


def store_parents(path: Path, parents: Mapping[str, Parents]) -> None:
    """Keep the parents of every model's columns for those who ask before the next build."""
    with replacing(path) as writing:
        writing.write_text(json.dumps(parents, indent=1, sort_keys=True), encoding="utf-8")


def stored_parents(path: Path) -> dict[str, Parents]:
    """What the last build stored; empty before the first."""
    if not path.is_file():
        return {}
    told = json.loads(path.read_text(encoding="utf-8"))
    return {
        model: {column: [(of, name) for of, name in above] for column, above in columns.items()}
        for model, columns in told.items()
    }


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
