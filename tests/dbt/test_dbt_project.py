"""The dbt project on a tiny lake: what a build must leave, and what it must refuse.

Each build is a dbt process of its own (6 to 8 s), so one lake holds all cases.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from dbt_semantic_interfaces.implementations.semantic_manifest import PydanticSemanticManifest
from dbt_semantic_interfaces.validations.semantic_manifest_validator import (
    SemanticManifestValidator,
)
from lake_project import DAY_1, DAY_2, PROJECT, Project, ad, ledger_row
from small_lake import fill

from mkt_assets.marts.metrics import BASE_METRICS, kpi_frame, kpis, metrics

pytestmark = pytest.mark.slow

ADS_MARTS = {"marketing_clean", "marketing_kpi", "kpi_daily", "kpi_channel_daily"}
GA4_MARTS = {
    *("fct_sessions", "fct_purchases", "consent_current", "audience_features", "ga4_daily"),
    *("fct_attribution", "fct_attribution_channel"),
}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Both sources, built once; the tests that use it only read."""
    project = Project(tmp_path_factory.mktemp("full"))
    fill(project)
    project.build()
    return project


def test_a_build_of_all_runs_every_test(full: Project) -> None:
    nodes = json.loads((full.home / "target/manifest.json").read_text())["nodes"].values()
    ran = json.loads((full.home / "target/run_results.json").read_text())["results"]
    tests = {node["unique_id"] for node in nodes if node["resource_type"] == "test"}
    assert tests == {one["unique_id"] for one in ran if one["unique_id"].startswith("test.")}


def test_a_build_of_some_models_asks_for_no_others(full: Project, tmp_path: Path) -> None:
    project = Project(tmp_path)
    (project.home / project.lake.name).symlink_to(full.lake)
    project.build("--select", "+fct_sessions")
    # what is there is tested all the same
    ran = json.loads((tmp_path / "target/run_results.json").read_text())["results"]
    names = {one["unique_id"].split(".")[2] for one in ran}
    assert "fct_sessions_rows_are_sound" in names


def test_kpis_are_ratios_of_sums_and_the_same_in_sql_and_pandas(full: Project) -> None:
    rows = full.query("from marts.marketing_clean")
    for table, by in (("kpi_daily", ["date"]), ("kpi_channel_daily", ["date", "channel"])):
        found = full.query(f"from marts.{table}")
        columns = [*by, *BASE_METRICS, *(kpi.name for kpi in kpis())]
        expected = kpi_frame(rows.astype({"leads": "float64"}), by)[columns]
        pd.testing.assert_frame_equal(found[columns], expected, check_exact=True, check_dtype=False)
    first = full.query("from marts.kpi_daily where date = '2024-03-01'").iloc[0]
    # of Partner's rows none reports both, and one reports clicks
    assert first["ctr"] == 98 / 1080
    assert first["cvr"] == (1 + 3) / (91 + 20)


def test_the_semantic_manifest_is_one_that_metricflow_accepts(full: Project) -> None:
    manifest = PydanticSemanticManifest.parse_raw(
        (full.home / "target/semantic_manifest.json").read_text()
    )
    found = SemanticManifestValidator[PydanticSemanticManifest]().validate_semantic_manifest(
        manifest
    )
    assert not found.has_blocking_issues, found.errors
    assert not found.warnings
    assert {metric.name for metric in manifest.metrics} == set(metrics())
    assert len(manifest.project_configuration.time_spines) == 1


def test_a_changed_metric_changes_the_mart_at_the_next_build(tmp_path: Path) -> None:
    project = Project(tmp_path, source=tmp_path / "dbt_project")
    shutil.copytree(PROJECT, project.source)
    fill(project, ga4=False)
    contract = project.source / "models/metrics/_metrics.yml"
    project.build("--exclude-resource-type", "test", "--select", "+kpi_daily")
    before = project.query("from marts.kpi_daily").dropna(subset="cpm")

    text = contract.read_text()
    contract.write_text(text.replace("1000 * cost_per_impression", "2000 * cost_per_impression"))
    # the model's own file is as it was, and what dbt knows of it stays
    again = project.dbt("run", "--select", "kpi_daily")
    assert again.returncode == 0, again.stdout
    assert "Starting full parse" not in again.stdout
    after = project.query("from marts.kpi_daily").dropna(subset="cpm")
    assert list(after) == list(before)
    assert after["cpm"].tolist() == (2 * before["cpm"]).tolist()

    for wrong, said in (
        ("cost_per_impression / 2", "metric 'cpm' cannot be derived by /"),
        (None, "no KPI 'cpm'"),
    ):
        changed = text.replace("1000 * cost_per_impression", wrong or "")
        contract.write_text(changed if wrong else text.replace("- name: cpm\n", "- name: mille\n"))
        done = project.dbt("run", "--select", "kpi_daily")
        assert done.returncode != 0
        assert said in done.stdout


