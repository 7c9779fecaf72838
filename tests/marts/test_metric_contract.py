"""No Python module makes a KPI by its own formula, or averages one; what could be is explained."""

from __future__ import annotations

from pathlib import Path

import pytest
from explained_divisions import OF_ANY_METRICS, PYTHON, asked
from python_formulas import Finding, findings

import mkt_assets
from mkt_assets.project import dbt_project_dir

PACKAGE = Path(mkt_assets.__file__).parent
#: the room that may divide
CONTRACT = "marts/metrics.py"


@pytest.fixture(scope="module")
def found() -> list[Finding]:
    """Of the package, and of dbt's Python models."""
    roots = {PACKAGE: "", dbt_project_dir() / "models": "dbt_project/models/"}
    sources = {
        above + path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for root, above in roots.items()
        for path in sorted(root.rglob("*.py"))
    }
    assert "dbt_project/models/intermediate/int_markov_effects.py" in sources
    del sources[CONTRACT]
    return findings(sources, OF_ANY_METRICS)


@pytest.mark.slow
def test_no_module_computes_a_kpi_by_itself(found: list[Finding]) -> None:
    certain = [str(one) for one in found if one.is_certain]
    assert certain == [], "use kpi_value or add_kpis of mkt_assets.marts.metrics"


def test_what_could_be_a_kpi_is_explained(found: list[Finding]) -> None:
    unknown = [f for f in found if not f.is_certain and (f.path, f.function) not in PYTHON]
    places = {(f.path, f.function) for f in unknown}
    assert [str(one) for one in unknown] == [], asked("python", places)


def test_nothing_is_explained_that_is_gone(found: list[Finding]) -> None:
    there = {(f.path, f.function) for f in found if not f.is_certain}
    assert (PYTHON.keys() | OF_ANY_METRICS.keys()) - there == set()


