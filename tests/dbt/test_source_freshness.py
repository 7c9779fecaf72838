"""Whether `dbt source freshness` tells old inputs from new ones, on files alone."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from lake_project import DAY_1, Project


@pytest.mark.slow
def test_inputs_that_stay_away_are_told(tmp_path: Path) -> None:
    project = Project(tmp_path)
    now = dt.datetime.now(dt.UTC)
    ages = {"events": 3, "ad_performance": 8, "lineage_ledger": 0}
    for table, days in ages.items():
        row = {"processed_at": str(now - dt.timedelta(days=days))}
        # the newest row counts
        project.write(table, [row, {"processed_at": str(now - dt.timedelta(days=30))}], DAY_1)
    done = project.dbt("source", "freshness")
    assert done.returncode == 1, done.stdout
    told = json.loads((project.target / "sources.json").read_text())["results"]
    found = {one["unique_id"].rpartition(".")[2]: one["status"] for one in told}
    assert found == {"events": "warn", "ad_performance": "error", "lineage_ledger": "pass"}

    # a property without ads has none that could be stale
    done = project.dbt("source", "freshness", "--exclude", "tag:ads")
    assert done.returncode == 0, done.stdout
