"""The sample's events: the same by date, shaped like a GA4 export, and as dirty as one."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.ingest import sample
from mkt_assets.ingest.ga4_schema import RAW_EVENT_COLUMNS
from mkt_assets.ingest.sample_campaigns import campaigns_on
from mkt_assets.ingest.sample_links import touches

DAYS = st.dates(date(2024, 1, 1), date(2030, 12, 31))
SEEDS = st.integers(0, 10_000)
MONDAY = date(2026, 3, 2)


@cache
def week() -> pa.Table:
    return pa.concat_tables([sample.events(MONDAY + timedelta(days=n)) for n in range(7)])


def query(sql: str, events: pa.Table | None = None) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        con.register("events", week() if events is None else events)
        con.execute("create macro param(ps, k) as list_filter(ps, lambda e: e.key = k)[1].value")
        return con.execute(sql).fetchall()


def one(sql: str, events: pa.Table | None = None) -> float:
    return float(query(sql, events)[0][0])


def rows(table: pa.Table) -> Counter[str]:
    return Counter(repr(row) for row in table.to_pylist())


@settings(max_examples=15, deadline=None)
@given(DAYS, SEEDS, st.sampled_from(["UTC", "Europe/Berlin", "America/Los_Angeles"]))
def test_a_day_is_the_same_whatever_was_asked_before(day: date, seed: int, zone: str) -> None:
    alone = sample.events(day, seed=seed, events_per_day=300, timezone=zone)
    for neighbour in (day - timedelta(days=1), day + timedelta(days=1)):
        sample.events(neighbour, seed=seed, events_per_day=300, timezone=zone)
    assert sample.events(day, seed=seed, events_per_day=300, timezone=zone).equals(alone)


def test_another_seed_or_day_gives_other_rows() -> None:
    first = sample.events(MONDAY)
    assert not first.equals(sample.events(MONDAY, seed=8))
    ids = "select distinct user_pseudo_id from events order by 1"
    assert query(ids, first) != query(ids, sample.events(MONDAY + timedelta(days=1)))


@settings(max_examples=25, deadline=None)
@given(DAYS, SEEDS)
def test_a_default_day_has_at_least_2000_rows_even_on_time(day: date, seed: int) -> None:
    assert 2000 <= len(sample.events(day, seed=seed, days_late=0)) <= 3600


def test_columns_and_types_are_those_of_the_export() -> None:
    cast = ", ".join(f'cast(null as {kind}) as "{n}"' for n, kind in RAW_EVENT_COLUMNS.items())
    table = sample.events(MONDAY)
    with duckdb.connect() as con:
        con.register("events", table)
        wanted = con.execute(f"describe select {cast}").fetchall()
        assert con.execute("describe events").fetchall() == wanted
        assert con.sql(f"select {cast} limit 0").to_arrow_table().schema == table.schema
    table.validate(full=True)


@settings(max_examples=15, deadline=None)
@given(DAYS, st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Los_Angeles"]))
def test_every_event_lies_on_its_day_in_the_property_time_zone(day: date, zone: str) -> None:
    table = sample.events(day, events_per_day=500, timezone=zone)
    assert pc.unique(table["event_date"]).to_pylist() == [f"{day:%Y%m%d}"]
    times = table["event_timestamp"].cast(pa.timestamp("us", "UTC")).to_pylist()
    assert {at.astimezone(ZoneInfo(zone)).date() for at in times} == {day}


@settings(max_examples=5, deadline=None)
@given(DAYS, SEEDS)
def test_what_is_on_time_stays_when_the_late_arrives(day: date, seed: int) -> None:
    exports = [
        rows(sample.events(day, seed=seed, events_per_day=400, days_late=late))
        for late in (0, 1, 2, 3, None)
    ]
    for earlier, later in pairwise(exports):
        assert earlier <= later
    assert exports[3] == exports[4]


def test_about_two_percent_are_late() -> None:
    late = 1 - sum(
        len(sample.events(MONDAY + timedelta(days=n), days_late=0)) for n in range(7)
    ) / (len(week()))
    assert 0.012 < late < 0.03


@settings(max_examples=15, deadline=None)
@given(DAYS, SEEDS)
def test_visits_of_a_campaign_are_those_of_the_plan(day: date, seed: int) -> None:
    found = dict(
        query(
            "select collected_traffic_source.manual_campaign_id, count(*) from "
            "(select distinct event_timestamp, user_pseudo_id, geo, device, "
            "collected_traffic_source from events where event_name = 'session_start') "
            "where collected_traffic_source.manual_campaign_id is not null group by 1",
            sample.events(day, seed=seed),
        )
    )
    plan = sample.daily_plan(day, seed=seed)
    told = {
        c.campaign_id: int(n) for c, n in zip(plan.campaigns, plan.visits, strict=True) if n > 0
    }
    assert found == told
    assert (plan.visits <= plan.clicks).all()


def test_exact_duplicates_are_one_percent_and_otherwise_rows_differ() -> None:
    copies = sum(n - 1 for n in rows(week()).values())
    assert 0.006 < copies / len(week()) < 0.015
    assert one("select count(distinct event_bundle_sequence_id || event_date) from events") == (
        len(week()) - copies
    )


def test_cookieless_events_have_no_id_and_say_so() -> None:
    share = one("select avg((user_pseudo_id is null)::int) from events")
    assert 0.05 < share < 0.11
    assert not query(
        "select 1 from events where (user_pseudo_id is null) and (user_id is not null or "
        "param(event_params, 'ga_session_id').int_value is not null "
        "or privacy_info.analytics_storage != 'No' or privacy_info.ads_storage != 'No' "
        "or user_first_touch_timestamp is not null)"
    )
    assert not query(
        "select 1 from events where user_pseudo_id is not null "
        "and (param(event_params, 'ga_session_id').int_value is null "
        "or traffic_source.source is null)"
    )


@pytest.mark.parametrize(
    "dirt",
    [
        "privacy_info.analytics_storage = 'Unset'",
        "privacy_info.analytics_storage = 'No' and user_pseudo_id is not null",
        "param(event_params, 'page_location').string_value like '%?email=%@example.%'",
        "param(event_params, 'page_location').string_value like '%email=%^%40%' escape '^'",
        "param(event_params, 'page_title').string_value like '%@example.%'",
        "param(event_params, 'page_referrer').string_value like '%email=%'",
        "param(event_params, 'page_location').string_value like '%gclid=%'",
        "param(event_params, 'page_location').string_value like '%fbclid=%'",
        "param(event_params, 'page_location').string_value like '%msclkid=%'",
        "collected_traffic_source.gclid is not null",
        "collected_traffic_source.dclid is not null",
        "user_id is not null",
        "geo.city = '(not set)'",
        "traffic_source.source = '(not set)'",
        "param(event_params, 'session_engaged').string_value = '1'",
        "param(event_params, 'session_engaged').int_value = 1",
        "param(event_params, 'value').int_value is not null",
        "param(event_params, 'value').double_value is not null",
        "list_contains(list_transform(items, lambda i: i.item_brand), '(not set)')",
    ],
)
def test_a_week_has_the_dirt_of_real_exports(dirt: str) -> None:
    assert one(f"select count(*) from events where {dirt}") > 0


def test_a_session_belongs_to_one_visitor_one_campaign_and_at_most_half_an_hour() -> None:
    spans = query(
        "select max(event_timestamp) - min(event_timestamp), count(distinct "
        "session_traffic_source_last_click), max(case when event_name = 'page_view' then 1 end) "
        "from events where user_pseudo_id is not null "
        "group by user_pseudo_id, param(event_params, 'ga_session_id').int_value"
    )
    assert max(span for span, _, _ in spans) <= 30 * 60 * 1_000_000
    assert {sources for _, sources, _ in spans} == {1}


def test_some_sessions_cross_midnight_and_some_visitors_come_twice() -> None:
    key = "user_pseudo_id, param(event_params, 'ga_session_id').int_value"
    known = "from events where user_pseudo_id is not null"
    assert query(f"select 1 {known} group by {key} having count(distinct event_date) = 2")
    assert query(
        f"select 1 {known} group by user_pseudo_id, event_date "
        "having count(distinct param(event_params, 'ga_session_id').int_value) = 2"
    )


def test_first_touch_never_changes_and_is_what_the_first_visit_came_by() -> None:
    assert not query(
        "select 1 from events where user_pseudo_id is not null group by user_pseudo_id "
        "having count(distinct traffic_source) > 1 "
        "or count(distinct user_first_touch_timestamp) > 1"
    )
    assert not query(
        "select 1 from events where event_name = 'first_visit' and user_pseudo_id is not null and "
        "(traffic_source.source != session_traffic_source_last_click.cross_channel_campaign.source "
        "or event_timestamp < user_first_touch_timestamp "
        "or param(event_params, 'ga_session_number').int_value != 1)"
    )


def test_money_of_a_purchase_agrees_wherever_it_is_told() -> None:
    told = query(
        "select ecommerce.purchase_revenue, list_sum(list_transform(items, lambda i: "
        "i.item_revenue)), coalesce(param(event_params, 'value').double_value, "
        "param(event_params, 'value').int_value), "
        "param(event_params, 'currency').string_value, ecommerce.transaction_id, "
        "param(event_params, 'transaction_id').string_value "
        "from events where event_name = 'purchase'"
    )
    assert len(told) > 50
    for revenue, items, value, currency, transaction, named in told:
        assert revenue == pytest.approx(items) == pytest.approx(value)
        assert currency == "USD"
        assert transaction == named
    assert (
        one(
            "select count(*) from events where event_name != 'purchase' "
            "and ecommerce.purchase_revenue is not null"
        )
        == 0
    )


def test_every_touch_of_the_plan_has_a_place() -> None:
    places = touches(campaigns_on(MONDAY))
    assert len({(p.source, p.medium, p.campaign) for p in places}) == len(places)


def test_a_large_day_is_built_in_parts_without_losing_the_law() -> None:
    events = sample.events(MONDAY, events_per_day=200_000)
    assert events["event_name"].num_chunks > 3
    starts = one(
        "select count(distinct event_bundle_sequence_id) from events where event_name = "
        "'session_start' and collected_traffic_source.manual_campaign_id is not null",
        events,
    )
    assert starts == int(np.sum(sample.daily_plan(MONDAY, events_per_day=200_000).visits))
