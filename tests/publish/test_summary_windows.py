"""The summary after a run adds only what can be added."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from mkt_assets.lake import Lake
from mkt_assets.publish.snapshot import LINK
from mkt_assets.publish.summary import Summary, summarize
from mkt_assets.settings import Settings

#: Search and Social report on alternate days
ROWS = """
    ('2024-03-01', 'Search', 10, 40, {search}, 0), ('2024-03-02', 'Social', 10, 20, {social}, 0),
    ('2024-03-03', 'Email', 5, 0, 90, 0)
"""


def _summary(folder: Path, search: str, social: str) -> Summary:
    settings = Settings(data_dir=folder, source="files", ads_uri="ads.csv", currency="EUR")
    serving = Lake(folder).serving
    serving.mkdir(parents=True)
    with duckdb.connect(str(serving / LINK)) as con:
        con.execute("create schema marts")
        con.execute(
            "create table marts.marketing_clean as select col0::date as date, col1 as channel, "
            "col2::decimal(18, 4) as mark_spent, col3::decimal(18, 4) as revenue, "
            "col2::decimal(18, 4) as mark_spent_with_revenue, "
            "col4::bigint as click_window_days, col5::bigint as view_window_days "
            f"from (values {ROWS.format(search=search, social=social)})"
        )
        for table in (
            'consent_waterfall ("partition" date, reason text, row_count bigint, fate text)',
            'lineage_ledger ("partition" date, new_parameters text)',
            'anomalies (campaign text, type text, "start" date, "end" date, money_at_risk double)',
            "budget_allocation (channel text, current double, proposed double)",
            "revenue_forecast (series text, ds date, yhat double, model text)",
            "forecast_accuracy (series text, model text, beats_baseline boolean)",
        ):
            con.execute(f"create table marts.{table}")
    return summarize(settings, date(2024, 3, 1), date(2024, 3, 31))


@pytest.mark.parametrize(("search", "social"), [("30", "30"), ("30", "null"), ("null", "null")])
def test_one_window_is_one_sum(tmp_path: Path, search: str, social: str) -> None:
    told = _summary(tmp_path, search, social)
    assert (told.spend, told.revenue, told.roas) == (25, 60, 2.4)
    assert not told.has_mixed_windows


def test_windows_that_differ_only_between_days_are_not_added(tmp_path: Path) -> None:
    told = _summary(tmp_path, "30", "7")
    assert (told.spend, told.revenue, told.roas) == (25, None, None)
    assert "different conversion windows" in told.as_text()


def test_the_history_of_another_data_directory_is_told_to_the_ui(tmp_path: Path) -> None:
    words = _summary(tmp_path, "30", "30").as_text()
    assert f"DAGSTER_HOME={tmp_path / 'dagster'} dg dev" in words
