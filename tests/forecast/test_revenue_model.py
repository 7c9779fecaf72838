"""The revenue model: it finds what moves revenue and admits when it is no use."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mkt_assets.contracts import REGISTRY
from mkt_assets.forecast.revenue_model import fit_revenue_model


def simulated(effect: float, days: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    dates = pd.date_range("2025-01-01", periods=days)
    spend = rng.uniform(50, 150, days)
    idle = rng.uniform(50, 150, days)
    revenue = 200 + effect * spend + rng.normal(0, 20, days)
    first = pd.DataFrame({"date": dates, "channel": "works", "spend": spend, "revenue": revenue})
    return pd.concat([first, first.assign(channel="idle", spend=idle, revenue=0.0)])


def test_the_channel_that_moves_revenue_is_found_and_the_baseline_beaten() -> None:
    out = fit_revenue_model(simulated(4.0)).set_index("term")
    assert out.loc["spend:works", "coefficient"] == pytest.approx(4.0, rel=0.15)
    assert out["importance"].idxmax() == "spend:works"
    assert out["beats_baseline"].all()
    assert out["r2"].iloc[0] > 0.8 > out["baseline_r2"].iloc[0]


def test_spend_without_effect_is_not_sold_as_a_model() -> None:
    out = fit_revenue_model(simulated(0.0))
    assert out["r2"].iloc[0] < 0.1


def test_the_table_keeps_its_contract_and_is_the_same_twice() -> None:
    rows = simulated(2.0)
    out = fit_revenue_model(rows)
    assert list(out.columns) == [c.name for c in REGISTRY["forecast/revenue_model"].columns]
    assert not out["term"].duplicated().any()
    assert set(out["kind"]) == {"spend", "weekday", "trend"}
    assert out.loc[out["kind"] == "weekday", "coefficient"].sum() == pytest.approx(0, abs=1e-6)
    pd.testing.assert_frame_equal(out, fit_revenue_model(rows.sample(frac=1, random_state=2)))


def test_four_weeks_are_enough_and_less_gives_no_model() -> None:
    assert fit_revenue_model(simulated(2.0, days=28))["folds"].iloc[0] == 1
    short = fit_revenue_model(simulated(2.0, days=27))
    assert short.empty
    assert list(short.columns) == [c.name for c in REGISTRY["forecast/revenue_model"].columns]