def test_a_kpi_over_nothing_is_null(full: Project) -> None:
    names = [kpi.name for kpi in kpis()]
    for table in ("marketing_kpi", "kpi_daily", "kpi_channel_daily"):
        empty = full.query(f"from marts.{table} where date = '2024-03-02'")
        assert len(empty) == 1
        assert empty[names].isna().all(axis=None)


def test_spellings_of_a_campaign_become_one_row(full: Project) -> None:
    rows = full.query(
        "select channel, campaign, clicks, mark_spent, conversions from marts.marketing_clean"
        " where date = '2024-03-01' order by all"
    )
    assert rows.fillna(-1).to_numpy().tolist() == [
        ["Partner", "CLUB", 20, 7.0, 4.0],
        ["Search", "Brand", 7, 3.3333, -1],
        ["Social", "Spring", 91, 10.0, 1.0],
    ]


def test_a_purchase_counts_once_and_in_its_first_session(full: Project) -> None:
    rows = full.query("from marts.fct_purchases order by revenue desc nulls last").set_index(
        "user_key"
    )
    ann = rows.loc["ann"]
    assert (ann["transaction_id"], ann["revenue"], ann["duplicate_events"]) == ("T1", 20.1, 1)
    assert (ann["is_refunded"], ann["refund_value"]) == (True, 5.0)
    assert ann["lineage_ids"].tolist() == ["events-2024-03-01", "events-2024-03-02"]
    cat = rows.loc["cat"]
    assert cat["is_transaction_id_derived"].all()
    assert cat["transaction_id"].is_unique
    assert cat["revenue"].fillna(-1).tolist() == [5.0, -1]
    assert cat["session_key"].isna().tolist() == [False, True]


def test_sessions_hold_their_purchases_and_begin_on_one_day(full: Project) -> None:
    sessions = full.query(
        "select user_key, session_date, session_source, channel_group, events, purchases, revenue"
        " from marts.fct_sessions order by user_key, events desc, purchases desc"
    )
    sessions["session_date"] = sessions["session_date"].dt.date
    assert sessions.to_numpy().tolist() == [
        ["ann", DAY_1, "google", "Organic Search", 4, 1, 20.1],
        ["ann", DAY_2, "(direct)", "Direct", 2, 0, 0.0],
        ["bob", DAY_1, "facebook.com", "Paid Social", 2, 0, 0.0],
        ["cat", DAY_1, "(direct)", "Direct", 1, 1, 5.0],
        ["cat", DAY_1, "(direct)", "Direct", 1, 0, 0.0],
    ]


def test_every_attribution_model_gives_each_purchase_away_once(full: Project) -> None:
    for table in ("fct_attribution", "fct_attribution_channel"):
        sums = full.query(
            "select model, sum(attributed_conversions) as conversions,"
            f" sum(attributed_revenue) as revenue from marts.{table} group by 1"
        ).set_index("model")
        assert sums["conversions"].to_dict() == dict.fromkeys(
            full.variable("attribution_models"), 3
        )
        assert set(sums["revenue"]) == {25.1}
    markov = full.query("from marts.fct_attribution where model = 'markov' order by campaign")
    # ann came by google, cat directly and once without a session, by which that session led to it
    assert markov["campaign"].tolist() == ["(direct)", "(not set)"]
    assert markov["attributed_conversions"].tolist() == [2, 1]
    assert markov["lineage_ids"].map(list).tolist() == [
        ["events-2024-03-01"],
        ["events-2024-03-01", "events-2024-03-02"],
    ]


def test_claims_of_platforms_stand_beside_ga4_and_purchases(full: Project) -> None:
    claims = full.query("from marts.platform_claims order by date, channel, campaign")
    assert set(claims["known_to"]) == {"platform", "ga4"}
    unknown = claims[claims["known_to"] == "platform"]
    assert unknown["attributed_conversions"].isna().all()
    (total,) = full.query("from marts.platform_claims_daily where purchases > 0").to_dict("records")
    assert (total["reported_conversions"], total["purchases"]) == (5.0, 3)
    assert total["claims_per_purchase"] == 5 / 3
    assert pd.isna(total["over_claim_factor"])


def test_ads_eligibility_follows_the_latest_and_strictest_consent(full: Project) -> None:
    users = full.query("from marts.audience_features").set_index("user_key")
    # ann granted last; bob granted and denied at one instant; cat has no record
    assert users["ads_eligible"].to_dict() == {"ann": True, "bob": False, "cat": False}
    assert users["days_since_last_seen"].to_dict() == {"ann": 0, "bob": 0, "cat": 1}
    assert users["sessions"].to_dict() == {"ann": 2, "bob": 1, "cat": 2}


def test_a_day_counts_its_events_its_users_and_the_cookieless(full: Project) -> None:
    day = full.query("from marts.ga4_daily where date = '2024-03-01'").iloc[0]
    found = {name: day[name] for name in ("events", "users", "sessions", "cookieless_events")}
    assert found == {"events": 8, "users": 3, "sessions": 4, "cookieless_events": 7}


