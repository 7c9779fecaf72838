"""A column that is gone is told with the KPIs made of it, and stops the run until accepted."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from mkt_assets.contracts import lake_columns
from mkt_assets.ingest.ga4_schema import RAW_EVENT_COLUMNS
from mkt_assets.lake import Lake
from mkt_assets.quality import schema_changes
from mkt_assets.quality.schema_changes import Seen, changes, downstream_of, newest, outcomes

MONDAY, TUESDAY = date(2025, 6, 2), date(2025, 6, 3)
ADS = {"date": "text", "campaign": "text", "cost": "text", "sales": "text"}
DOWNSTREAM = {
    "lake.ad_performance.revenue": ["kpi_daily.roas", "kpi_daily.roi", "marketing_kpi.aov"],
    "lake.ad_performance.campaign_id": ["marketing_clean.campaign_id"],
}


def seen(columns: dict[str, str], day: date = MONDAY) -> dict[str, Seen]:
    return newest([(day, "file:///ads/google_20250602.csv", columns)])


def test_the_same_columns_are_no_change_whatever_the_date_in_the_name() -> None:
    later = newest([(TUESDAY, "file:///ads/google_20250603.csv", ADS)])
    assert changes(seen(ADS), later) == []


def test_each_platform_is_compared_with_itself() -> None:
    both = [(MONDAY, "file:///ads/meta.csv", {"a": "text"}), (MONDAY, "file:///ads/g.csv", ADS)]
    assert set(newest(both)) == {"ads/meta.csv", "ads/g.csv"}
    folders = [(MONDAY, "file:///meta/1.csv", ADS), (MONDAY, "file:///google/1.csv", ADS)]
    assert len(newest(folders)) == 2


def test_a_first_run_and_an_older_day_are_no_change() -> None:
    assert changes({}, seen(ADS)) == []
    assert changes(seen(ADS, TUESDAY), seen({"date": "text"}, MONDAY)) == []


def test_a_gone_new_or_retyped_column_is_named() -> None:
    now = {k: v for k, v in ADS.items() if k != "sales"} | {"cost": "DOUBLE", "leads": "text"}
    assert [c.sentence() for c in changes(seen(ADS), seen(now, TUESDAY))] == [
        "column cost of ads/google_#.csv is DOUBLE, it was text",
        "column sales is gone from ads/google_#.csv",
        "column leads is new in ads/google_#.csv",
    ]


def test_a_gone_column_says_which_kpi_breaks_and_what_to_do() -> None:
    now = seen({k: v for k, v in ADS.items() if k != "sales"}, TUESDAY)
    lost, other = outcomes("ad_performance", now, changes(seen(ADS), now), DOWNSTREAM)
    assert lost.blocking
    assert lost.broken == 1
    assert "made of it are aov, roas, roi in kpi_daily, marketing_kpi" in lost.sentence()
    assert "MKT_ACCEPTED_CHANGES=ad_performance.sales" in lost.sentence()
    assert other.holds


@pytest.mark.parametrize("gone", ["campaign_id", "our notes"])
def test_what_no_kpi_is_made_of_only_warns(gone: str) -> None:
    now = seen(ADS, TUESDAY)
    before = seen(ADS | {gone: "text"})
    lost, other = outcomes("ad_performance", now, changes(before, now), DOWNSTREAM)
    assert lost.holds
    assert other.broken == 1
    assert not other.blocking


def test_an_accepted_change_is_as_it_should_be() -> None:
    now = seen({k: v for k, v in ADS.items() if k != "sales"}, TUESDAY)
    accepted = ["ad_performance.sales"]
    found = outcomes("ad_performance", now, changes(seen(ADS), now), DOWNSTREAM, accepted)
    assert all(o.holds for o in found)


def test_what_was_seen_is_kept_and_files_that_were_not_read_with_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert schema_changes.last_seen(lake, "events") == {}
    first = newest([(MONDAY, "a/x.csv", {"b": "text"}), (MONDAY, "a/y.csv", {"c": "text"})])
    schema_changes.remember(lake, "events", first)
    second = newest([(TUESDAY, "a/y.csv", {"d": "text"})])
    schema_changes.remember(lake, "events", second)
    assert schema_changes.last_seen(lake, "events") == first | second


def test_names_that_are_new_each_day_do_not_pile_up(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    letters = "abcdefghij"
    many = [
        (MONDAY, f"{a}/{b}{c}.csv", {"x": "text"}) for a in letters for b in letters for c in "klm"
    ]
    schema_changes.remember(lake, "events", newest(many))
    assert len(schema_changes.last_seen(lake, "events")) == 200


def test_the_way_from_the_lake_to_the_marts_is_followed_through_every_model() -> None:
    parents = {
        "stg_ads": {"cost": [("lake.ads", "spend")]},
        "int_ads": {"cost": [("staging.stg_ads", "cost")], "name": [("lake.ads", "campaign")]},
        "kpi": {"roas": [("intermediate.int_ads", "cost"), ("marts.clean", "revenue")]},
        "clean": {"revenue": [("lake.ads", "revenue")]},
    }
    assert downstream_of(parents, {"kpi", "clean"}) == {
        "lake.ads.spend": ["kpi.roas"],
        "lake.ads.campaign": [],
        "lake.ads.revenue": ["clean.revenue", "kpi.roas"],
    }


def test_every_field_of_an_export_is_told_to_columns_that_the_lake_has() -> None:
    known = {c.name for c in lake_columns("events")}
    for column in RAW_EVENT_COLUMNS:
        assert set(schema_changes.lake_columns_of("events", column)) <= known, column
    told = schema_changes.lake_columns_of("events", "ecommerce.purchase_revenue")
    assert told == ("purchase_revenue",)
    assert schema_changes.lake_columns_of("events", "event_params[].key")


def test_headers_of_ad_files_are_known_in_every_spelling() -> None:
    assert schema_changes.lake_columns_of("ad_performance", "Conv. value") == ("revenue",)
    assert schema_changes.lake_columns_of("ad_performance", "metrics.cost_micros") == ("spend",)
    assert schema_changes.lake_columns_of("ad_performance", "our notes") == ()
