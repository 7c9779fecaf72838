"""No dbt model and no query in a Python module computes a KPI by its own formula, or averages one.

Each model is rendered as for sqlfluff, but with `kpi()` and `kpi_columns()` giving nulls, and read
by sqlglot. Columns are followed through CTEs and from model to model: another name hides nothing.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import sqlglot
import yaml
from sqlfluff.core import FluffConfig, Linter
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, build_scope

import mkt_assets
from mkt_assets.marts.metrics import kpis, metrics
from mkt_assets.project import dbt_project_dir

PROJECT = dbt_project_dir()
PACKAGE = Path(mkt_assets.__file__).parent

Terms = frozenset[str]
NOTHING: Terms = frozenset()

#: what else says the same as a base metric
SYNONYMS = {"spend": "mark_spent", "orders": "conversions", "is_engaged": "engaged_sessions"}
BASE = {name: name for name, metric in metrics().items() if metric.kind == "simple"} | SYNONYMS
KPIS = {name for name, metric in metrics().items() if metric.kind != "simple"}

_LAYER = yaml.safe_load((PROJECT / "models/metrics/_metrics.yml").read_text())["semantic_models"]


def _parsed(sql: str) -> exp.Expression:
    return sqlglot.parse_one(sql, dialect="duckdb")


#: model -> what one of its rows counts as, and an expression's text -> the measure that it is
COUNTED: dict[str, str] = {}
EXPRESSIONS: dict[str, str] = {}
#: model -> column -> the measure that it is under another name
MEASURED: dict[str, dict[str, Terms]] = {}
for _model in _LAYER:
    _name = _model["model"].split("'")[1]
    for _measure in _model["measures"]:
        _text = _measure.get("expr", _measure["name"])
        if _text == "1":
            COUNTED[_name] = _measure["name"]
        elif _text.isidentifier():
            MEASURED.setdefault(_name, {})[_text] = frozenset({_measure["name"]})
        else:
            EXPRESSIONS[_parsed(_text).sql()] = _measure["name"]

_STUB = """
{% macro kpi(name) -%} cast(null as double) {%- endmacro %}
{% macro kpi_names() -%} {{ return([]) }} {%- endmacro %}
{% macro kpi_columns() -%} COLUMNS {%- endmacro %}
""".replace("COLUMNS", ", ".join(f"null as {kpi.name}" for kpi in kpis()))


_STARTS = re.compile(r"\s*(select|with \w+ as|from \w+)\b", re.IGNORECASE)
_COMPUTES = re.compile(r"/|\b(avg|mean|sum)\b", re.IGNORECASE)


class Models:
    """SQL by model, and what each column of each model stands for."""

    def __init__(self, sql: Mapping[str, str]) -> None:
        self.roots = {name: build_scope(_parsed(text)) for name, text in sql.items()}
        self._outputs: dict[int, dict[str, Terms]] = {}

    def violations(self, query: str) -> list[str]:
        """What ``query``, the name of a model or SQL that reads models, works out by itself."""
        root = self.roots[query] if query in self.roots else build_scope(_parsed(query))
        scopes = root.traverse() if root else ()
        return sorted({w for scope in scopes for w in self._wrong(scope)})

    def _wrong(self, scope: Scope) -> Iterator[str]:
        for node in scope.find_all(exp.Div, exp.IntDiv, exp.Avg, exp.Sum):
            inside = self.terms(node.this, scope)
            if isinstance(node, (exp.Div, exp.IntDiv)):
                below = self.terms(node.expression, scope)
            else:
                yield from (f"{node.key} of {kpi}" for kpi in inside & KPIS)
                below = self._counted(scope) if isinstance(node, exp.Avg) else NOTHING
            top, bottom = inside - KPIS, below - KPIS
            # a share of the same metric is no KPI
            if top and bottom and top != bottom:
                yield f"{'+'.join(sorted(top))} / {'+'.join(sorted(bottom))}"

    # what an expression stands for

    def terms(self, node: exp.Expression, scope: Scope) -> Terms:  # noqa: PLR0911  as many kinds
        """The base metrics and KPIs that the value is made of."""
        known = EXPRESSIONS.get(_bare(node))
        if known:
            return frozenset({known})
        match node:
            case exp.Column():
                return self._column(node, scope)
            case exp.Count():
                return self._counted(scope)
            case exp.Div() | exp.IntDiv():
                below = self.terms(node.expression, scope)
                return NOTHING if below else self.terms(node.this, scope)
            case exp.Predicate() | exp.Subquery():
                return NOTHING
            case exp.Window() | exp.Filter():
                return self.terms(node.this, scope)
        return frozenset().union(*(self.terms(part, scope) for part in node.iter_expressions()))

    def _column(self, column: exp.Column, scope: Scope) -> Terms:
        name = column.name
        own = frozenset({BASE.get(name, name)}) if name in BASE or name in KPIS else NOTHING
        sources = scope.sources
        read = [sources[column.table]] if column.table in sources else sources.values()
        return own.union(*(self._of(source).get(name, NOTHING) for source in read))

    def _of(self, source: Scope | exp.Expression) -> dict[str, Terms]:
        """What the columns of a table, a CTE or a subquery stand for."""
        if isinstance(source, Scope):
            return self._columns(source)
        if not isinstance(source, exp.Table) or self.roots.get(source.name) is None:
            return {}
        return self._columns(self.roots[source.name]) | MEASURED.get(source.name, {})

    def _columns(self, scope: Scope) -> dict[str, Terms]:
        key = id(scope)
        if key not in self._outputs:
            self._outputs[key] = {}  # a recursive query meets itself
            for part in scope.set_operation_scopes or [scope]:
                for name, terms in self._selected(part):
                    self._outputs[key][name] = self._outputs[key].get(name, NOTHING) | terms
        return self._outputs[key]

    def _selected(self, scope: Scope) -> Iterator[tuple[str, Terms]]:
        if scope.set_operation_scopes:
            yield from self._columns(scope).items()
            return
        for projection in scope.expression.selects:
            if projection.is_star:
                for source in scope.sources.values():
                    yield from self._of(source).items()
            else:
                yield projection.alias_or_name, self.terms(projection.unalias(), scope)

    def _counted(self, scope: Scope) -> Terms:
        """What the rows that the query reads are counted as."""
        start = scope.expression.args.get("from_") or scope.expression.args.get("from")
        source = scope.sources.get(start.this.alias_or_name) if start else None
        if isinstance(source, exp.Table):
            return frozenset({COUNTED[source.name]}) if source.name in COUNTED else NOTHING
        if not isinstance(source, Scope) or source.set_operation_scopes:
            return NOTHING
        query = source.expression.args
        # one row of a group is many rows
        return NOTHING if query.get("group") or query.get("distinct") else self._counted(source)


def _bare(node: exp.Expression) -> str:
    """The text without the tables' names."""
    if not isinstance(node, exp.Case):
        return ""
    plain = node.copy()
    for column in plain.find_all(exp.Column):
        column.set("table", None)
    return plain.sql()


