"""No Python module computes a KPI by its own formula, or averages one.

A walk over every module's syntax tree follows base metrics (spend, clicks ...) through variables,
frames, sums and the module's own functions, and finds where one is divided by another.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import mkt_assets
from mkt_assets.marts.metrics import metrics

PACKAGE = Path(mkt_assets.__file__).parent
#: the room that may divide
CONTRACT = "marts/metrics.py"

Terms = frozenset[str]
NOTHING: Terms = frozenset()

#: other words for a base metric
SYNONYMS = {"spend": "mark_spent", "spent": "mark_spent", "orders": "conversions"}
BASE = {name: name for name, metric in metrics().items() if metric.kind == "simple"} | SYNONYMS
KPIS = {name for name, metric in metrics().items() if metric.kind != "simple"}

#: a call of these is still about what it is called on or with
TRANSPARENT = {
    "float", "int", "abs", "sum", "min", "max", "round", "Decimal", "Series", "to_numeric",
    "asarray", "array", "nansum", "maximum", "minimum", "where", "nan_to_num", "cumsum", "clip",
}  # fmt: skip
#: attributes that are about the shape of a column, not its values
SHAPES = {"shape", "size", "index", "columns", "dtype", "dtypes", "ndim"}
DIVIDING = {"divide", "true_divide", "floor_divide", "truediv", "floordiv", "div"}
AVERAGING = {"mean", "nanmean", "fmean", "average"}
AGGREGATING = {"agg", "aggregate", "transform", "apply"}


@dataclass
class Function:
    """What calling a function of the module amounts to, in terms of its own parameters."""

    parameters: list[str]
    returns: Terms = NOTHING
    divides: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class Scope(ast.NodeVisitor):
    """One function's body, or the module's: what its names stand for, and what is wrong in it."""

    name: str
    functions: dict[str, Function]
    known: dict[str, Terms] = field(default_factory=dict)
    returns: Terms = NOTHING
    divides: set[tuple[str, str]] = field(default_factory=set)
    wrong: list[tuple[str, int, str]] = field(default_factory=list)

    # what an expression stands for

    def terms(self, node: ast.AST | None) -> Terms:  # noqa: PLR0911  one line a kind of node
        """The base metrics, KPIs and parameters (as ``:name``) that the value is made of."""
        match node:
            case ast.Name(name):
                return _named(name) or self.known.get(name, NOTHING)
            case ast.Attribute(value, attr):
                return _named(attr) or (NOTHING if attr in SHAPES else self.terms(value))
            case ast.Subscript(value, index):
                return _texts(index) or self.terms(value)
            case ast.BinOp(left, op, right):
                return self._operation(left, op, right)
            case ast.IfExp(_, body, orelse):
                return self.terms(body) | self.terms(orelse)
            case ast.Call():
                return self._called(node)
            case ast.UnaryOp(_, value) | ast.NamedExpr(_, value) | ast.Starred(value):
                return self.terms(value)
            case ast.GeneratorExp(elt) | ast.ListComp(elt):
                return self.terms(elt)
            case ast.Tuple(parts) | ast.List(parts):
                return self._all(parts)
        return NOTHING

    def _all(self, nodes: Iterable[ast.AST]) -> Terms:
        return frozenset().union(*(self.terms(node) for node in nodes))

    def _operation(self, left: ast.expr, op: ast.operator, right: ast.expr) -> Terms:
        top, bottom = self.terms(left), self.terms(right)
        if isinstance(op, (ast.Div, ast.FloorDiv)):
            # what is divided by a metric is no sum any more
            return NOTHING if bottom else top
        return top | bottom

    def _called(self, call: ast.Call) -> Terms:
        name = _callee(call)
        if isinstance(call.func, ast.Name) and name in self.functions:
            given = self._given(call)
            parts = self.functions[name].returns
            return frozenset().union(
                *(given.get(p[1:], NOTHING) if p.startswith(":") else {p} for p in parts)
            )
        on = self.terms(call.func.value) if isinstance(call.func, ast.Attribute) else NOTHING
        return on | self._all(call.args) if name in TRANSPARENT else on

    def _given(self, call: ast.Call) -> dict[str, Terms]:
        function = self.functions[_callee(call)]
        given = dict(zip(function.parameters, map(self.terms, call.args), strict=False))
        return given | {k.arg: self.terms(k.value) for k in call.keywords if k.arg}

    # what a statement does

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._bind(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._bind(node.target, node.value)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._bind(node.target, node.value)
        self.generic_visit(node)

    def _bind(self, target: ast.expr, value: ast.expr | None) -> None:
        if isinstance(target, ast.Name):
            self.known[target.id] = self.known.get(target.id, NOTHING) | self.terms(value)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, its in zip(target.elts, value.elts, strict=False):
                self._bind(one, its)

    def visit_Return(self, node: ast.Return) -> None:
        self.returns |= self.terms(node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.op, ast.Div):
            self._divided(node, self.terms(node.target), self.terms(node.value))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, (ast.Div, ast.FloorDiv)):
            self._divided(node, self.terms(node.left), self.terms(node.right))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = _callee(node)
        if name in DIVIDING | {f"r{d}" for d in DIVIDING}:
            parts = [self.terms(part) for part in _operands(node)]
            if len(parts) > 1:
                self._divided(node, *(parts[1::-1] if name.startswith("r") else parts[:2]))
        elif isinstance(node.func, ast.Name) and name in self.functions:
            given = self._given(node)
            for top, bottom in self.functions[name].divides:
                self._divided(node, given.get(top, NOTHING), given.get(bottom, NOTHING))
        self._averaged(node, name)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """A scope of its own, which :func:`violations` walks."""

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def _divided(self, node: ast.AST, top: Terms, bottom: Terms) -> None:
        for above in top - KPIS:
            for below in bottom - KPIS - {above}:
                if above.startswith(":") and below.startswith(":"):
                    self.divides.add((above[1:], below[1:]))
                elif not (above + below).count(":"):
                    self.wrong.append((self.name, node.lineno, f"{above} / {below}"))

    def _averaged(self, call: ast.Call, name: str) -> None:
        inputs = NOTHING
        if name in AVERAGING:
            inputs = self._all(_operands(call))
        elif name in AGGREGATING and AVERAGING & set(_strings(call)):
            inputs = self.terms(call.func.value) | frozenset(_strings(call))
        elif name == "pivot_table":
            how = {
                k.value.value
                for k in call.keywords
                if isinstance(k.value, ast.Constant) and k.arg == "aggfunc"
            }
            # the mean, unless something else is asked for
            inputs = NOTHING if how and not how & AVERAGING else frozenset(_strings(call))
        for kpi in sorted(inputs & KPIS):
            self.wrong.append((self.name, call.lineno, f"the mean of {kpi}"))


def _named(name: str) -> Terms:
    return frozenset({BASE.get(name, name)}) if name in BASE or name in KPIS else NOTHING


def _strings(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.keyword) and part.arg:
            yield part.arg


def _texts(index: ast.expr) -> Terms:
    return frozenset().union(*map(_named, _strings(index)))


def _callee(call: ast.Call) -> str:
    match call.func:
        case ast.Name(name) | ast.Attribute(_, name):
            return name
    return ""


def _operands(call: ast.Call) -> list[ast.expr]:
    """Of a function its arguments, of a method what it is called on before them."""
    match call.func:
        case ast.Attribute(ast.Name("np" | "numpy" | "operator" | "statistics" | "math")):
            return list(call.args)
        case ast.Attribute(value):
            return [value, *call.args]
    return list(call.args)


def _evaluated(tree: ast.AST) -> Iterator[ast.stmt]:
    """The formulas that pandas is given as text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _callee(node) == "eval" and node.args:
            for text in _strings(node.args[0]):
                yield from ast.parse(text).body


