"""The words that the contract's metrics go by, for the tests that look for them in code."""

from __future__ import annotations

from mkt_assets.marts.metrics import metrics

Terms = frozenset[str]
NOTHING: Terms = frozenset()

#: other words for a base metric
SYNONYMS = {
    "spend": "mark_spent",
    "spent": "mark_spent",
    "orders": "conversions",
    "is_engaged": "engaged_sessions",
}
#: word -> the base metric that it stands for
BASE = {name: name for name, metric in metrics().items() if metric.kind == "simple"} | SYNONYMS
KPIS = {name for name, metric in metrics().items() if metric.kind != "simple"}


def named(name: str) -> Terms:
    """What a column or variable of this name stands for."""
    return frozenset({BASE.get(name, name)}) if name in BASE or name in KPIS else NOTHING