def test_the_published_columns_are_described_in_the_database(full: Project) -> None:
    columns = full.query(
        "select table_name, column_name from duckdb_columns()"
        " where schema_name = 'marts' and comment is null"
    )
    assert columns.empty, columns


def test_every_model_has_a_source_tag_and_reads_nothing_of_the_other_source(full: Project) -> None:
    nodes = json.loads((full.home / "target/manifest.json").read_text())["nodes"]
    models = {
        key: node for key, node in nodes.items() if node["resource_type"] in ("model", "seed")
    }
    for key, node in models.items():
        assert set(node["tags"]) & {"ads", "ga4", "always"}, key
        for parent in set(node["depends_on"].get("nodes", ())) & set(models):
            assert set(models[parent]["tags"]) & {*node["tags"], "always"}, (key, parent)
        if node["schema"] == "marts":
            assert node["config"]["contract"]["enforced"], key
            assert node["description"], key


def test_the_order_of_rows_changes_no_mart_and_an_emptied_day_is_empty(
    full: Project, tmp_path: Path
) -> None:
    project = Project(tmp_path)
    fill(project, backwards=True)
    project.build()
    assert project.marts() == full.marts()

    # consent withdrawn, a bad file removed: the partitions stay, their rows are gone
    for table in ("events", "cookieless_daily", "ad_performance"):
        project.write(table, [], DAY_2)
    project.build()
    for table, column in (
        ("kpi_daily", "date"),
        ("fct_sessions", "session_date"),
        ("fct_purchases", "purchase_date"),
        ("ga4_daily", "date"),
        ("fct_attribution", "date"),
        ("fct_attribution_channel", "date"),
        ("platform_claims", "date"),
        ("platform_claims_daily", "date"),
    ):
        days = project.query(f"select distinct {column} as day from marts.{table}")["day"]
        assert set(days.dt.date) == {DAY_1}, table


@pytest.mark.parametrize(
    ("ads", "ga4", "without", "expected"),
    [(True, False, "tag:ga4", ADS_MARTS), (False, True, "tag:ads", GA4_MARTS)],
)
def test_one_source_alone_is_enough(
    tmp_path: Path, ads: bool, ga4: bool, without: str, expected: set[str]
) -> None:
    project = Project(tmp_path)
    fill(project, ads=ads, ga4=ga4)
    if ga4:
        # neither is part of every export
        shutil.rmtree(project.lake / "consent_log")
        shutil.rmtree(project.lake / "cookieless_daily")
    project.build("--exclude", without)
    assert set(project.marts()) == expected | {"lineage_ledger", "consent_waterfall"}
    if ga4:
        assert not project.query("from marts.audience_features")["ads_eligible"].any()


def test_what_cannot_be_added_or_accounted_for_fails_the_build(tmp_path: Path) -> None:
    project = Project(tmp_path)
    fill(project, ga4=False)
    project.write("ad_performance", [ad(DAY_2, "TV", "X", currency="USD", clicks=-1)], DAY_2)
    project.write("lineage_ledger", [ledger_row(rows_in=7)], DAY_1)
    done = project.dbt("build", "--exclude", "tag:ga4", "--exclude-resource-type", "unit_test")
    assert done.returncode == 1
    for test in (
        "int_ad_days_have_an_exchange_rate",
        "lineage_ledger_rows_are_sound",
    ):
        assert f"Failure in test {test}" in done.stdout
    assert project.broken("lineage_ledger") == {"not so: rows_in_are_accounted_for."}
    # nothing is built of what cannot be added
    assert "marketing_clean" not in project.marts()
    # rows that are accounted for, by reasons that do not sum to their fate
    project.write("lineage_ledger", [ledger_row(reasons='{"consent_denied": 2}')], DAY_1)
    project.write("ad_performance", [ad(DAY_2, "TV", "X", clicks=-1)], DAY_2)
    done = project.dbt("build", "--exclude", "tag:ga4", "--exclude-resource-type", "unit_test")
    assert done.returncode == 1
    assert "Failure in test consent_waterfall_fates_sum_to_rows_in" in done.stdout
    assert "Failure in test lineage_ledger" not in done.stdout
    assert "Failure in test marketing_clean_rows_are_sound" in done.stdout
    assert project.broken("marketing_clean") == {"clicks is below zero."}


def test_only_signals_may_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path)
    monkeypatch.setenv("MKT_DBT_ACTIVATION_NEEDS", "ad_user_data,1 = 1 or x")
    done = project.dbt("compile", "--select", "audience_features")
    assert done.returncode != 0
    assert "unknown consent signal" in done.stdout


def test_the_unit_tests_pass_without_any_data(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.lake.mkdir()
    done = project.dbt("build", "--warn-error")
    assert done.returncode == 0, done.stdout
    assert "unit tests" in done.stdout
