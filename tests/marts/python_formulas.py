"""What Python modules divide and average: by which metric, or by what nobody can tell.

Base metrics (spend, clicks ...) are followed through variables, frames, sums and functions, also
from module to module. What is *certain* is a KPI made by hand. What is not certain is a division, a
power or an average whose parts may be metrics by another name; a person has to say what it is, in
`explained_divisions.yml`.

Out of reach: what a function does under other names once one of its divisions is explained; a
ratio without a division (the exponential of a difference of logarithms of what nobody can tell, the
slope of a regression, a search for the factor); a sum of products with weights; code that is put
together at run time; what a library divides by itself.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from metric_words import KPIS, NOTHING, Terms
from python_terms import (
    LIBRARIES,
    Function,
    Values,
    all_named,
    bound,
    callee,
    operands,
    texts,
)

#: functions and methods that divide their first operand by the second
DIVIDING = {
    "divide", "true_divide", "floor_divide", "truediv", "floordiv", "div", "__truediv__",
    "__floordiv__", "divmod", "Fraction",
}  # fmt: skip
#: and the second by the first
REVERSED = {"rdiv", "rtruediv", "rfloordiv", "__rtruediv__"}
POWERS = {"power", "float_power", "pow", "__pow__"}
#: a median or a quantile of ratios is no more the ratio of sums than their mean is
AVERAGING = {
    "mean", "nanmean", "fmean", "average", "median", "nanmedian", "describe", "quantile",
    "percentile", "nanquantile", "nanpercentile", "convolve", "avg",
}  # fmt: skip
#: sums of products: of a KPI with anything but an amount they weigh it
PRODUCTS = {"dot", "vdot", "inner", "matmul"}
EXPONENTIALS = {"exp", "exp2", "expm1"}
#: methods that are told what to work out
AGGREGATING = {"agg", "aggregate", "apply"}
#: functions that call each other until one divides
_DEEPEST = 4
SUMS = {"sum", "nansum", "fsum", "cumsum"}


@dataclass(frozen=True, order=True)
class Finding:
    """One place that makes a KPI, or could."""

    path: str
    function: str
    line: int
    what: str
    is_certain: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.function} has {self.what}"


@dataclass
class Scope(Values, ast.NodeVisitor):
    """One function's body, or the module's: what is done with what its names stand for."""

    returns: Terms = NOTHING
    divides: set[tuple[str, str]] = field(default_factory=set)
    found: set[tuple[int, str, bool]] = field(default_factory=set)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._bind(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign | ast.NamedExpr) -> None:
        self._bind(node.target, node.value)
        self.generic_visit(node)

    visit_NamedExpr = visit_AnnAssign  # noqa: N815

    def _bind(self, target: ast.expr, value: ast.expr | None) -> None:
        if isinstance(target, ast.Name):
            self.known[target.id] = self.known.get(target.id, NOTHING) | self.terms(value)
            if value and (logged := self.logged(value)):
                self.logs[target.id] = logged, frozenset(self.differences(value))
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, its in zip(target.elts, value.elts, strict=False):
                self._bind(one, its)

    def visit_Return(self, node: ast.Return) -> None:
        self.returns |= self.terms(node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.op, (ast.Div, ast.FloorDiv)):
            self._divided(node, node.target, node.value)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, (ast.Div, ast.FloorDiv)):
            self._divided(node, node.left, node.right)
        elif isinstance(node.op, ast.Pow):
            self._raised(node, node.left, node.right)
            self._unlogged(node, node.right)
        elif isinstance(node.op, ast.MatMult):
            self._weighed(node, node.left, node.right)
        elif isinstance(node.op, ast.Mult):
            self._by_inverse(node, node.left, node.right)
            self._by_inverse(node, node.right, node.left)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name, parts = callee(node), operands(node)
        if function := self.function(node):
            given = self.given(function, node)
            for top, bottom in function.divides:
                self._ratio(node, given.get(top, NOTHING), given.get(bottom, NOTHING))
        elif name == "reciprocal" and parts:
            self._divided(node, ast.Constant(1), parts[0])
        elif name in DIVIDING | REVERSED and len(parts) > 1:
            self._divided(node, *(parts[1::-1] if name in REVERSED else parts[:2]))
        elif name in POWERS and len(parts) > 1:
            self._raised(node, parts[0], parts[1])
            self._unlogged(node, parts[1])
        elif name in PRODUCTS and len(parts) > 1:
            self._weighed(node, parts[0], parts[1])
        elif name in EXPONENTIALS and parts:
            self._unlogged(node, parts[0])
        else:
            self._averaged(node, name, parts)
        self._handed_over(node)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """A scope of its own, which :func:`findings` walks."""

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    # what is wrong

    def _note(self, node: ast.AST, what: str, *, is_certain: bool = True) -> None:
        self.found.add((getattr(node, "lineno", 0), what, is_certain))

    def _doubt(self, node: ast.AST) -> None:
        self._note(node, ast.unparse(node), is_certain=False)

    def _means(self, node: ast.AST, of: Terms) -> bool:
        for kpi in sorted(of & KPIS):
            self._note(node, f"the mean of {kpi}")
        return bool(of & KPIS)

    def _ratio(self, node: ast.AST, top: Terms, bottom: Terms) -> bool:
        seen = len(self.found)
        for above in top - KPIS:
            for below in bottom - KPIS - {above}:
                if above.startswith(":") and below.startswith(":"):
                    self.divides.add((above[1:], below[1:]))
                elif not (above + below).count(":"):
                    self._note(node, f"{above} / {below}")
        return len(self.found) > seen

    def _divided(self, node: ast.AST, over: ast.expr, under: ast.expr) -> None:
        if self.is_path(node) or self.is_path(over):
            return
        top, bottom = self.terms(over), self.terms(under)
        if self._ratio(node, top, bottom):
            return
        if _is_sum(over) and not bottom and self._means(node, top):
            return
        if self.is_count(under):
            # rows that are counted may be a metric, such as purchases, and a sum over them a mean
            is_judged = self.is_plain(over)
        else:
            # a part of the same metric is a share
            is_judged = self.is_plain(under) or (_is_known(top) and top == bottom)
        if not is_judged:
            self._doubt(node)

    def _raised(self, node: ast.AST, base: ast.expr, exponent: ast.expr) -> None:
        match exponent:
            case ast.Constant(int() | float() as number) if number >= 0:
                return
            case ast.Name(name) if name.isupper():
                return
        if not self.is_plain(base):
            self._doubt(node)

    def _by_inverse(self, node: ast.BinOp, whole: ast.expr, part: ast.expr) -> None:
        """A product with the inverse of a count."""
        match part:
            case ast.BinOp(ast.Constant(), ast.Div(), under) if self.is_count(under):
                self._divided(node, whole, under)

    def _weighed(self, node: ast.expr, one: ast.expr, other: ast.expr) -> None:
        inside = self.terms(one) | self.terms(other)
        if not inside - KPIS:
            self._means(node, inside)

    def _unlogged(self, node: ast.AST, exponent: ast.expr) -> None:
        """A difference of logarithms as an exponent is a ratio."""
        for top, bottom in self.differences(exponent):
            self._ratio(node, top, bottom)

    def _averaged(self, call: ast.Call, name: str, parts: Sequence[ast.expr]) -> None:
        if name in AVERAGING and parts:
            told = frozenset().union(*map(all_named, call.args)) & KPIS
            inputs = told.union(*map(self.terms, parts))
            is_judged = _is_known(inputs) or all(map(self.is_plain, parts))
        elif name in AGGREGATING and _asked(call) & AVERAGING:
            inputs = frozenset().union(*map(self.terms, parts[:1])) | all_named(call)
            is_judged = _is_known(inputs)
        elif name in AGGREGATING:
            # a function by its name; a lambda is read like any other code
            inputs, is_judged = NOTHING, not any(isinstance(a, ast.Name) for a in call.args)
        elif name == "pivot_table" and _is_mean(call):
            inputs = all_named(call)
            is_judged = _is_known(inputs)
        else:
            return
        if not self._means(call, inputs) and not is_judged:
            self._doubt(call)

    def _handed_over(self, call: ast.Call) -> None:
        """A function that divides or averages, given to another one."""
        for part in (*call.args, *(keyword.value for keyword in call.keywords)):
            match part:
                case ast.Attribute(ast.Name(library), name) if library in LIBRARIES:
                    if name in DIVIDING or (name in AVERAGING and callee(call) not in AGGREGATING):
                        self._doubt(call)


def _is_known(terms: Terms) -> bool:
    return bool(terms) and not any(term.startswith(":") for term in terms)


def _is_sum(node: ast.expr) -> bool:
    parts = list(ast.walk(node))
    is_added = any(isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add) for part in parts)
    return is_added or any(isinstance(part, ast.Call) and callee(part) in SUMS for part in parts)


def _asked(call: ast.Call) -> set[str]:
    given = (*call.args, *(keyword.value for keyword in call.keywords))
    parts = [part for value in given for part in ast.walk(value)]
    return {part.attr for part in parts if isinstance(part, ast.Attribute)} | set(texts(call))


def _is_mean(pivot: ast.Call) -> bool:
    """The mean, unless something else is asked for."""
    how = [keyword.value for keyword in pivot.keywords if keyword.arg == "aggfunc"]
    return not how or bool({*texts(how[0])} & AVERAGING)


# the whole package


@dataclass
class Body:
    """What is walked as one: a function, a module around its functions, formulas that are text."""

    name: str
    statements: Sequence[ast.stmt]
    function: Function = field(default_factory=lambda: Function([]))
    paths: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        values = bound(self.statements)
        self.values = {n: v for n, v in values.items() if n not in self.function.parameters}


@dataclass
class Module:
    """A module's bodies, and the functions that it can call."""

    bodies: list[Body]
    functions: dict[str, Function]


