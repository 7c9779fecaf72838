"""dbt's SQL models without dbt: rendered once, run on small tables a thousand times."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import duckdb
import jinja2
import pytest
import yaml
from lint_context import adapter, target

from mkt_assets.project import dbt_project_dir

#: what one model says of its inputs: table name -> a query that makes it
Tables = dict[str, str]
Run = Callable[..., duckdb.DuckDBPyConnection]


@cache
def _rendered(model: str) -> str:
    """The SQL of a model; a reference is the bare name of a table."""
    project = dbt_project_dir()
    settings = yaml.safe_load((project / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    macros = "".join(
        path.read_text(encoding="utf-8") for path in sorted((project / "macros").glob("*.sql"))
    )
    (path,) = (project / "models").rglob(f"{model}.sql")
    environment = jinja2.Environment(extensions=["jinja2.ext.do"], undefined=jinja2.StrictUndefined)
    template = environment.from_string(macros + path.read_text(encoding="utf-8"))
    return template.render(
        ref=lambda name: name,
        var=settings.__getitem__,
        execute=False,
        config=lambda **_: "",
        adapter=adapter,
        target=target,
    )


@pytest.fixture
def build() -> Run:
    """Run models in order on given tables; each result is a table of the model's name."""

    def run(tables: Tables, *models: str) -> duckdb.DuckDBPyConnection:
        con = duckdb.connect()
        for name, query in tables.items():
            con.execute(f"create table {name} as {query}")
        for model in models:
            con.execute(f"create table {model} as {_rendered(model)}")
        return con

    return run


@pytest.fixture
def rows() -> Callable[[dict[str, str], list[dict[str, Any]]], str]:
    """A query that gives rows, their columns typed; a missing value is null."""

    def query(kinds: dict[str, str], values: list[dict[str, Any]]) -> str:
        columns = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in kinds.items())
        told = [
            "(" + ", ".join(_literal(row.get(name)) for name in kinds) + ")"
            for row in values or [{}]
        ]
        empty = "" if values else " where false"
        return f"select {columns} from (values {', '.join(told)}) as t({', '.join(kinds)}){empty}"

    return query


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"[{', '.join(_literal(v) for v in value)}]"
    return "'" + str(value).replace("'", "''") + "'"
