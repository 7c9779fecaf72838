"""The metrics, read from the one place that defines them: dbt's models/metrics/_metrics.yml.

The marts and MetricFlow use the same file, so a KPI means the same in SQL and in pandas. What
stays out: formulas.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mkt_assets.errors import MktError
from mkt_assets.project import dbt_project_dir, read_yaml

#: the additive columns of ad performance; their sums may be summed again
BASE_METRICS = ("impressions", "clicks", "leads", "conversions", "mark_spent", "revenue")

#: the semantic model whose KPIs the marts of ad performance publish
ADS: Final = "ad_performance"

FloatArray = npt.NDArray[np.float64]

_MONEY_DIGITS = 4
#: a measure of the rows that report another one: what a ratio may hold against it
_COMPARABLE = re.compile(r"(?P<summed>[a-z_]+)_with_(?P<known>[a-z_]+)")
_FORMAT = re.compile(r"(?P<grouped>#,##)?0(?:\.(?P<places>0+))?(?P<percent>%)?")
#: what a derived metric may do; a division is a ratio metric, which knows what to do with zero
_OPERATORS: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


@dataclass(frozen=True)
class Kpi:
    """A metric: a sum (simple), a ratio of two sums, or derived from ratios by ``expression``."""

    name: str
    kind: Literal["simple", "ratio", "derived"]
    label: str
    description: str
    #: currency, count or ratio
    unit: str
    #: up or down is better; none: neither by itself
    direction: str
    #: a spreadsheet's number format
    display: str
    numerator: str = ""
    denominator: str = ""
    expression: str = ""
    inputs: tuple[str, ...] = ()
    #: of a sum over the rows that know another: that sum's name, and the other's
    summed: str = ""
    known: str = ""

    def text(self, value: float) -> str:
        """``value`` as people read it, in the metric's display format; without its currency."""
        style = _FORMAT.fullmatch(self.display)
        if style is None:
            raise MktError(f"metric {self.name!r} has the unknown format {self.display!r}")
        comma = "," if style["grouped"] else ""
        return f"{value:{comma}.{len(style['places'] or '')}{style['percent'] or 'f'}}"


@cache
def metrics() -> Mapping[str, Kpi]:
    """Every metric by name, sums too."""
    layer = _layer()
    ads = next(model for model in layer["semantic_models"] if model["name"] == ADS)
    of_ads = {measure["name"] for measure in ads["measures"]}
    return {m["name"]: _read(m, m["name"] in of_ads) for m in layer["metrics"]}


@cache
def kpis() -> tuple[Kpi, ...]:
    """The KPIs of ad performance in the order in which dbt publishes them."""
    models = {model["name"]: model for model in _layer()["semantic_models"]}
    return tuple(metrics()[name] for name in models[ADS]["config"]["meta"]["kpis"])


def _layer() -> dict[str, Any]:
    return read_yaml(dbt_project_dir() / "models" / "metrics" / "_metrics.yml")


def _read(metric: Mapping[str, Any], is_of_ads: bool) -> Kpi:
    formula, meta = metric["type_params"], metric["config"]["meta"]
    comparable = _COMPARABLE.fullmatch(metric["name"]) if is_of_ads else None
    return Kpi(
        name=metric["name"],
        kind=metric["type"],
        label=metric["label"],
        description=metric["description"].strip(),
        unit=meta["unit"],
        direction=meta["direction"],
        display=meta["format"],
        numerator=formula.get("numerator", {}).get("name", ""),
        denominator=formula.get("denominator", {}).get("name", ""),
        expression=formula.get("expr", ""),
        inputs=tuple(part["name"] for part in formula.get("metrics", ())),
        **(comparable.groupdict() if comparable else {}),
    )


def parts_of(ratio: str) -> tuple[str, str]:
    """The two columns whose sums, over the rows that have both, ``ratio`` divides."""
    top, bottom = (
        metrics()[name] for name in (metrics()[ratio].numerator, metrics()[ratio].denominator)
    )
    return top.summed or top.name, bottom.summed or bottom.name


def add_kpis(frame: pd.DataFrame, names: Sequence[str] | None = None) -> pd.DataFrame:
    """``frame`` with one float column per KPI whose base columns it has.

    ``frame`` holds sums at any grain, so each KPI is a ratio of sums. Spend may be called
    ``mark_spent`` or ``spend``. A zero or missing denominator gives NaN, never 0 or infinity.

    Args:
        frame: sums, in columns called like the simple metrics.
        names: of any ratio or derived metrics; without, those of :func:`kpis`.
    """
    return _with_kpis(frame, _sums(frame), names)


def _sums(frame: pd.DataFrame) -> dict[str, FloatArray]:
    """The columns that are sums, by the names of the simple metrics."""
    sums = {
        name: _numbers(frame[name])
        for name, metric in metrics().items()
        if metric.kind == "simple" and name in frame
    }
    if "spend" in frame:
        sums.setdefault("mark_spent", _numbers(frame["spend"]))
    return sums


