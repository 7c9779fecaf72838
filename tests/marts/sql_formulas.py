"""What queries divide and average: by which metric, or by what nobody can tell.

Each query is read by sqlglot. Columns are followed through CTEs and from model to model: another
name hides nothing. As in `python_formulas`, what is certain is a KPI made by hand; what is not is
a division, a power or an average that a person has to explain.

Out of reach: a ratio that is searched for instead of divided (a join on products), and what a
model does under other names once one of its divisions is explained.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import sqlglot
import yaml
from metric_words import KPIS, NOTHING, Terms, named
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from mkt_assets.marts.metrics import metrics
from mkt_assets.project import dbt_project_dir

_LAYER = yaml.safe_load((dbt_project_dir() / "models/metrics/_metrics.yml").read_text())

Found = tuple[str, bool]

AVERAGES = (exp.Avg, exp.Median, exp.PercentileCont, exp.PercentileDisc, exp.Quantile)
#: DuckDB's other words for an average, for a division, and for what undoes a logarithm
NAMED_AVERAGES = {
    "mean", "favg", "geomean", "geometric_mean", "quantile", "list_avg", "list_median",
    "approx_quantile", "reservoir_quantile", "mad",
}  # fmt: skip
NAMED_RATIOS = {"divide", "fdiv", "pow", "regr_slope", "regr_avgx", "regr_avgy", "corr"}
RATIOS = (exp.Exp, exp.Ln, exp.Log, exp.RegrSlope, exp.RegrAvgx, exp.RegrAvgy, exp.Corr)


def parsed(sql: str) -> exp.Expression:
    """The tree of one statement of DuckDB."""
    return sqlglot.parse_one(sql, dialect="duckdb")


#: model -> what one of its rows counts as, and an expression's text -> the measure that it is
COUNTED: dict[str, str] = {}
EXPRESSIONS: dict[str, str] = {}
#: model -> column -> the measure that it is under another name
MEASURED: dict[str, dict[str, Terms]] = {}
for _model in _LAYER["semantic_models"]:
    _name = _model["model"].split("'")[1]
    for _measure in _model["measures"]:
        _text = _measure.get("expr", _measure["name"])
        if _text == "1":
            COUNTED[_name] = _measure["name"]
        elif _text.isidentifier():
            MEASURED.setdefault(_name, {})[_text] = frozenset({_measure["name"]})
        else:
            EXPRESSIONS[parsed(_text).sql()] = _measure["name"]
for _metric in metrics().values():
    if _metric.summed:
        _text = f"case when {_metric.known} is not null then {_metric.summed} end"
        EXPRESSIONS[parsed(_text).sql()] = _metric.name


class Models:
    """SQL by model, and what each column of each model stands for."""

    def __init__(self, sql: Mapping[str, str]) -> None:
        self.roots = {name: build_scope(parsed(text)) for name, text in sql.items()}
        # the scopes themselves, which lives as long as what is known of them
        self._outputs: dict[Scope, dict[str, Terms]] = {}

    def violations(self, query: str) -> list[Found]:
        """What ``query``, a model's name or SQL that reads models, works out; and is it certain."""
        if query in self.roots:
            roots = [self.roots[query]]
        else:
            roots = [build_scope(part) for part in _queries_of(query)]
        scopes = [scope for root in roots if root for scope in root.traverse()]
        return sorted({found for scope in scopes for found in self._wrong(scope)})

    def _wrong(self, scope: Scope) -> Iterator[Found]:
        for node in scope.find_all(exp.Div, exp.IntDiv, exp.Pow, exp.Func):
            match node:
                case exp.Div() | exp.IntDiv():
                    yield from self._divided(node, scope)
                case exp.Pow():
                    exponent = node.expression
                    if not (_is_plain(node.this) or isinstance(exponent, exp.Literal)):
                        yield _doubt(node)
                case exp.Sum():
                    yield from (
                        (f"sum of {kpi}", True) for kpi in self.terms(node.this, scope) & KPIS
                    )
                case _ if isinstance(node, AVERAGES) or _named(node) in NAMED_AVERAGES:
                    yield from self._averaged(node, scope)
                case _ if isinstance(node, RATIOS) or _named(node) in NAMED_RATIOS:
                    yield _doubt(node)

    def _divided(self, node: exp.Binary, scope: Scope) -> Iterator[Found]:
        inside, below = self.terms(node.this, scope), self.terms(node.expression, scope)
        top, bottom = inside - KPIS, below - KPIS
        if top and bottom and top != bottom:
            yield _ratio(top, bottom), True
            return
        # a part of one metric is a share of it, and no KPI
        is_share = inside == below == top == bottom and len(top) == 1
        if not (is_share or _is_plain(node.expression) or _is_days(node.expression)):
            yield _doubt(node)

    def _averaged(self, node: exp.Expression, scope: Scope) -> Iterator[Found]:
        inside = frozenset().union(*(self.terms(p, scope) for p in node.iter_expressions()))
        top, bottom = inside - KPIS, self._counted(scope)
        yield from ((f"{_named(node)} of {kpi}", True) for kpi in inside & KPIS)
        if top and bottom and top != bottom and isinstance(node, exp.Avg):
            yield _ratio(top, bottom), True
        elif not inside:
            yield _doubt(node)

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
                return NOTHING if isinstance(node.this, exp.Distinct) else self._counted(scope)
            case exp.Div() | exp.IntDiv():
                below = self.terms(node.expression, scope)
                return NOTHING if below else self.terms(node.this, scope)
            case exp.Predicate() | exp.Subquery():
                return NOTHING
            case exp.Window():
                return self.terms(node.this, scope)
            case exp.Filter():
                # rows that are picked by a metric are no longer just rows
                picked = (self.terms(c, scope) for c in node.expression.find_all(exp.Column))
                return self.terms(node.this, scope).union(*picked)
        return frozenset().union(*(self.terms(part, scope) for part in node.iter_expressions()))

    def _column(self, column: exp.Column, scope: Scope) -> Terms:
        name, sources = column.name, scope.sources
        read = [sources[column.table]] if column.table in sources else sources.values()
        return named(name).union(*(self._of(source).get(name, NOTHING) for source in read))

    def _of(self, source: Scope | exp.Expression) -> dict[str, Terms]:
        """What the columns of a table, a CTE or a subquery stand for."""
        if isinstance(source, Scope):
            return self._columns(source)
        if not isinstance(source, exp.Table) or self.roots.get(source.name) is None:
            return {}
        return self._columns(self.roots[source.name]) | MEASURED.get(source.name, {})

    def _columns(self, scope: Scope) -> dict[str, Terms]:
        if scope not in self._outputs:
            found = self._outputs[scope] = {}  # a recursive query meets itself
            names: list[str] = []
            for part in scope.set_operation_scopes or [scope]:
                selected = list(self._selected(part))
                names = names or [name for name, _ in selected]
                for at, (name, terms) in enumerate(selected):
                    # a union goes by place and takes the names of its first part
                    own = names[at] if at < len(names) else name
                    found[own] = found.get(own, NOTHING) | terms
        return self._outputs[scope]

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


