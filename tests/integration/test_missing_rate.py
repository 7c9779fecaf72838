"""Spend in a currency without a rate: the run stops, and the check in the UI says what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest

REPORT = """date,channel,campaign,impressions,clicks,spend,conversions,revenue,currency
2024-03-01,Search,brand,1000,50,20.50,2,90.25,GBP
2024-03-01,Social,shoes,2000,60,40.50,3,70.75,USD
"""
#: what Dagster's own history says of each failed check
FAILED = """
import json
import dagster as dg

with dg.DagsterInstance.get() as instance:
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    (run,) = instance.get_runs()
    found = [
        record.event_log_entry.dagster_event.asset_check_evaluation_data
        for record in instance.get_records_for_run(run.run_id, of_type=kind).records
    ]
print(json.dumps({check.check_name: check.description for check in found if not check.passed}))
"""


def test_a_missing_rate_is_named_where_the_check_failed(tmp_path: Path, product: Product) -> None:
    report = tmp_path / "ads.csv"
    report.write_text(REPORT)
    there = product(
        tmp_path / "home",
        {
            "MKT_SOURCE": "files",
            "MKT_ADS_URI": str(report),
            "MKT_START_DATE": "2024-03-01",
        },
    )
    done = there.mkt("run", "--date", "2024-03-01")
    assert done["code"] == 1, done
    history = {"DAGSTER_HOME": str(there.data / "dagster")}
    told = product(there.home, history).run("python", "-c", FAILED)
    assert told["code"] == 0, told["err"]
    failed = json.loads(told["out"].splitlines()[-1])
    assert "no rate from GBP to USD on 2024-03-01: add one" in failed.pop(
        "int_ad_days_have_an_exchange_rate"
    )
    assert failed == {}
