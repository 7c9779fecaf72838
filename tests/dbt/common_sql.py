"""The models' SQL as no engine in particular says it, and what of it only some engines know.

Each dispatched macro becomes a call of ``engine_<name>``, so what is left is what the models say
themselves; that may be no more than the shapes listed here. Out of reach: a word that all engines
know and understand differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import sqlglot
from jinja2.runtime import Context
from jinja2.utils import missing
from lint_context import env_var, var
from sqlglot import exp
from sqlglot.dialects import DuckDB
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

from mkt_assets.project import dbt_project_dir

PROJECT = dbt_project_dir()

#: what a query may be made of, as sqlglot calls it
SHAPES = {
    # queries and their clauses
    *("Select", "Union", "Subquery", "CTE", "With", "TableAlias", "Table", "From", "Join", "Where"),
    *("Group", "Having", "Order", "Ordered", "Distinct", "Star", "Alias", "Column", "Identifier"),
    # values and conditions
    *(
        "Literal",
        "Null",
        "Boolean",
        "Interval",
        "Var",
        "Cast",
        "DataType",
        "DataTypeParam",
        "Paren",
    ),
    *(
        "Case",
        "If",
        "And",
        "Or",
        "Not",
        "EQ",
        "NEQ",
        "GT",
        "GTE",
        "LT",
        "LTE",
        "Is",
        "In",
        "Between",
    ),
    *("Like", "NullSafeEQ", "NullSafeNEQ", "Add", "Sub", "Mul", "Div", "Neg", "DPipe"),
    # functions, whose names are judged where they are written
    *(
        "Anonymous",
        "Window",
        "WindowSpec",
        "Count",
        "Sum",
        "Avg",
        "Min",
        "Max",
        "Coalesce",
        "Nullif",
    ),
    *("Greatest", "Least", "Lower", "Upper", "Trim", "Length", "MD5", "Pow", "CurrentTimestamp"),
    "Replace",
    *("Lag", "Lead", "Rank", "RowNumber"),
}
#: what the parts that have many uses may say
PARTS: dict[type[exp.Expression], set[str]] = {
    exp.Select: {
        "with", "expressions", "distinct", "from", "joins", "where", "group", "having", "order",
    },
    exp.Union: {"with", "this", "expression", "distinct"},
    exp.CTE: {"this", "alias"},
    exp.Distinct: {"expressions"},
    exp.Group: {"expressions"},
    exp.Join: {"this", "side", "kind", "on"},
    exp.Table: {"this", "db", "catalog", "alias"},
    exp.Star: set(),
    exp.Identifier: {"this"},
    exp.Cast: {"this", "to"},
    exp.Trim: {"this"},
}  # fmt: skip
JOINS = {"", "INNER", "OUTER", "CROSS"}
#: other ways to write what has a common one, which the tree does not show
SPELLINGS = {TokenType.DCOLON, TokenType.DSTAR, TokenType.CARET, TokenType.COLON}

_CLOSING = {TokenType.FROM, TokenType.R_PAREN, TokenType.WHERE}


def faults(tree: exp.Expression) -> set[str]:
    """What a query's clauses say that only some engines know."""
    found = set()
    for node in tree.walk():
        known = PARTS.get(type(node))
        if known is not None:
            # some versions of sqlglot call the key `from` and some `from_`
            said = {key.rstrip("_") for key, value in node.args.items() if value}
            found |= {f"{node.key} {key}" for key in said - known}
        if isinstance(node, exp.Join) and node.kind.upper() not in JOINS:
            found.add(f"{node.kind.lower()} join")
    return found


def spellings(tokens: list[Token]) -> set[str]:
    """What is written in a way that only some engines read."""
    found = {token.text for token in tokens if token.token_type in SPELLINGS or token.text == "=="}
    for first, second in pairwise([None, *tokens]):
        kinds = (first and first.token_type, second.token_type if second else None)
        if kinds[1] is TokenType.FROM and kinds[0] in {
            None,
            TokenType.L_PAREN,
            TokenType.SEMICOLON,
        }:
            found.add("from first")
        if kinds[0] is TokenType.COMMA and kinds[1] in _CLOSING:
            found.add("a comma at the end")
        if kinds in {(TokenType.ORDER_BY, TokenType.ALL), (TokenType.GROUP_BY, TokenType.ALL)}:
            found.add("by all")
    return found


def uncommon_shapes(sql: str) -> set[str]:
    """What of a query not every engine knows, its functions aside."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect="duckdb") if tree]
    except SqlglotError as error:
        return {f"no SQL: {error}"}
    kinds = {type(node).__name__ for tree in trees for node in tree.walk()} - SHAPES
    return kinds.union(*map(faults, trees)) | spellings(DuckDB().tokenize(sql))


#: KPIs and the sums that they are made of are read from a graph, which only dbt has
_KPI = """
{% macro kpi(name) %} null {% endmacro %}
{% macro kpi_columns() %} null as kpi {% endmacro %}
{% macro comparable_columns(of_rows=false) %} null as comparable, {% endmacro %}
"""


class _NoEngine:
    """As dbt's adapter, of an engine that has each dispatched macro as a function."""

    @jinja2.pass_context
    def dispatch(self, context: Context, name: str, namespace: str = "mkt") -> Callable[..., str]:
        default = context.resolve_or_missing(f"default__{name}")
        if default is not missing:
            return default
        return lambda *given, **named: _call(name, [*given, *named.values()])


def _call(name: str, given: list[Any]) -> str:
    if name == "each_count":
        return f"select {', '.join(given[1])}, {given[3]}, {given[4]} from {given[0]}"
    if name == "matches":
        # the pattern is no SQL
        del given[1:]
    return f"engine_{name}({', '.join(_words(given))})"


def _words(given: Any) -> Iterator[str]:
    if isinstance(given, list):
        for one in given:
            yield from _words(one)
    elif given is not None:
        yield str(given)


@cache
def of_no_engine(path: Path) -> str:
    """What a model says by itself."""
    macros = _KPI + "".join(
        macro.read_text(encoding="utf-8")
        for macro in sorted((PROJECT / "macros").glob("*.sql"))
        if not macro.stem.startswith("engine_") and macro.stem != "kpi"
    )
    environment = jinja2.Environment(extensions=["jinja2.ext.do"], undefined=jinja2.StrictUndefined)
    return environment.from_string(macros + path.read_text(encoding="utf-8")).render(
        ref=lambda name: name,
        source=lambda schema, name: f"{schema}.{name}",
        var=var,
        env_var=env_var,
        execute=False,
        config=lambda **_: "",
        comparable_measures=lambda: ["comparable"],
        adapter=_NoEngine(),
        target=SimpleNamespace(type="none"),
        # the macros that are met here return text
        **{"return": str},
    )