def _with_kpis(
    frame: pd.DataFrame, sums: Mapping[str, FloatArray], names: Sequence[str] | None
) -> pd.DataFrame:
    out = frame.copy()
    wanted = kpis() if names is None else [metrics()[name] for name in names]
    for kpi in wanted:
        values = _values(kpi, sums)
        if values is not None:
            out[kpi.name] = values
    return out


def kpi_value(name: str, **sums: npt.ArrayLike) -> FloatArray:
    """One metric from the sums that it needs, numbers or arrays of one shape.

    A sum over the rows that know another, as ``mark_spent_with_revenue``, may be told by its own
    name; else ``mark_spent`` is taken for it. NaN where there is nothing to divide by.

    Raises:
        MktError: a sum is missing.
    """
    given = {base: np.asarray(value, dtype="float64") for base, value in sums.items()}
    values = _values(metrics()[name], given)
    if values is None:
        raise MktError(f"{name} cannot be computed from {', '.join(sums)} alone")
    return values


def _numbers(column: pd.Series) -> FloatArray:
    return pd.to_numeric(column).to_numpy(dtype="float64", na_value=np.nan)


def _values(kpi: Kpi, sums: Mapping[str, FloatArray]) -> FloatArray | None:
    """The metric, elementwise, or None where a sum that it needs is not there."""
    if kpi.kind == "derived":
        parts = {name: _values(metrics()[name], sums) for name in kpi.inputs}
        if any(part is None for part in parts.values()):
            return None
        return np.asarray(_evaluate(ast.parse(kpi.expression, mode="eval").body, parts))
    top, bottom = _sum(kpi.numerator, sums), _sum(kpi.denominator, sums)
    if top is None or bottom is None:
        return None
    return np.asarray(top / np.where(bottom != 0, bottom, np.nan))


def _sum(name: str, sums: Mapping[str, FloatArray]) -> FloatArray | None:
    """The column of this name, or what can be told of it from the two that it is made of."""
    metric = metrics()[name]
    if name in sums or not metric.summed:
        return sums.get(name)
    summed, known = sums.get(metric.summed), sums.get(metric.known)
    return None if summed is None or known is None else np.where(np.isnan(known), np.nan, summed)


def _evaluate(node: ast.expr, parts: Mapping[str, Any]) -> Any:
    match node:
        case ast.BinOp(left, sign, right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_evaluate(left, parts), _evaluate(right, parts))
        case ast.Constant(int() | float() as number):
            return number
        case ast.Name(name) if name in parts:
            return parts[name]
    raise MktError(
        f"a derived metric adds, subtracts and multiplies its inputs; not so: {ast.unparse(node)}"
    )


def kpi_frame(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Sums of the base metrics per group of ``by``, with the KPIs as ratios of those sums.

    A sum over nothing but missing values is missing, so that an absent column is not read as zero,
    and a ratio is of the rows that have both of its parts.
    """
    # the marts add money as DECIMAL(18, 4); binary dust beyond that is no money
    sums = kpi_sums(frame, by).round(_MONEY_DIGITS)
    out = sums[_base_columns(sums)].reset_index()
    return _with_kpis(out, _sums(sums), None)


def _base_columns(frame: pd.DataFrame) -> list[str]:
    return [name for name in (*BASE_METRICS, "spend") if name in frame]


def kpi_sums(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """All the sums that KPIs are made of, per group of ``by`` (the index).

    Beside the base metrics these are the sums over the rows that know another metric, formed from
    the rows before they are summed. ``add_kpis`` of the result is the KPIs of the rows, and so it
    is when the result is summed again by this function. A sum over nothing but missing values is
    missing; a column that is not there has no sum.

    Args:
        frame: rows, or sums of this function with their groups as columns.
        by: the columns that name the groups.
    """
    rows = _sums(frame)
    comparable = {
        name: values
        for name, metric in metrics().items()
        if metric.summed and (values := _sum(name, rows)) is not None
    }
    whole = frame[[*by, *_base_columns(frame)]].assign(**comparable)
    return whole.groupby(list(by), sort=True, dropna=False).sum(min_count=1)


def ratio_sums(sums: pd.DataFrame, ratio: str) -> dict[str, FloatArray]:
    """The sums that ``ratio`` divides, numerator first, by the names that ``kpi_value`` takes.

    Args:
        sums: what :func:`kpi_sums` returns.
        ratio: the name of a ratio metric.

    Raises:
        MktError: a sum is missing.
    """
    names, given = (metrics()[ratio].numerator, metrics()[ratio].denominator), _sums(sums)
    found = {name: values for name in names if (values := _sum(name, given)) is not None}
    if len(found) < len(names):
        raise MktError(f"{ratio} cannot be computed from {', '.join(map(str, sums))} alone")
    return found