def findings(
    sources: Mapping[str, str], explained: Collection[tuple[str, str]] = ()
) -> list[Finding]:
    """All that modules divide and average without telling by which metric contract.

    Args:
        sources: the modules by their paths below the package.
        explained: (path, function) whose parameters may be metrics, since what they make is no KPI.
    """
    trees = {path: ast.parse(source) for path, source in sources.items()}
    own = {path: _own(tree) for path, tree in trees.items()}
    modules = {path: _module(path, tree, own) for path, tree in trees.items()}
    bodies = [(path, body) for path, module in modules.items() for body in module.bodies]
    scopes: dict[int, Scope] = {}
    # what functions do to their parameters passes through those that call them
    changed: set[int] = set()
    for _ in range(_DEEPEST):
        before = {id(b.function): (b.function.returns, b.function.divides) for _, b in bodies}
        for path, body in bodies:
            scope = scopes.get(id(body))
            if scope is None or scope.called & changed:
                scope = scopes[id(body)] = _walked(body, modules[path].functions)
                is_told = (path, body.name) in explained
                body.function.divides = set() if is_told else scope.divides
                body.function.returns = scope.returns
        changed = {
            id(b.function)
            for _, b in bodies
            if before[id(b.function)] != (b.function.returns, b.function.divides)
        }
    found = {
        Finding(path, body.name, *one) for path, body in bodies for one in scopes[id(body)].found
    }
    return sorted(found)