def told(source: str) -> list[tuple[str, bool]]:
    return sorted({(one.what, one.is_certain) for one in findings({"insights/one.py": source})})


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("ctr = clicks / impressions", "clicks / impressions"),
        ("x = frame['revenue'].sum() / frame['mark_spent'].sum()", "revenue / mark_spent"),
        ("x = 1000 * row.spend / row.impressions", "mark_spent / impressions"),
        ("x = (revenue - spend) / spend", "revenue / mark_spent"),
        ("x = t.clicks / t.impressions.replace(0, np.nan)", "clicks / impressions"),
        ("x = t.loc[:, 'revenue'] / t.loc[:, 'spend']", "revenue / mark_spent"),
        ("x = t.assign(y=lambda d: d.revenue / d.spend)", "revenue / mark_spent"),
        ("spend /= clicks", "mark_spent / clicks"),
        ("spend //= clicks", "mark_spent / clicks"),
        # other words for a division
        ("x = np.divide(grid.clicks, grid.impressions, where=ok)", "clicks / impressions"),
        ("x = np.divide(x1=grid.clicks, x2=grid.impressions)", "clicks / impressions"),
        ("x = frame.clicks.div(frame['impressions'])", "clicks / impressions"),
        ("x = frame.clicks.div(other=frame['impressions'])", "clicks / impressions"),
        ("x = frame.impressions.rdiv(frame['clicks'])", "clicks / impressions"),
        ("x = frame.clicks.__truediv__(frame.impressions)", "clicks / impressions"),
        ("x = operator.truediv(t.clicks, t.impressions)", "clicks / impressions"),
        ("x = Fraction(t.clicks, t.impressions)", "clicks / impressions"),
        ("x = frame.eval('revenue / spend')", "revenue / mark_spent"),
        # a smoothed rate is the same formula
        ("x = np.log((sums['clicks'] + 0.5) / (sums['impressions'] + 1))", "clicks / impressions"),
        # logarithms that are taken from each other
        ("x = np.exp(np.log(spend) - np.log(clicks))", "mark_spent / clicks"),
        ("x = np.exp(np.subtract(np.log(t.spend), np.log(t.clicks)))", "mark_spent / clicks"),
        ("a = np.log(t.spend)\nb = a - np.log1p(t.clicks)\nx = np.expm1(b)", "mark_spent / clicks"),
        ("x = 10 ** (np.log10(t.spend) - np.log10(t.clicks))", "mark_spent / clicks"),
        ("def f(a, b):\n    return np.exp(np.log(a) - np.log(b))\nx = f(t.spend, t.clicks)",
         "mark_spent / clicks"),
        # by other names
        ("a = sums['orders']\nb = np.maximum(a, 1)\nx = spend / b", "mark_spent / conversions"),
        ("a, b = t.revenue, float(t.spend.sum())\nx = a / b", "revenue / mark_spent"),
        ("x = sum(r.revenue for r in rows) / sum(r.spend for r in rows)", "revenue / mark_spent"),
        ("x = d.get('revenue') / d.get('spend')", "revenue / mark_spent"),
        ("x = getattr(t, 'revenue') / getattr(t, 'spend')", "revenue / mark_spent"),
        # through functions of the module
        ("def during(v):\n    return v[1:].sum()\nx = during(t.spend) / during(t.clicks)",
         "mark_spent / clicks"),
        ("class A:\n    def f(self):\n        return self.spend / self.clicks",
         "mark_spent / clicks"),
        # a mean of ratios
        ("x = frame['roas'].mean()", "the mean of roas"),
        ("x = np.mean(frame.ctr)", "the mean of ctr"),
        ("x = np.nanmedian(frame.ctr)", "the mean of ctr"),
        ("x = np.average(row.cpa, weights=w)", "the mean of cpa"),
        ("x = np.convolve(row.cpa, w)", "the mean of cpa"),
        ("x = frame.roas.median()", "the mean of roas"),
        ("x = frame.roas.describe()['mean']", "the mean of roas"),
        ("x = frame.ctr.rolling(7).mean()", "the mean of ctr"),
        ("x = frame.roas.sum() / len(frame)", "the mean of roas"),
        ("x = frame.roas.sum() / frame.roas.count()", "the mean of roas"),
        ("x = frame.roas.sum() * (1 / len(frame))", "the mean of roas"),
        ("n = len(frame)\nx = 1 / n * frame.roas.sum()", "the mean of roas"),
        ("x = (high.roas + low.roas) / 2", "the mean of roas"),
        ("x = np.dot(frame.roas, w)", "the mean of roas"),
        ("x = w.dot(frame.roas)", "the mean of roas"),
        ("x = w @ frame['roas']", "the mean of roas"),
        ("x = relation.avg('roas')", "the mean of roas"),
        ("x = frame.groupby('channel')['ctr'].agg('mean')", "the mean of ctr"),
        ("x = frame.groupby('channel')['ctr'].agg(np.mean)", "the mean of ctr"),
        ("x = frame.groupby('channel').agg({'ctr': 'mean'})", "the mean of ctr"),
        ("x = frame.groupby('channel').agg(level=('roas', 'mean'))", "the mean of roas"),
        ("x = frame.pivot_table('roas', index='week')", "the mean of roas"),
    ],
)  # fmt: skip
def test_a_kpi_made_by_hand_is_found(source: str, what: str) -> None:
    assert told(source) == [(what, True)]


@pytest.mark.parametrize(
    ("helper", "use"),
    [
        ("def rate(a, b):\n    return a.sum() / b.sum()", "rate(t.clicks, t.impressions)"),
        ("def rate(b, a):\n    return a / b\ndef f(c, d):\n    rate(c, d)",
         "f(d=t.clicks, c=t.impressions)"),
    ],
)  # fmt: skip
def test_it_is_found_through_functions_of_other_modules(helper: str, use: str) -> None:
    of_one = findings({"one.py": f"{helper}\nx = {use}"})
    name, _, _ = use.partition("(")
    ways = (f"from mkt_assets.deep.rates import {name} as {name}\nx = {use}",
            f"from mkt_assets.deep import rates\nx = rates.{use}")  # fmt: skip
    of_two = [findings({"a/one.py": way, "deep/rates.py": helper}) for way in ways]
    for found in (of_one, *of_two):
        assert [one.what for one in found if one.is_certain] == ["clicks / impressions"]


