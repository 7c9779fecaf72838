"""Suites say what the contracts say, of every bounded table that is published, and of no other."""

from __future__ import annotations

import pytest

from mkt_assets.contracts import REGISTRY, mart_columns, mart_key
from mkt_assets.publish.tables import MARTS, published_models
from mkt_assets.quality.cross_rules import BOUNDS, ORDERS, PARENTS, REFERENCES, WARNINGS
from mkt_assets.quality.suites import BOUNDED_MARTS, Suite, suites
from mkt_assets.settings import load_settings

ALL = {suite.table: suite for suite in suites(load_settings())}


def rules(suite: Suite) -> list[str]:
    return [e.says for e in suite.expected]


def test_every_model_but_those_by_visitor_has_a_suite() -> None:
    models = {table for table in ALL if not table.startswith("marts/")}
    assert models == {*published_models(load_settings())} - {"audiences/audience_segments"}


def test_bounded_marts_need_what_published_marts_need() -> None:
    assert {mart: MARTS[mart] for mart in BOUNDED_MARTS} == dict(BOUNDED_MARTS)


@pytest.mark.parametrize("suite", ALL.values(), ids=ALL.keys())
def test_every_table_has_a_key_and_says_what_is_never_missing(suite: Suite) -> None:
    assert rules(suite)[0] == f"there is one row per {', '.join(suite.key)}"
    assert suite.never_null
    assert {*suite.key, *suite.never_null} <= suite.types.keys()
    assert all(e.why for e in suite.expected)
    assert len(set(rules(suite))) == len(rules(suite))


def test_what_the_registry_bounds_is_expected() -> None:
    for path, suite in ALL.items():
        for column in REGISTRY[path].columns if path in REGISTRY else ():
            if column.low is not None or column.high is not None:
                assert any(r.startswith(f"{column.name} is ") for r in rules(suite)), column.name
            if column.values:
                assert f"{column.name} is one of {', '.join(column.values)}" in rules(suite)


def test_rules_are_of_columns_that_there_are() -> None:
    columns = {name for suite in ALL.values() for name in suite.types}
    assert BOUNDS.keys() <= columns
    assert WARNINGS.keys() <= BOUNDS.keys()
    for table, pairs in ORDERS.items():
        assert {name for pair in pairs for name in pair} <= ALL[table].types.keys()
    for table, references in REFERENCES.items():
        assert references.keys() <= ALL[table].types.keys()
        assert set(references.values()) <= PARENTS.keys()


def test_the_key_of_a_mart_is_that_of_its_test() -> None:
    assert mart_key("marketing_kpi") == ("date", "channel", "campaign")
    assert mart_columns("marketing_kpi")["ctr"]["data_type"] == "double"


def test_ads_alone_have_no_suite_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKT_SOURCE", "files")
    monkeypatch.setenv("MKT_ADS_URI", "ads.csv")
    known = {suite.table for suite in suites(load_settings())}
    assert "marts/kpi_daily" in known
    assert {"marts/ga4_daily", "marts/mer_daily", "experiments/experiment_results"} & known == set()