def _queries(source: str) -> Iterator[tuple[int, str]]:
    """The SQL in a Python module's strings that divides, sums or averages.

    What is put into an f-string is any name.
    """
    tree = ast.parse(source)
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in joined for part in node.values}
    texts = [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts
    ]
    for node in joined:
        told = (p.value if isinstance(p, ast.Constant) else "x" for p in node.values)
        texts.append((node.lineno, "".join(map(str, told))))
    for line, text in texts:
        if _STARTS.match(text) and _COMPUTES.search(text):
            yield line, text


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every model, rendered without the contract's own divisions."""
    macros = tmp_path_factory.mktemp("project") / "macros"
    shutil.copytree(PROJECT / "macros", macros)
    (macros / "kpi.sql").write_text(_STUB)
    found = {}
    for path in sorted((PROJECT / "models").rglob("*.sql")):
        config = FluffConfig.from_path(str(path))
        config.set_value(["templater", "jinja", "load_macros_from_path"], str(macros))
        rendered = Linter(config=config).render_string(
            path.read_text(), fname=str(path), config=config, encoding="utf-8"
        )
        assert rendered.templated_variants, f"{path}: {rendered.templater_violations}"
        found[path.stem] = str(rendered.templated_variants[0])
    return found


def test_no_model_computes_a_kpi_by_itself(sql: dict[str, str]) -> None:
    models = Models(sql)
    wrong = {name: models.violations(name) for name in sql}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_no_query_of_a_python_module_computes_a_kpi_by_itself(sql: dict[str, str]) -> None:
    models, wrong = Models(sql), []
    for path in sorted(PACKAGE.rglob("*.py")):
        for line, text in _queries(path.read_text(encoding="utf-8")):
            try:
                found = models.violations(text)
            except SqlglotError:
                # a piece of a query; one that divides has to be whole to be judged
                found = ["not to be read"] if "/" in text or "avg" in text else []
            wrong += [f"{path.relative_to(PACKAGE)}:{line}: {one}" for one in found]
    assert wrong == []


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("select clicks / impressions as c from marketing_clean", "clicks / impressions"),
        ("select 1000 * mark_spent / nullif(impressions, 0) from x", "mark_spent / impressions"),
        ("select sum(c.revenue) / sum(c.spend) as r from lake as c", "revenue / mark_spent"),
        # the contract's own words, written again
        (
            "select cast(clicks as double) / nullif(cast(impressions as double), 0) as ctr from x",
            "clicks / impressions",
        ),
        # by other names, through a CTE and a union
        (
            """
            with a as (select sum(clicks) as c, sum(impressions) as i from kpi_daily),
            b as (select * from a union all select 1 as c, 2 as i)
            select c / i as z from b
            """,
            "clicks / impressions",
        ),
        ("select (revenue - mark_spent) / mark_spent from x", "mark_spent+revenue / mark_spent"),
        (
            "select sum(revenue) over (order by d) / sum(mark_spent) over (order by d) from x",
            "revenue / mark_spent",
        ),
        ("select avg(roas) from marketing_kpi", "avg of roas"),
        ("select sum(ctr) / count(*) from marketing_kpi", "sum of ctr"),
        ("with k as (select roas as x from kpi_daily) select avg(x) as y from k", "avg of roas"),
        # rows that are counted are a metric as well
        (
            "select avg(case when s.is_engaged then 1 else 0 end) as r from fct_sessions as s",
            "engaged_sessions / sessions",
        ),
        (
            "with p as (select * from fct_purchases) select sum(revenue) / count(*) as v from p",
            "purchase_revenue+revenue / purchases",
        ),
        (
            """
            with s as (select session_date as d, count(*) as n from fct_sessions group by 1),
            p as (select purchase_date as d, count(*) as n from fct_purchases group by 1)
            select p.n / s.n as rate from s inner join p on s.d = p.d
            """,
            "purchases / sessions",
        ),
        # these are no KPIs
        ("select revenue / sum(revenue) over () as share from marketing_clean", ""),
        ("select avg(mark_spent) as spend_a_day from kpi_daily", ""),
        ("select sum(mark_spent) / count(distinct date) as spend_a_day from kpi_daily", ""),
        ("select event_timestamp / 1000000 as seconds from stg_events", ""),
        ("select max(roas) as best from kpi_daily where clicks > impressions / 2", ""),
    ],
)
def test_it_finds_what_it_is_for(sql: dict[str, str], query: str, what: str) -> None:
    found = Models(sql).violations(query)
    assert found == ([what] if what else [])


def test_a_query_in_python_is_found() -> None:
    source = 'x = f"select sum(revenue) / sum({column}) from marts.{table}"\ny = "select 1 as one"'
    assert list(_queries(source)) == [(1, "select sum(revenue) / sum(x) from marts.x")]
