"""The KPI formulas, read from the one place that defines them: `vars.kpis` in dbt_project.yml.

dbt's marts use the same definitions through a macro, so a KPI means the same in SQL and in pandas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import yaml

from mkt_assets.project import dbt_project_dir

#: the additive columns that every KPI is a ratio of; their sums may be summed again
BASE_METRICS = ("impressions", "clicks", "leads", "conversions", "mark_spent", "revenue")

_MONEY_DIGITS = 4


@dataclass(frozen=True)
class Kpi:
    """``scale * sum(numerator) / sum(denominator) + offset``, NULL on a zero denominator."""

    name: str
    numerator: str
    denominator: str
    label: str
    unit: str
    direction: str
    description: str
    scale: float = 1.0
    offset: float = 0.0


@cache
def kpis() -> tuple[Kpi, ...]:
    """Every KPI in the order in which dbt publishes them."""
    text = (dbt_project_dir() / "dbt_project.yml").read_text(encoding="utf-8")
    return tuple(Kpi(**entry) for entry in yaml.safe_load(text)["vars"]["kpis"])


def add_kpis(frame: pd.DataFrame, names: Sequence[str] | None = None) -> pd.DataFrame:
    """``frame`` with one float column per KPI whose two base columns it has.

    ``frame`` holds sums at any grain, so each KPI is a ratio of sums. Spend may be called
    ``mark_spent`` or ``spend``. A zero or missing denominator gives NaN, never 0 or infinity.
    """
    out = frame.copy()
    have = {"mark_spent": "spend"} if "mark_spent" not in frame and "spend" in frame else {}
    for kpi in kpis():
        if names is not None and kpi.name not in names:
            continue
        top, bottom = (have.get(c, c) for c in (kpi.numerator, kpi.denominator))
        if top not in frame or bottom not in frame:
            continue
        divisor = pd.to_numeric(frame[bottom]).astype("float64")
        divisor = divisor.where(divisor != 0, np.nan)
        out[kpi.name] = (
            kpi.scale * pd.to_numeric(frame[top]).astype("float64") / divisor + kpi.offset
        )
    return out


def kpi_frame(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Sums of the base metrics per group of ``by``, with the KPIs as ratios of those sums.

    A sum over nothing but missing values is missing, so that an absent column is not read as zero.
    """
    columns = [c for c in (*BASE_METRICS, "spend") if c in frame]
    sums = frame.groupby(list(by), sort=True, dropna=False)[columns].sum(min_count=1)
    # the marts add money as DECIMAL(18, 4); binary dust beyond that is no money
    return add_kpis(sums.round(_MONEY_DIGITS).reset_index())