@pytest.mark.parametrize(
    ("source", "what"),
    [
        # the inverse of what nobody knows
        ("x = t.revenue * (1 / t.spend)", "1 / t.spend"),
        ("x = t.revenue * t.spend ** -1", "t.spend ** (-1)"),
        ("x = t.revenue * np.power(t.spend, -1)", "np.power(t.spend, -1)"),
        ("x = t.revenue * np.reciprocal(t.spend)", "np.reciprocal(t.spend)"),
        ("x = reduce(operator.truediv, both)", "reduce(operator.truediv, both)"),
        # names that tell nothing
        ("A, B = 'revenue', 'spend'\nx = t[A] / t[B]", "t[A] / t[B]"),
        ("C = ['revenue', 'spend']\nx = t[C[0]] / t[C[1]]", "t[C[0]] / t[C[1]]"),
        ("rate = lambda a, b: a / b\nx = rate(t.revenue, t.spend)", "a / b"),
        ("for k, (a, b) in {'roas': ('revenue', 'spend')}.items():\n    t[k] = t[a] / t[b]",
         "t[a] / t[b]"),
        ("x = [r / s for r, s in zip(t.revenue, t.spend)]", "r / s"),
        ("r, s = con.execute(query).fetchone()\nx = r / s", "r / s"),
        ("x = [row[1] / row[2] for row in t.itertuples()]", "row[1] / row[2]"),
        ("m = t.rename(columns={'revenue': 'r', 'spend': 's'})\nx = m.r / m.s", "m.r / m.s"),
        ("g = t.groupby('c').agg(top=('revenue', 'sum'), low=('spend', 'sum'))\nx = g.top / g.low",
         "g.top / g.low"),
        ("d = {'top': t.revenue, 'low': t.spend}\nx = d['top'] / d['low']", "d['top'] / d['low']"),
        ("class A:\n    def f(self):\n        return self.top / self.low", "self.top / self.low"),
        # a sum over a count of rows may be a metric over another
        ("x = revenue.sum() / len(purchases)", "revenue.sum() / len(purchases)"),
        # means of whatever there is
        ("x = t.groupby('c').mean(numeric_only=True)", "t.groupby('c').mean(numeric_only=True)"),
        ("x = add_kpis(t).mean()", "add_kpis(t).mean()"),
        ("x = t.groupby('c').agg(how)", "t.groupby('c').agg(how)"),
        ("x = values.sum() / len(values)", "values.sum() / len(values)"),
        ("x = values.sum() * (1 / len(values))", "values.sum() * (1 / len(values))"),
        ("x = list(map(np.mean, columns))", "map(np.mean, columns)"),
        ("x = spend / days", "spend / days"),
    ],
)  # fmt: skip
def test_what_nobody_can_tell_has_to_be_explained(source: str, what: str) -> None:
    assert (what, False) in told(source)
    assert not any(is_certain for _, is_certain in told(source))


@pytest.mark.parametrize(
    "source",
    [
        "x = revenue / revenue.sum()",
        "x = frame['spend'].mean()",
        "x = 7 * spend / 30",
        "x = spend / CENTS",
        "steps = len(days)\nx = [i / steps for i in range(steps)]",
        "x = t.impressions ** 2 * np.power(t.clicks, 0.5)",
        "x = folder / 'clicks' / 'impressions'",
        "def f(self, table):\n    return self.lake.guarded / table",
        "def f(folder: Path, table: str):\n    return folder / table",
        "x = add_kpis(sums)['roas'].max()",
        # revenue, again
        "x = np.dot(frame.roas, frame.spend)",
        "x = frame['spend'] @ frame['roas']",
        "x = covariance @ gradient",
        # how one amount changed
        "x = np.exp(np.log(spend) - np.log(last_spend))",
        "x = np.exp(np.log(spend) - shared)",
        "x = frame.groupby('c').agg(top=('revenue', 'sum'), n=('day', 'count'))",
        "x = frame.pivot_table('roas', index='week', aggfunc='first')",
        "x = 'clicks / impressions'",
    ],
)
def test_what_is_no_kpi_needs_no_explanation(source: str) -> None:
    assert told(source) == []