def _own(tree: ast.Module) -> dict[str, Function]:
    return {n.name: Function([a.arg for a in _arguments(n.args)]) for n in _defined(tree)}


def _module(path: str, tree: ast.Module, own: Mapping[str, Mapping[str, Function]]) -> Module:
    bodies = [Body("<module>", tree.body), Body("eval", list(_evaluated(tree)))]
    bodies += [Body(n.name, n.body, own[path][n.name], _paths(n)) for n in _defined(tree)]
    return Module(bodies, {**_imported(tree, own), **own[path]})


def _defined(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]


def _imported(tree: ast.AST, own: Mapping[str, Mapping[str, Function]]) -> dict[str, Function]:
    """The package's functions that a module imports, as it calls them."""
    found: dict[str, Function] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("mkt_assets"):
            continue
        place = "/".join((node.module or "").split(".")[1:])
        for name in node.names:
            called = name.asname or name.name
            if function := own.get(f"{place}.py", {}).get(name.name):
                found[called] = function
            inner = own.get(f"{place}/{name.name}.py".lstrip("/"), {})
            found |= {f"{called}.{its}": function for its, function in inner.items()}
    return found


def _walked(body: Body, functions: Mapping[str, Function]) -> Scope:
    known = {name: frozenset({f":{name}"}) for name in body.function.parameters}
    scope = Scope(functions, known, paths=set(body.paths))
    # a name is plain where all that it is bound to is
    for _ in range(2):
        scope.plain |= {n for n, v in body.values.items() if all(map(scope.is_plain, v))}
        scope.paths |= {n for n, v in body.values.items() if all(map(scope.is_path, v))}
    for statement in body.statements:
        scope.visit(statement)
    return scope


def _evaluated(tree: ast.AST) -> Iterator[ast.stmt]:
    """The formulas that pandas is given as text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and callee(node) == "eval" and node.args:
            for text in texts(node.args[0]):
                yield from ast.parse(text).body


def _arguments(given: ast.arguments) -> list[ast.arg]:
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]


def _paths(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    told = ((a.arg, a.annotation) for a in _arguments(node.args) if a.annotation)
    return {name for name, kind in told if ast.unparse(kind).startswith("Path")}
