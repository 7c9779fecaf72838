"""What an expression of a Python module stands for: metrics, something else, or nobody knows."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from metric_words import NOTHING, Terms, named

from mkt_assets.lake import Lake

#: a call of these is still about what it is called on or with
TRANSPARENT = {
    "float", "int", "abs", "sum", "min", "max", "round", "Decimal", "Series", "to_numeric",
    "asarray", "array", "nansum", "maximum", "minimum", "where", "nan_to_num", "cumsum", "clip",
}  # fmt: skip
#: a call that names what it takes by text
PICKING = {"get", "pop", "getattr", "itemgetter", "attrgetter"}
#: how many there are, which is no metric, and over which a sum is a mean
COUNTS = {"len", "count", "nunique"}
SHAPES = {"shape", "size", "index", "columns", "dtype", "dtypes", "ndim", "days"}
#: of plain numbers these give plain numbers
ARITHMETIC = TRANSPARENT | {
    "sqrt",
    "log",
    "exp",
    "range",
    "arange",
    "ones",
    "zeros",
    "eye",
    "timedelta",
}
LOGS = {"log", "log10", "log2", "log1p"}
LIBRARIES = {"np", "numpy", "operator", "statistics", "math", "fractions"}
#: a folder or a file, to which "/" joins another
PLACES = {name for name, kind in vars(Lake).items() if isinstance(kind, property)} | {"parent"}


@dataclass
class Function:
    """What calling a function amounts to, in terms of its own parameters."""

    parameters: list[str]
    returns: Terms = NOTHING
    divides: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class Values:
    """The names that a function's body, or a module's, knows."""

    functions: Mapping[str, Function]
    #: what they stand for
    known: dict[str, Terms] = field(default_factory=dict)
    #: which of them are constants or counts, and which are paths
    plain: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    #: the functions that were asked about
    called: set[int] = field(default_factory=set)
    #: of names that are made of logarithms: what these are of, and which are taken from which
    logs: dict[str, tuple[Terms, frozenset[tuple[Terms, Terms]]]] = field(default_factory=dict)

    def terms(self, node: ast.AST | None) -> Terms:  # noqa: PLR0911  one line a kind of node
        """The base metrics, KPIs and parameters (as ``:name``) that the value is made of."""
        match node:
            case ast.Name(name):
                return named(name) or self.known.get(name, NOTHING)
            case ast.Attribute(value, attr):
                return named(attr) or (NOTHING if attr in SHAPES else self.terms(value))
            case ast.Subscript(value, index):
                return all_named(index) or self.terms(value)
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
        name, function = callee(call), self.function(call)
        if function:
            given = self.given(function, call)
            return frozenset().union(
                *(given.get(p[1:], NOTHING) if p.startswith(":") else {p} for p in function.returns)
            )
        if name in COUNTS:
            return NOTHING
        on = self.terms(call.func.value) if isinstance(call.func, ast.Attribute) else NOTHING
        if name in PICKING:
            return all_named(call) or on
        return on | self._all(call.args) if name in TRANSPARENT else on

    def function(self, call: ast.Call) -> Function | None:
        """What is called, where it is one of the package's."""
        match call.func:
            case ast.Name(name):
                found = self.functions.get(name)
            case ast.Attribute(ast.Name(module), name):
                found = self.functions.get(f"{module}.{name}")
            case _:
                found = None
        if found:
            self.called.add(id(found))
        return found

    def given(self, function: Function, call: ast.Call) -> dict[str, Terms]:
        """What the parameters of the function stand for in this call."""
        given = dict(zip(function.parameters, map(self.terms, call.args), strict=False))
        return given | {k.arg: self.terms(k.value) for k in call.keywords if k.arg}

    def differences(self, node: ast.expr) -> Iterator[tuple[Terms, Terms]]:
        """What the logarithms are of that are taken from each other, as (top, bottom)."""
        for part in ast.walk(node):
            match part:
                case ast.BinOp(left, ast.Sub(), right):
                    yield self.logged(left), self.logged(right)
                case ast.Call(_, [left, right]) if callee(part) == "subtract":
                    yield self.logged(left), self.logged(right)
                case ast.Name(name) if name in self.logs:
                    yield from self.logs[name][1]

    def logged(self, node: ast.expr) -> Terms:
        """What the logarithms in an expression are of."""
        found = NOTHING
        for part in ast.walk(node):
            match part:
                case ast.Call(_, [first, *_]) if callee(part) in LOGS:
                    found |= self.terms(first)
                case ast.Name(name) if name in self.logs:
                    found |= self.logs[name][0]
        return found

    def is_plain(self, node: ast.AST) -> bool:  # noqa: PLR0911  one line a kind of node
        """Whether the value is a constant or a count, and so no metric."""
        match node:
            case ast.Constant() | ast.Compare():
                return True
            case ast.Name(name):
                return name in self.plain or (name.isupper() and len(name) > 1)
            case ast.Attribute(_, attr):
                return attr in SHAPES or (attr.isupper() and len(attr) > 1)
            case ast.Subscript(value) | ast.UnaryOp(_, value):
                return self.is_plain(value)
            case ast.BinOp(left, _, right) | ast.IfExp(_, left, right):
                return self.is_plain(left) and self.is_plain(right)
            case ast.Call():
                parts = operands(node)
                is_number = callee(node) in ARITHMETIC and bool(parts)
                return callee(node) in COUNTS or (is_number and all(map(self.is_plain, parts)))
        return False

    def is_count(self, node: ast.AST) -> bool:
        """Whether the value is a plain one that may depend on how many rows there are."""
        calls = {callee(part) for part in ast.walk(node) if isinstance(part, ast.Call)}
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        attributes = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
        counts = (calls & COUNTS) | (attributes & SHAPES) | (names & self.plain)
        return bool(counts) and self.is_plain(node)

    def is_path(self, node: ast.AST) -> bool:
        """Whether the value is text, or a path."""
        match node:
            case ast.JoinedStr() | ast.Constant(str()):
                return True
            case ast.Name(name):
                return name in self.paths
            case ast.Attribute(_, attr):
                return attr in PLACES
            case ast.BinOp(left, ast.Div(), right):
                return self.is_path(left) or self.is_path(right)
            case ast.Call():
                return callee(node) in {"Path", "dbt_project_dir"}
        return False


