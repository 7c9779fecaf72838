"""The models are not DuckDB's alone: they compile for Spark, and hold no word that it lacks.

Nothing connects to Spark. What an engine says differently stands in macros/engine_<adapter>.sql.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import pytest
import sqlglot
from common_sql import faults, spellings
from jinja2 import nodes
from sqlglot import exp
from sqlglot.dialects import DuckDB, Spark
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType

from mkt_assets.project import dbt_project_dir

PROJECT = dbt_project_dir()

#: what models may call by themselves, since every engine knows it
COMMON = {
    *("avg", "count", "max", "min", "sum"),
    *("cast", "coalesce", "greatest", "least", "nullif", "power"),
    *("length", "lower", "md5", "replace", "trim", "upper"),
    *("lag", "lead", "rank", "row_number"),
}
#: what macros/engine_spark.sql says besides; all are in what `show functions` lists on Spark 4.3
SPARK = {
    *("aggregate", "array", "array_compact", "array_distinct", "array_sort", "array_union"),
    *("collect_list", "collect_set", "concat", "explode", "flatten", "from_json", "named_struct"),
    *("date_add", "date_sub", "datediff", "min_by", "timestamp_micros", "transform", "unix_micros"),
}
#: types that Spark knows, as sqlglot calls them
TYPES = {"BIGINT", "BOOLEAN", "DATE", "DECIMAL", "DOUBLE", "TEXT", "TIMESTAMP"}
#: words of SQL that may stand before a bracket and call nothing
NO_CALLS = {
    *("and", "as", "by", "cross", "distinct", "else", "exists", "filter", "from", "having", "in"),
    *("join", "not", "on", "or", "over", "select", "then", "union", "using", "values", "when"),
    *("where", "with", "decimal"),
}
#: what says what one engine says; days are replaced one by one on DuckDB only
OF_ONE_ENGINE = re.compile(r"engine_\w+|changes")
_CALL = re.compile(r"\b([a-z_]\w*)\s*\(", re.IGNORECASE)


def called(sql: str, dialect: type[sqlglot.Dialect]) -> set[str]:
    """The functions as they are written; strings and comments call nothing."""
    tokens = dialect().tokenize(sql)
    words = {a.text.lower() for a, b in pairwise(tokens) if b.text == "(" and a.text[-1:].isalnum()}
    return {word for word in words if not word[0].isdigit()} - NO_CALLS


def foreign(sql: str) -> set[str]:
    """What of a query Spark does not know."""
    try:
        (tree,) = sqlglot.parse(sql, dialect="spark")
    except SqlglotError as error:
        return {f"no Spark SQL: {error}"}
    assert tree is not None
    kinds = [kind for kind in tree.find_all(exp.DataType) if not isinstance(kind, exp.IntervalSpan)]
    types = {str(kind.this.name) for kind in kinds} - TYPES
    # sqlglot takes it for a string, Spark wants to know its length
    types |= {t.text for t in Spark().tokenize(sql) if t.token_type is TokenType.VARCHAR}
    # lists begin with 1 here and with 0 there
    brackets = {part.sql("spark") for part in tree.find_all(exp.Bracket)}
    commands = {part.sql("spark") for part in tree.find_all(exp.Command)}
    written = faults(tree) | spellings(Spark().tokenize(sql))
    return (called(sql, Spark) - COMMON - SPARK) | types | brackets | commands | written


def _texts(node: nodes.Node) -> Iterator[str]:
    """The SQL of a template, in pieces and in arguments, of every branch."""
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Output):
            # what Jinja puts in between is some expression
            yield " _ ".join(n.data for n in child.nodes if isinstance(n, nodes.TemplateData))
        if isinstance(child, nodes.Const) and isinstance(child.value, str):
            yield from (f"{word}()" for word in _CALL.findall(child.value))
        yield from _texts(child)


def uncommon(template: str) -> set[str]:
    """What a template calls or writes by itself and that not every engine has."""
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    # a generic test is a macro by another name
    template = re.sub(r"{%(-?) (end)?test\b", r"{%\1 \2macro", template)
    text = "\n".join(_texts(environment.parse(template)))
    return (called(text, DuckDB) - COMMON) | spellings(DuckDB().tokenize(text))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What dbt compiles for Spark, without Spark."""
    home = tmp_path_factory.mktemp("spark")
    # dbt-spark looks whether there is a pyspark, but needs none where it does not connect
    (home / "pyspark.py").touch()
    paths = [str(home), *filter(None, [os.environ.get("PYTHONPATH")])]
    place = ("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT))
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("dbt")), "compile", "--target", "spark"),
            *("--no-introspect", "--no-populate-cache", "--no-partial-parse", *place),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "MKT_LAKE_DIR": str(home / "lake"),
            "DBT_TARGET_PATH": str(home / "target"),
            "DBT_LOG_PATH": str(home / "logs"),
        },
    )
    assert done.returncode == 0, done.stdout
    return home / "target"


@pytest.mark.slow
def test_spark_knows_all_that_is_compiled_for_it(compiled: Path) -> None:
    queries = sorted((compiled / "compiled").rglob("*.sql"))
    models = {path.stem for path in (PROJECT / "models").rglob("*.sql")}
    assert models <= {path.stem for path in queries}
    found = {path.name: foreign(path.read_text(encoding="utf-8")) for path in queries}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.slow
def test_models_are_built_whole_where_days_cannot_be_replaced(compiled: Path) -> None:
    manifest: dict[str, Any] = json.loads((compiled / "manifest.json").read_text())
    built = {
        node["config"]["materialized"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    assert built == {"table", "view"}


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=str(path.relative_to(PROJECT)))
        for folder in ("models", "macros", "tests")
        for path in sorted((PROJECT / folder).rglob("*.sql"))
        if not OF_ONE_ENGINE.fullmatch(path.stem)
    ],
)
def test_only_dispatched_macros_call_what_not_every_engine_has(path: Path) -> None:
    assert uncommon(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select arg_min(a, b) from t", {"arg_min"}),
        ("select list_sort(list(distinct a)) from t", {"list_sort", "list"}),
        ("select cast(a as varchar) from t", {"varchar"}),
        ("select a[1] from t", {"a[1]"}),
        ("select a - interval '1 02:00:00' day to second from t", set()),
        ("select '(list_sort(x))' as a -- list(x)", set()),
        ("select a from t where (a) in (select (b) from u)", set()),
        ("select a from t qualify row_number() over (order by a) = 1", {"select qualify"}),
        ("from t select a", {"from first"}),
        ("select a::boolean from t", {"::"}),
    ],
)
def test_it_finds_what_spark_lacks(sql: str, words: set[str]) -> None:
    assert foreign(sql) == words


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("select list_sort({{ a }}) from {{ ref('t') }}", {"list_sort"}),
        ("{{ first_by('epoch_us(a)', 'b') }} as c", {"epoch_us"}),
        ("{% macro m(a) %} list({{ a }}) {% endmacro %}", {"list"}),
        ("{% if a %} select max(b) {% else %} select unnest(b) {% endif %}", {"unnest"}),
        ("{% macro m(a) %} {{ a }}::boolean {% endmacro %}", {"::"}),
        ("with a as (from {{ ref('t') }}) select b from a", {"from first"}),
    ],
)
def test_it_finds_calls_outside_dispatched_macros(template: str, words: set[str]) -> None:
    assert uncommon(template) == words
