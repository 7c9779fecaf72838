"""Metrics in pandas: the contract is complete, and every KPI is a ratio of sums."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.errors import MktError
from mkt_assets.marts.metrics import (
    BASE_METRICS,
    add_kpis,
    kpi_frame,
    kpi_sums,
    kpi_value,
    kpis,
    metrics,
    parts_of,
    ratio_sums,
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
    # each is a column of marketing_clean, so that spellings made one are added, not compared
    assert not any("expr" in m for m in ads["measures"])
    assert tuple(m["name"] for m in ads["measures"] if "_with_" not in m["name"]) == BASE_METRICS
    for name in {m["name"] for m in ads["measures"]} - {*BASE_METRICS}:
        assert f"{metrics()[name].summed}_with_{metrics()[name].known}" == name
        assert {metrics()[name].summed, metrics()[name].known} <= {*BASE_METRICS}


def test_what_a_platform_may_not_report_is_held_against_nothing() -> None:
    """Each ratio of ads has both parts from the rows that have both."""
    always = {"mark_spent"}
    ads = next(m for m in LAYER["semantic_models"] if m["name"] == "ad_performance")
    names = {measure["name"] for measure in ads["measures"]}
    ratios = [m for m in metrics().values() if m.kind == "ratio" and m.numerator in names]
    assert {"ctr", "cvr", "cpl", "cpa", "cpc", "aov", "roas"} <= {m.name for m in ratios}
    for ratio in ratios:
        parts = [metrics()[name] for name in (ratio.numerator, ratio.denominator)]
        (top, of_top), (bottom, of_bottom) = ((p.summed or p.name, p.known) for p in parts)
        assert of_top == ("" if bottom in always else bottom), ratio.name
        assert of_bottom == ("" if top in always else top), ratio.name
        assert parts_of(ratio.name) == (top, bottom)


REPORTED = st.one_of(st.none(), st.integers(0, 9).map(float))


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 9), *[REPORTED] * 5), max_size=6))
def test_a_ratio_is_of_the_rows_that_have_both_of_its_parts(rows: list[tuple]) -> None:
    names = ["spend", "impressions", "clicks", "leads", "conversions", "revenue"]
    frame = pd.DataFrame(rows, columns=names, dtype="float64").assign(all=0)
    for kpi in kpis():
        if kpi.kind == "ratio":
            top, bottom = (n.replace("mark_spent", "spend") for n in parts_of(kpi.name))
            known = frame[frame[[top, bottom]].notna().all(axis=1)]
            below = known[bottom].sum()
            expected = [known[top].sum() / below if below else np.nan][: len(frame)]
            np.testing.assert_array_equal(kpi_frame(frame, ["all"])[kpi.name], expected)


MISSING_CELLS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), *[REPORTED] * 6), max_size=9
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(MISSING_CELLS)
def test_sums_that_are_summed_again_give_the_kpis_of_their_rows(rows: list[tuple]) -> None:
    frame = pd.DataFrame(rows, columns=["group", "part", *BASE_METRICS])
    frame = frame.astype(dict.fromkeys(BASE_METRICS, "float64"))
    expected = kpi_frame(frame, ["group"])
    parts = kpi_sums(frame, ["group", "part"])
    for sums in (kpi_sums(frame, ["group"]), kpi_sums(parts.reset_index(), ["group"])):
        found = add_kpis(sums).reset_index()[list(expected)]
        pd.testing.assert_frame_equal(found, expected)
        for ratio in (kpi.name for kpi in kpis() if kpi.kind == "ratio"):
            both = ratio_sums(sums, ratio)
            assert list(both) == [metrics()[ratio].numerator, metrics()[ratio].denominator]
            np.testing.assert_array_equal(kpi_value(ratio, **both), expected[ratio])


def test_a_ratio_of_an_absent_column_has_no_sums() -> None:
    sums = kpi_sums(pd.DataFrame({"all": [0], "spend": [2.0]}), ["all"])
    assert list(sums) == ["spend"]
    with pytest.raises(MktError, match="roas cannot be computed from spend alone"):
        ratio_sums(sums, "roas")


def test_a_sum_over_comparable_rows_is_told_by_its_own_name() -> None:
    sums = pd.DataFrame({"mark_spent": [30.0], "mark_spent_with_revenue": [10.0], "revenue": [20]})
    assert kpi_value("roas", mark_spent_with_revenue=10, revenue=20) == 2
    for found in (add_kpis(sums), kpi_frame(sums.assign(all=0), ["all"])):
        assert found["roas"].tolist() == [2.0]


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
