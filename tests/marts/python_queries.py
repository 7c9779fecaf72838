"""The SQL in Python modules' strings, and what it divides and averages.

Out of reach: SQL that is put together at run time; a piece of it that divides is judged alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from sql_formulas import Found, Models
from sqlglot.errors import SqlglotError

_STARTS = re.compile(
    r"(\s|\(|--.*\n|/\*.*?\*/)*(select|with|from|create|copy|insert|update|merge|pivot|explain)\b",
    re.IGNORECASE | re.DOTALL,
)
_DIVIDES = re.compile(
    r"/|\*\*|\^|\b(f?avg|(geo)?mean|(list_)?(avg|median)|pow(er)?|exp|corr|mad|f?div(ide)?)\b|"
    r"\b(list_aggr|approx_|regr_|reservoir_|quantile)",
    re.IGNORECASE,
)
_SUMS = re.compile(r"\bsum\b", re.IGNORECASE)
#: a piece of a query: something is done to what an aggregate gives
_PIECE = re.compile(r"\b(sum|avg|mean|median|min|max|count|any_value)\s*\(", re.IGNORECASE)


def queries(source: str) -> Iterator[tuple[str, int, str]]:
    """(function, line, text) of the SQL in a module's strings that divides, sums or averages.

    What is put into an f-string, or added to a string, is any name.
    """
    tree = ast.parse(source)
    for function, node in _strings(tree, "<module>"):
        text = _told(node)
        does_divide = bool(_DIVIDES.search(text))
        if _STARTS.match(text):
            is_asked = does_divide or bool(_SUMS.search(text))
        else:
            is_asked = does_divide and bool(_PIECE.search(text))
        if is_asked:
            yield function, node.lineno, text


def _strings(node: ast.AST, function: str) -> Iterator[tuple[str, ast.expr]]:
    """The outermost strings of each function; what a docstring says is nobody's query."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Expr(ast.Constant()):
                continue
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _strings(child, child.name)
            case ast.Constant(str()) | ast.JoinedStr():
                yield function, child
            case ast.BinOp(_, ast.Add(), _) if _is_text(child):
                yield function, child
            case _:
                yield from _strings(child, function)


def _is_text(node: ast.AST) -> bool:
    match node:
        case ast.Constant(str()) | ast.JoinedStr():
            return True
        case ast.BinOp(left, ast.Add(), right):
            return _is_text(left) or _is_text(right)
    return False


def _told(node: ast.AST) -> str:
    match node:
        case ast.Constant(str() as text):
            return text
        case ast.JoinedStr(parts):
            return "".join(map(_told, parts))
        case ast.BinOp(left, ast.Add(), right):
            return _told(left) + _told(right)
    return "x"


def query_findings(models: Models, source: str) -> Iterator[tuple[str, int, str, bool]]:
    """(function, line, what, is it certain) of a module's queries."""
    for function, line, text in queries(source):
        try:
            found: Iterable[Found] = models.violations(text)
        except SqlglotError:
            # one that divides has to be whole to be judged
            found = [("SQL that cannot be read", False)] if _DIVIDES.search(text) else []
        yield from ((function, line, what, sure) for what, sure in found)
