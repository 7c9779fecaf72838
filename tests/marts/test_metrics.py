"""Metrics in pandas: the contract is complete, and every KPI is a ratio of sums."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mkt_assets.errors import MktError
from mkt_assets.marts.metrics import (
    BASE_METRICS,
    add_kpis,
    kpi_frame,
    kpi_value,
    kpis,
    metrics,
)
from mkt_assets.project import dbt_project_dir

LAYER = yaml.safe_load((dbt_project_dir() / "models/metrics/_metrics.yml").read_text())
AMOUNTS = st.floats(0, 1e9).map(lambda x: round(x, 4))


@pytest.mark.parametrize("metric", LAYER["metrics"], ids=lambda m: m["name"])
def test_a_metric_is_whole_and_uses_only_what_the_macro_renders(metric: dict) -> None:
    assert set(metric) == {"name", "label", "description", "type", "type_params", "config"}
    meta = metric["config"]["meta"]
    assert set(metric["config"]) == {"meta"}
    assert set(meta) == {"unit", "direction", "format"}
    assert meta["unit"] in {"currency", "count", "ratio"}
    assert meta["direction"] in {"up", "down", "none"}
    parts = metric["type_params"]
    kinds = {name: kpi.kind for name, kpi in metrics().items()}
    if metric["type"] == "simple":
        # the column of a sum has the name of its metric
        assert parts == {"measure": {"name": metric["name"]}}
    elif metric["type"] == "ratio":
        assert set(parts) == {"numerator", "denominator"}
        assert all(set(part) == {"name"} for part in parts.values())
        assert {kinds[part["name"]] for part in parts.values()} == {"simple"}
    else:
        assert set(parts) == {"expr", "metrics"}
        inputs = {part["name"] for part in parts["metrics"]}
        assert {kinds[name] for name in inputs} == {"ratio"}
        assert inputs == set(re.findall(r"[a-z_]+", parts["expr"]))
        assert set(re.sub(r"[a-z_]+|[0-9.]+", "", parts["expr"]).split()) <= {"+", "-", "*"}


def test_every_measure_is_a_sum_and_a_metric() -> None:
    measures = [m for model in LAYER["semantic_models"] for m in model["measures"]]
    assert {m["agg"] for m in measures} == {"sum"}
    assert sorted(m["name"] for m in measures) == sorted(
        name for name, metric in metrics().items() if metric.kind == "simple"
    )
    ads = next(m for m in LAYER["semantic_models"] if m["name"] == "ad_performance")
    assert tuple(m["name"] for m in ads["measures"]) == BASE_METRICS


def test_the_published_kpis_keep_their_order() -> None:
    names = ["ctr", "cvr", "cpl", "cpa", "cpc", "cpm", "aov", "roas", "roi"]
    assert [kpi.name for kpi in kpis()] == names


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), min_size=1, max_size=5))
def test_at_any_grain_a_kpi_is_the_ratio_of_the_sums(rows: list[tuple[float, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["spend", "revenue", "impressions"]).assign(all=0)
    whole = kpi_frame(frame, ["all"]).iloc[0]
    if whole["spend"]:
        assert whole["roas"] == whole["revenue"] / whole["spend"]
        assert whole["roi"] == whole["roas"] - 1
    else:
        assert np.isnan(whole[["roas", "roi"]].astype("float64")).all()
    assert "ctr" not in whole


@pytest.mark.parametrize("name", [m.name for m in metrics().values() if m.kind != "simple"])
def test_nothing_over_zero_or_the_unknown_is_nan(name: str) -> None:
    sums = [n for n, metric in metrics().items() if metric.kind == "simple"]
    assert np.isnan(kpi_value(name, **dict.fromkeys(sums, 0.0)))
    assert np.isnan(kpi_value(name, **dict.fromkeys(sums, np.nan)))
    assert np.isfinite(kpi_value(name, **dict.fromkeys(sums, 2.0)))


def test_arrays_keep_their_shape() -> None:
    clicks, impressions = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[10.0, 0.0], [6.0, 8.0]])
    found = kpi_value("ctr", clicks=clicks, impressions=impressions)
    np.testing.assert_array_equal(found, [[0.1, np.nan], [0.5, 0.5]])


def test_a_missing_sum_is_an_error_and_a_missing_column_none() -> None:
    with pytest.raises(MktError, match="ctr cannot be computed from clicks alone"):
        kpi_value("ctr", clicks=1.0)
    assert list(add_kpis(pd.DataFrame({"clicks": [1]}))) == ["clicks"]


def test_nullable_numbers_of_duckdb_are_read() -> None:
    frame = pd.DataFrame(
        {"leads": pd.array([2, None], dtype="Int64"), "spend": [5.0, 5.0]}, index=[7, 3]
    )
    assert add_kpis(frame, ["cpl"])["cpl"].fillna(-1).to_dict() == {7: 2.5, 3: -1}


@pytest.mark.parametrize(
    ("name", "text"),
    [("ctr", "123456.78%"), ("roi", "123456.8%"), ("cpc", "1,234.57"), ("clicks", "1,235")],
)
def test_values_are_shown_in_their_format(name: str, text: str) -> None:
    assert metrics()[name].text(1234.5678) == text