def _ratio(top: Terms, bottom: Terms) -> str:
    return f"{'+'.join(sorted(top))} / {'+'.join(sorted(bottom))}"


def _doubt(node: exp.Expression) -> Found:
    return node.sql("duckdb", comments=False), False


def _named(node: exp.Expression) -> str:
    name = node.name if isinstance(node, exp.Anonymous) else node.key
    return name.lower()


def _is_plain(node: exp.Expression) -> bool:
    """Whether the value is made of literals only."""
    return not any(node.find_all(exp.Column, exp.Query, exp.AggFunc, exp.Anonymous, exp.Star))


def _is_days(node: exp.Expression) -> bool:
    """Whether days are counted: an amount a day is no KPI."""
    counted = node.this if isinstance(node, exp.Count) else None
    columns = list(counted.find_all(exp.Column)) if isinstance(counted, exp.Distinct) else []
    return bool(columns) and all(re.fullmatch(r"(\w+_)?date", column.name) for column in columns)


def _bare(node: exp.Expression) -> str:
    """The text without the tables' names."""
    if not isinstance(node, exp.Case):
        return ""
    plain = node.copy()
    for column in plain.find_all(exp.Column):
        column.set("table", None)
    return plain.sql()


def _queries_of(text: str) -> Iterator[exp.Expression]:
    """The queries inside the statements, and in a query what stands outside of any."""
    for statement in sqlglot.parse(text, dialect="duckdb"):
        if statement is None:
            continue
        outermost = [q for q in statement.find_all(exp.Query) if not q.find_ancestor(exp.Query)]
        for query in outermost:
            yield query.unnest()
            if query.parent:
                query.replace(exp.Null())
        if not isinstance(statement, exp.Query):
            # an update, a macro, or an expression that some query is built of
            values = [p for p in statement.find_all(exp.Binary, exp.Func) if not _is_within(p)]
            yield exp.select(*(value.copy() for value in values))


def _is_within(node: exp.Expression) -> bool:
    return node.find_ancestor(exp.Binary, exp.Func) is not None
