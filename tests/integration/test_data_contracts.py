"""Faults fed to the real graph: what must not be published is not, and what to do is said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

HEADER = "date,channel,campaign,impressions,clicks,spend,conversions,revenue"
FIRST = date(2024, 3, 1)
#: jobs of nothing but the contracts, as the UI runs them: of one table, then the whole
CONTRACTS = """
import json, pathlib, sys
import dagster as dg
from mkt_assets.definitions import build_defs
from mkt_assets.quality.checks import data_contracts

one = dg.AssetCheckKey(dg.AssetKey(["marts", "kpi_daily"]), "keeps_its_data_contract")
jobs = [
    dg.define_asset_job("whole", selection=dg.AssetSelection.checks(data_contracts)),
    dg.define_asset_job("one", selection=dg.AssetSelection.checks(one)),
]
defs = dg.Definitions.merge(build_defs(), dg.Definitions(jobs=jobs))
for job in ("one", "whole"):
    done = defs.resolve_job_def(job).execute_in_process(raise_on_error=False)
    checks = {
        f"{e.asset_key.to_user_string()}:{e.check_name}": {
            "passed": e.passed,
            "severity": e.severity.value,
            "description": e.description,
            "metadata": {name: str(value.value) for name, value in e.metadata.items()},
        }
        for e in done.get_asset_check_evaluations()
    }
    page = pathlib.Path(sys.argv[1]).read_text()
    print(json.dumps({"success": done.success, "checks": checks, "page": page}))
"""
GATE = "activation/dsp_payload:every_data_contract_is_kept"


def report(days: int, *, without: str = "") -> str:
    """Two campaigns a day."""
    columns = HEADER.split(",")
    lines = []
    for number in range(days):
        day = FIRST + timedelta(days=number)
        search = f"{day},Search,brand,{1000 + number},{50 + number % 7},{20 + number}.5,2,90.25"
        social = f"{day},Social,shoes,{2000 - number},{60 + number % 5},{40 + number}.5,3,70.75"
        lines += [search, social]
    kept = [i for i, name in enumerate(columns) if name != without]
    rows = [columns, *(line.split(",") for line in lines)]
    return "\n".join(",".join(row[i] for i in kept) for row in rows) + "\n"


def _tampered(path: Path) -> None:
    """A row of the trends twice, and one of a campaign that there is not."""
    with duckdb.connect() as con:
        con.execute(f"create table t as from read_parquet('{path}')")
        con.execute("insert into t from t limit 1")
        con.execute("update t set campaign = 'ghost' where campaign = 'shoes' and metric = 'ctr'")
        con.execute(f"copy t to '{path}' (format parquet)")


@pytest.fixture(scope="module")
def told(once: Callable[..., Told], product: Product) -> Told:
    """A good run, a tampered model, a file without its revenue, and that change accepted."""

    def make(home: Path) -> Told:
        place = home / "ads.csv"
        settings = {"MKT_SOURCE": "files", "MKT_ADS_URI": str(place)}
        there = product(home, settings | {"MKT_START_DATE": "2024-01-01"})
        steps: Told = {}

        def run(name: str, days: int, by: Product, **given: str) -> None:
            place.write_text(report(days, **given))
            last = FIRST + timedelta(days=days - 1)
            steps[name] = by.mkt("run", "--from", last - timedelta(days=2), "--to", last, "--json")
            steps[name]["sha256"] = hashlib.sha256(there.published.read_bytes()).hexdigest()

        run("good", 10, there)
        page = there.data / "reports" / "data_docs" / "index.html"
        steps["page"] = page.read_text()
        _tampered(there.lake.model("insights/trends"))
        done = there.run("python", "-c", CONTRACTS, page)
        assert done["code"] == 0, done["err"][-2000:]
        steps["one"], steps["whole"] = map(json.loads, done["out"].splitlines()[-2:])
        run("gone", 11, there, without="revenue")
        accepting = {"MKT_ACCEPTED_CHANGES": "ad_performance.revenue"}
        run("accepted", 11, product(home, dict(there.settings) | accepting), without="revenue")
        return steps

    return once("data-contracts", make)


def test_a_good_run_tells_every_rule_on_one_page(told: Told) -> None:
    assert told["good"]["code"] == 0, told["good"]
    for words in ("marts/kpi_daily", "there is one row per date", "privacy/ad_performance"):
        assert words in told["page"]
    assert "What is broken" not in told["page"]


def test_a_broken_contract_stops_before_publishing_and_names_the_keys(told: Told) -> None:
    assert not told["whole"]["success"]
    checks = told["whole"]["checks"]
    gate, trends = checks[GATE], checks["insights/trends:keeps_its_data_contract"]
    assert (gate["passed"], gate["severity"]) == (False, "ERROR")
    assert "insights/trends" in gate["description"]
    assert trends["metadata"]["rules_broken"] == "2"
    assert "there is one row per campaign, metric" in trends["metadata"]["broken"]
    assert "ghost, ctr" in trends["metadata"]["broken"]
    assert trends["metadata"]["data_docs"].endswith("reports/data_docs/index.html")
    others = {name for name, check in checks.items() if not check["passed"]}
    assert others == {GATE, "insights/trends:keeps_its_data_contract"}
    assert "ghost, ctr" in told["whole"]["page"]
    assert "Publishing stopped" in told["whole"]["page"]


def test_one_table_can_be_checked_alone_and_leaves_the_page(told: Told) -> None:
    assert told["one"]["success"]
    assert list(told["one"]["checks"]) == ["marts/kpi_daily:keeps_its_data_contract"]
    assert told["one"]["page"] == told["page"]


def test_a_gone_column_stops_the_run_with_the_kpis_that_it_feeds(told: Told) -> None:
    gone = json.loads(told["gone"]["out"])
    assert told["gone"]["code"] == 1
    (failure,) = gone["failures"]
    assert "column revenue is gone from" in failure
    assert "aov, roas, roi" in failure
    assert "kpi_daily" in failure
    assert "MKT_ACCEPTED_CHANGES=ad_performance.revenue" in failure
    assert told["gone"]["sha256"] == told["good"]["sha256"]


def test_an_accepted_change_is_published(told: Told) -> None:
    assert told["accepted"]["code"] == 0, told["accepted"]
    assert told["accepted"]["sha256"] != told["good"]["sha256"]
