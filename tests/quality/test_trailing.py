"""Each number of a day stands beside what the weeks before it let expect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import pytest

from mkt_assets.quality.trailing import trailing_frame

LAST = date(2025, 6, 3)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Nine weeks of equal days, and a last one without e-mail and with half the clicks."""
    with duckdb.connect() as made:
        made.execute("create schema marts")
        made.execute(
            "create table marts.kpi_daily as select d::date as date, 10000 as impressions, "
            "if(d = $last, 100, 500) as clicks, 20 as conversions, 250.0 as mark_spent, "
            "900.0 as revenue, clicks / impressions as ctr, 0.5 as cpc, 0.04 as cvr, 45.0 as aov "
            "from range($last::timestamp - interval 63 day, $last::timestamp + interval 1 day, "
            "interval 1 day) t(d)",
            {"last": LAST},
        )
        made.execute(
            "create table marts.ga4_daily as select date, 5000 as events, 300 as users, "
            "400 as sessions, 200 as engaged_sessions, 8 as purchases, 400.0 as revenue "
            "from marts.kpi_daily"
        )
        made.execute(
            "create table marts.fct_sessions as select date as session_date, "
            "if(n < 160 and date < $last, 'Email', 'Direct') as channel_group "
            "from marts.kpi_daily, range(400) r(n)",
            {"last": LAST},
        )
        yield made


def odd(con: duckdb.DuckDBPyConnection, mart: str, *days: date) -> list[tuple[date, str]]:
    frame = trailing_frame(con, mart, days)
    out = frame[(frame["value"] < frame["lower"]) | (frame["value"] > frame["upper"])]
    return [(row.date.date(), row.metric) for row in out.itertuples()]


def test_only_what_changed_is_out_of_line(con: duckdb.DuckDBPyConnection) -> None:
    days = [LAST - timedelta(days=1), LAST]
    assert odd(con, "kpi_daily", *days) == [(LAST, "clicks"), (LAST, "ctr")]


def test_a_channel_that_vanished_is_told_though_it_has_no_row(
    con: duckdb.DuckDBPyConnection,
) -> None:
    assert odd(con, "ga4_daily", LAST) == [
        (LAST, "share of Direct in sessions"),
        (LAST, "share of Email in sessions"),
    ]


def test_few_purchases_make_no_mean_that_is_judged(con: duckdb.DuckDBPyConnection) -> None:
    told = trailing_frame(con, "ga4_daily", [LAST])
    assert "revenue" not in set(told["metric"])
    assert "purchases" in set(told["metric"])


def test_a_first_day_has_nothing_beside_it(con: duckdb.DuckDBPyConnection) -> None:
    assert trailing_frame(con, "kpi_daily", [LAST - timedelta(days=60)]).empty
    assert trailing_frame(con, "kpi_daily", [LAST + timedelta(days=1)]).empty