def bound(body: Sequence[ast.stmt]) -> dict[str, list[ast.expr]]:
    """What each name is bound to; in a loop or an unpacking, what is looped over or unpacked."""
    found: dict[str, list[ast.expr]] = {}
    for node in (part for statement in body for part in ast.walk(statement)):
        match node:
            case ast.Assign(targets, value):
                pairs = [(target, value) for target in targets]
            case ast.AnnAssign(target, _, ast.expr() as value) | ast.NamedExpr(target, value):
                pairs = [(target, value)]
            case ast.AugAssign(target, _, value) | ast.For(target, value):
                pairs = [(target, value)]
            case ast.comprehension(target, value) | ast.withitem(value, ast.expr() as target):
                pairs = [(target, value)]
            case _:
                pairs = []
        for target, value in pairs:
            for name in (part.id for part in ast.walk(target) if isinstance(part, ast.Name)):
                found.setdefault(name, []).append(value)
    return found


def texts(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.keyword) and part.arg:
            yield part.arg


def all_named(node: ast.AST) -> Terms:
    return frozenset().union(*map(named, texts(node)))


def callee(call: ast.Call) -> str:
    match call.func:
        case ast.Name(name) | ast.Attribute(_, name):
            return name
    return ""


def operands(call: ast.Call) -> list[ast.expr]:
    """Of a function its arguments, of a method what it is called on before them."""
    given = [*call.args, *(k.value for k in call.keywords if k.arg in {"other", "x1", "x2", "a"})]
    match call.func:
        case ast.Attribute(ast.Name(name)) if name in LIBRARIES:
            return given
        case ast.Attribute(value):
            return [value, *given]
    return given
