"""The code location as Dagster loads it: light, complete, documented, honest about its inputs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parents[2]
GROUPS = {
    "ingest", "privacy", "marts", "insights", "forecast", "audiences", "experiments",
    "allocation", "activation", "publish",
}  # fmt: skip
ADS = {"MKT_SOURCE": "files", "MKT_ADS_URI": "ads.csv"}
GA4 = {
    "MKT_SOURCE": "files",
    "MKT_GA4_URI": "events_{date}.json",
    "MKT_PII_KEYS": json.dumps({"k1": "5a" * 32}),
}

#: a fresh interpreter loads the location and tells what is in it; stdout is one JSON object
GRAPH = """
import json, os, sys

from mkt_assets.definitions import defs

slow = {"prophet", "sklearn", "great_expectations", "matplotlib", "scipy", "statsmodels"}
heavy = sorted(slow & sys.modules.keys())
graph = defs.resolve_asset_graph()

import dagster as dg

single = dg.BackfillPolicy.single_run()
assets = {}
for key in graph.executable_asset_keys:
    node = graph.get(key)
    assets[key.to_user_string()] = {
        "group": node.group_name,
        "description": node.description,
        "owners": sorted(node.owners),
        "kinds": sorted(node.kinds),
        "daily": isinstance(node.partitions_def, dg.DailyPartitionsDefinition),
        "single_run": node.backfill_policy == single,
    }
checks = [
    {"asset": key.asset_key.to_user_string(), "name": key.name, "blocking": graph.get(key).blocking}
    for key in graph.asset_check_keys
]
snapshot = dg.AssetSelection.assets(["publish", "bi_snapshot"]).upstream().resolve(graph)
job = defs.resolve_job_def("daily_marketing")
print(json.dumps({
    "heavy": heavy,
    "assets": assets,
    "checks": checks,
    "before_publishing": sorted(key.to_user_string() for key in snapshot),
    "job": sorted(key.to_user_string() for key in job.asset_layer.executable_asset_keys),
    "schedules": {
        s.name: [s.job_name, s.cron_schedule, s.execution_timezone] for s in defs.schedules
    },
}))
"""

SCHEDULE = """
import json, sys
from datetime import datetime

import dagster as dg
from mkt_assets.schedules import daily_refresh

moment = datetime.fromisoformat(sys.argv[1])
with dg.DagsterInstance.ephemeral() as instance:
    context = dg.build_schedule_context(instance, scheduled_execution_time=moment)
    (request,) = daily_refresh.evaluate_tick(context).run_requests