def violations(source: str) -> list[tuple[str, int, str]]:
    """(function, line, what) for each KPI that the module makes by itself."""
    tree = ast.parse(source)
    defined = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    functions = {n.name: Function([a.arg for a in _arguments(n.args)]) for n in defined}
    bodies: list[tuple[str, Sequence[ast.stmt]]] = [("<module>", tree.body)]
    bodies += [(n.name, n.body) for n in defined] + [("eval", list(_evaluated(tree)))]
    wrong: set[tuple[str, int, str]] = set()
    # until what functions do to their parameters has passed through those that call them
    for _ in range(3):
        wrong.clear()
        for name, body in bodies:
            function = functions.get(name)
            known = {p: frozenset({f":{p}"}) for p in function.parameters} if function else {}
            scope = Scope(name, functions, known)
            for statement in body:
                scope.visit(statement)
            wrong |= set(scope.wrong)
            if function:
                function.returns, function.divides = scope.returns, scope.divides
    return sorted(wrong, key=lambda found: (found[1], found[2]))


def _arguments(given: ast.arguments) -> list[ast.arg]:
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]


def test_no_module_computes_a_kpi_by_itself() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {function} makes {what}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).as_posix() != CONTRACT
        for function, line, what in violations(path.read_text(encoding="utf-8"))
    ]
    assert found == [], "use kpi_value or add_kpis of mkt_assets.marts.metrics"


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("ctr = clicks / impressions", "clicks / impressions"),
        ("x = frame['revenue'].sum() / frame['mark_spent'].sum()", "revenue / mark_spent"),
        ("x = 1000 * row.spend / row.impressions", "mark_spent / impressions"),
        ("x = (revenue - spend) / spend", "revenue / mark_spent"),
        ("x = np.divide(grid.clicks, grid.impressions, where=ok)", "clicks / impressions"),
        ("x = frame.clicks.div(frame['impressions'])", "clicks / impressions"),
        ("x = frame.impressions.rdiv(frame['clicks'])", "clicks / impressions"),
        ("spend /= clicks", "mark_spent / clicks"),
        ("x = frame.eval('revenue / spend')", "revenue / mark_spent"),
        # a smoothed rate is the same formula
        ("x = np.log((sums['clicks'] + 0.5) / (sums['impressions'] + 1))", "clicks / impressions"),
        # by other names
        ("a = sums['orders']\nb = np.maximum(a, 1)\nx = spend / b", "mark_spent / conversions"),
        ("a, b = t.revenue, float(t.spend.sum())\nx = a / b", "revenue / mark_spent"),
        ("x = sum(r.revenue for r in rows) / sum(r.spend for r in rows)", "revenue / mark_spent"),
        # through functions of the module
        ("def rate(a, b):\n    return a.sum() / b.sum()\nx = rate(t.clicks, t.impressions)",
         "clicks / impressions"),
        ("def rate(a, b):\n    return a / b\ndef f(c, d): rate(d, c)\nf(c=t.spend, d=t.revenue)",
         "revenue / mark_spent"),
        ("def during(v):\n    return v[1:].sum()\nx = during(t.spend) / during(t.clicks)",
         "mark_spent / clicks"),
        ("class A:\n    def f(self):\n        return self.spend / self.clicks",
         "mark_spent / clicks"),
        # a mean of ratios
        ("x = frame['roas'].mean()", "the mean of roas"),
        ("x = np.mean(frame.ctr)", "the mean of ctr"),
        ("x = np.average(row.cpa, weights=w)", "the mean of cpa"),
        ("x = frame.ctr.rolling(7).mean()", "the mean of ctr"),
        ("x = frame.groupby('channel')['ctr'].agg('mean')", "the mean of ctr"),
        ("x = frame.groupby('channel').agg({'ctr': 'mean'})", "the mean of ctr"),
        ("x = frame.groupby('channel').agg(level=('roas', 'mean'))", "the mean of roas"),
        ("x = frame.pivot_table('roas', index='week')", "the mean of roas"),
        # these are no KPIs
        ("x = spend / days", ""),
        ("x = revenue / revenue.sum()", ""),
        ("x = spend.sum() / len(clicks)", ""),
        ("x = spend.sum() / clicks.shape[0]", ""),
        ("x = spend / curves.level(clicks)", ""),
        ("x = frame['spend'].mean()", ""),
        ("x = folder / 'clicks' / 'impressions'", ""),
        ("x = add_kpis(sums)['roas'].max()", ""),
        ("x = frame.pivot_table('roas', index='week', aggfunc='first')", ""),
        ("x = 'clicks / impressions'", ""),
    ],
)  # fmt: skip
def test_it_finds_what_it_is_for(source: str, what: str) -> None:
    assert [found for _, _, found in violations(source)] == ([what] if what else [])
