"""Rows of the run's days that break a rule are counted, and told by their keys."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from mkt_assets.contracts import lake_columns
from mkt_assets.lake import Lake
from mkt_assets.privacy.policy import POLICY_V1
from mkt_assets.quality.outcomes import Outcome
from mkt_assets.quality.row_rules import AD_KEY, AD_RULES, EVENT_KEY, event_rules, judge_rows

DAY = date(2025, 6, 2)
EVENT = {
    "event_date": "date '2025-06-02'",
    "event_timestamp": "1748865600000000",
    "event_name": "'purchase'",
    "event_key": "md5('b')",
    "user_key": "'u'",
    "lineage_id": "'ln'",
    "purchase_revenue": "12.5",
    "analytics_storage": "'granted'",
    "ad_storage": "'denied'",
}
AD = {
    "date": "date '2025-06-02'",
    "channel": "'Search'",
    "campaign": "'Brand'",
    "spend": "10",
    "impressions": "100",
    "clicks": "5",
    "lineage_id": "'ln'",
}


def stored(lake: Lake, table: str, *rows: dict[str, str], without: str = "") -> None:
    columns = [c for c in lake_columns(table) if c.name != without]
    queries = [
        "select "
        + ", ".join(f'cast({row.get(c.name, "null")} as {c.type}) as "{c.name}"' for c in columns)
        for row in rows
    ]
    path = lake.partition(table, DAY)
    path.parent.mkdir(parents=True)
    duckdb.execute(f"copy ({' union all '.join(queries)}) to '{path}' (format parquet)")


def events(lake: Lake) -> list[Outcome]:
    return judge_rows(lake, "events", [DAY], event_rules(POLICY_V1), EVENT_KEY)


def broken(outcomes: list[Outcome]) -> list[str]:
    return [o.sentence() for o in outcomes if not o.holds]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    place = Lake(tmp_path)
    place.prepare()
    return place


def test_good_rows_break_nothing(lake: Lake) -> None:
    stored(lake, "events", EVENT)
    stored(lake, "ad_performance", AD)
    assert broken(events(lake)) == []
    ads = judge_rows(lake, "ad_performance", [DAY], AD_RULES, AD_KEY)
    assert broken(ads) == []
    assert [o.tested for o in ads[1:]] == [1] * len(AD_RULES)


def test_a_run_without_files_says_nothing(lake: Lake) -> None:
    assert events(lake) == []


@pytest.mark.parametrize(
    ("fault", "words", "blocking"),
    [
        ({"user_key": "null"}, "are there (2025-06-02 event_key 0cc175b9...)", True),
        (
            {"event_timestamp": "1000"},
            "lies within its day, in some time zone (2025-06-02 event_key 0cc175b9...)",
            False,
        ),
        (
            {"purchase_revenue": "-1"},
            "purchase_revenue is at least 0 (2025-06-02 event_key 0cc175b9...)",
            False,
        ),
        (
            {"analytics_storage": "'denied'"},
            "has the consent that policy 1 asks for (2025-06-02 event_key 0cc175b9...)",
            True,
        ),
        (
            {"analytics_storage": "null"},
            "has the consent that policy 1 asks for (2025-06-02 event_key 0cc175b9...)",
            True,
        ),
    ],
)
def test_each_broken_rule_of_events_names_the_event(
    lake: Lake, fault: dict[str, str], words: str, blocking: bool
) -> None:
    stored(lake, "events", EVENT, EVENT | {"event_key": "md5('a')"} | fault)
    (found,) = [o for o in events(lake) if not o.holds]
    assert words in found.sentence()
    assert found.sentence().startswith("not so in 1 of 2: ")
    assert found.blocking is blocking


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"spend": "-1"}, "are at least 0 (2025-06-02, Search, Brand)"),
        ({"clicks": "101"}, "clicks are not above impressions (2025-06-02, Search, Brand)"),
        ({"lineage_id": "null"}, "lineage_id are there (2025-06-02, Search, Brand)"),
    ],
)
def test_each_broken_rule_of_ads_names_the_campaign(
    lake: Lake, fault: dict[str, str], words: str
) -> None:
    stored(lake, "ad_performance", AD | fault)
    (found,) = [
        o for o in judge_rows(lake, "ad_performance", [DAY], AD_RULES, AD_KEY) if not o.holds
    ]
    assert words in found.sentence()


def test_a_missing_column_is_told_before_anything_is_asked_of_it(lake: Lake) -> None:
    stored(lake, "events", EVENT, without="user_key")
    (found,) = events(lake)
    assert found.blocking
    assert found.samples == ("column user_key is missing, the contract says VARCHAR",)