print(json.dumps([request.run_key, dict(request.tags)]))
"""


def _graph(once: Callable[..., Told], product: Product, name: str, settings: Told) -> Told:
    def make(home: Path) -> Told:
        done = product(home, settings).run("python", "-c", GRAPH)
        assert done["code"] == 0, done["err"]
        return json.loads(done["out"])

    return once(f"definitions-{name}", make)


#: what sets ads beside GA4 needs both
CLAIMS = (
    "marts/int_platform_credits", "marts/platform_claims", "marts/platform_claims_channel",
    "marts/platform_claims_daily",
)  # fmt: skip


@pytest.fixture(scope="module")
def sample(once: Callable[..., Told], product: Product) -> Told:
    return _graph(once, product, "sample", {})


@pytest.fixture(scope="module")
def ads_only(once: Callable[..., Told], product: Product) -> Told:
    return _graph(once, product, "ads", ADS)


@pytest.fixture(scope="module")
def ga4_only(once: Callable[..., Told], product: Product) -> Told:
    return _graph(once, product, "ga4", GA4)


def test_loading_imports_no_heavy_library(sample: Told, ads_only: Told, ga4_only: Told) -> None:
    assert [graph["heavy"] for graph in (sample, ads_only, ga4_only)] == [[], [], []]


def test_the_groups_are_those_of_the_design(sample: Told) -> None:
    assert {asset["group"] for asset in sample["assets"].values()} == GROUPS
    misplaced = {k for k, asset in sample["assets"].items() if k.split("/")[0] != asset["group"]}
    assert misplaced == set()


def test_every_asset_says_what_it_is_and_whom_to_ask(sample: Told) -> None:
    for key, asset in sample["assets"].items():
        assert len(asset["description"] or "") > 20, key
        assert asset["description"] != key, key
        assert asset["owners"], key
        assert all(re.fullmatch(r"team:[a-z-]+", owner) for owner in asset["owners"]), key
        assert asset["kinds"], key


def test_every_asset_runs_a_range_of_days_as_one_run(sample: Told) -> None:
    assert [k for k, asset in sample["assets"].items() if not asset["single_run"]] == []
    daily = {k for k, asset in sample["assets"].items() if asset["daily"]}
    assert daily == {
        "ingest/raw_events", "ingest/raw_ad_performance", "privacy/events",
        "privacy/cookieless_daily", "privacy/ad_performance", "privacy/ad_refusals",
    }  # fmt: skip


def test_every_group_has_a_blocking_check(sample: Told, ads_only: Told, ga4_only: Told) -> None:
    for graph in (sample, ads_only, ga4_only):
        guarded = {c["asset"].split("/")[0] for c in graph["checks"] if c["blocking"]}
        assert guarded == {asset["group"] for asset in graph["assets"].values()}


def test_no_check_is_of_an_asset_that_is_not_there(
    sample: Told, ads_only: Told, ga4_only: Told
) -> None:
    for graph in (sample, ads_only, ga4_only):
        assert {c["asset"] for c in graph["checks"]} - graph["assets"].keys() == set()


def test_publishing_comes_after_every_blocking_check(
    sample: Told, ads_only: Told, ga4_only: Told
) -> None:
    """A failure anywhere leaves the last good version, as the closing words of `mkt run` say."""
    for graph in (sample, ads_only, ga4_only):
        checked = {c["asset"] for c in graph["checks"] if c["blocking"]}
        assert checked - set(graph["before_publishing"]) == set()


def test_the_job_is_the_whole_graph_but_what_is_asked_for(sample: Told) -> None:
    assert set(sample["job"]) == sample["assets"].keys() - {"privacy/key_rotation"}
    assert sample["schedules"] == {"daily_refresh": ["daily_marketing", "0 6 * * *", "UTC"]}


def test_ads_alone_leave_out_what_needs_events(sample: Told, ads_only: Told) -> None:
    left_out = sample["assets"].keys() - ads_only["assets"].keys()
    assert ads_only["assets"].keys() <= sample["assets"].keys()
    assert left_out == {
        "ingest/raw_events", "ingest/raw_consent_log", "ingest/raw_experiments",
        "ingest/raw_contacts", "privacy/match_keys", "privacy/erasures", "privacy/key_rotation",
        "privacy/events", "privacy/cookieless_daily", "privacy/consent_log",
        "privacy/experiments", "marts/stg_events", "marts/stg_cookieless_daily",
        "privacy/ad_refusals", "marts/stg_ad_refusals",
        "marts/stg_consent_log", "marts/int_session_days", "marts/int_sessions",
        "marts/int_user_days", "marts/int_users", "marts/int_purchase_events",
        "marts/int_purchases",
        "marts/int_ga4_days", "marts/int_campaign_days", "marts/fct_sessions",
        "marts/fct_purchases", "marts/ga4_daily", "marts/mer_daily", "marts/consent_current",
        "marts/audience_features", "marts/ga4_source_categories",
        "marts/int_conversion_paths", "marts/int_journey_transitions", "marts/int_markov_effects",
        "marts/int_attribution_rules", "marts/int_attribution_shares",
        "marts/int_attribution_credits", "marts/fct_attribution", "marts/fct_attribution_channel",
        *CLAIMS, "audiences/audience_segments", "experiments/experiment_results",
    }  # fmt: skip


def test_events_alone_leave_out_what_needs_spend(sample: Told, ga4_only: Told) -> None:
    left_out = sample["assets"].keys() - ga4_only["assets"].keys()
    assert ga4_only["assets"].keys() <= sample["assets"].keys()
    assert left_out == {
        "ingest/raw_ad_performance", "ingest/raw_consent_log", "ingest/raw_experiments",
        "ingest/raw_contacts", "privacy/match_keys",
        "privacy/ad_performance", "privacy/consent_log", "privacy/experiments",
        "marts/ad_sources", "marts/int_campaign_days",
        "marts/stg_ad_performance", "marts/int_ad_days", "marts/marketing_clean",
        "marts/marketing_kpi",
        "marts/kpi_daily", "marts/kpi_channel_daily", "marts/mer_daily", "insights/anomalies",
        "insights/trends",
        "insights/insights", "forecast/revenue_model", "forecast/budget_simulation",
        "audiences/campaign_clusters", "experiments/experiment_results",
        "allocation/budget_allocation", *CLAIMS,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "moment", "days"),
    [
        ({}, "2025-06-10T06:00:00+00:00", ("2025-06-06", "2025-06-09")),
        # 20:00 UTC is the next morning in Auckland, and the evening before in Honolulu
        (
            {"MKT_TIMEZONE": "Pacific/Auckland"},
            "2025-06-09T20:00:00+00:00",
            ("2025-06-06", "2025-06-09"),
        ),
        (
            {"MKT_TIMEZONE": "Pacific/Honolulu"},
            "2025-06-10T08:00:00+00:00",
            ("2025-06-05", "2025-06-08"),
        ),
        ({"MKT_LATE_DAYS": "0"}, "2025-06-10T06:00:00+00:00", ("2025-06-09", "2025-06-09")),
        (
            {"MKT_START_DATE": "2025-06-08"},
            "2025-06-10T06:00:00+00:00",
            ("2025-06-08", "2025-06-09"),
        ),
    ],
)
def test_the_schedule_asks_for_yesterday_and_the_late_days(
    product: Product, tmp_path: Path, settings: Told, moment: str, days: tuple[str, str]
) -> None:
    done = product(tmp_path, settings).run("python", "-c", SCHEDULE, moment)
    assert done["code"] == 0, done["err"]
    run_key, tags = json.loads(done["out"])
    assert run_key == days[1]
    asked = [tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end")]
    assert asked == list(days)


def test_dg_checks_and_lists_the_definitions(
    product: Product, tmp_path: Path, sample: Told
) -> None:
    here = product(tmp_path)
    checked = here.run("dg", "check", "defs", cwd=REPOSITORY)
    assert checked["code"] == 0, checked["err"]
    assert "All definitions loaded successfully" in checked["out"] + checked["err"]
    listed = here.run("dg", "list", "defs", "--json", cwd=REPOSITORY)
    assert listed["code"] == 0, listed["err"]
    told = json.loads(listed["out"])
    # dbt's exposures are there to be seen, not to be run
    seen = sample["assets"].keys() | {"publish/dashboards"}
    assert {asset["asset_key"] for asset in told["assets"]} == seen
    jobs = ["daily_marketing", "erase_subjects", "rotate_keys"]
    assert [job["name"] for job in told["jobs"]] == jobs
    assert [schedule["name"] for schedule in told["schedules"]] == ["daily_refresh"]
