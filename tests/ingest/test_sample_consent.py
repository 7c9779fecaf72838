"""The sample's consent log: it comes before the events, and the events mostly obey it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.ingest import sample
from mkt_assets.ingest.sample_visitors import SIGNALS

DAYS = st.dates(date(2024, 1, 1), date(2030, 12, 31))
UPTO = date(2026, 6, 30)

#: what the log says of each event's visitor at the time of the event
JOINED = """
    select events.*, log.analytics_storage as said, log.ad_storage as ads_said
    from events asof left join log
    on events.user_pseudo_id = log.subject_id and events.at >= log.changed_at
    where events.user_pseudo_id is not null
"""


def joined(select: str, events: pa.Table, log: pa.Table) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.register("raw", events)
        con.register("log", log)
        con.execute(
            "create view events as select *, "
            "make_timestamp(event_timestamp) at time zone 'UTC' as at from raw"
        )
        return con.execute(f"with joined as ({JOINED}) {select}").fetchall()


@settings(max_examples=12, deadline=None)
@given(
    DAYS,
    st.integers(0, 500),
    st.integers(0, 10_000),
    st.sampled_from(["UTC", "Pacific/Auckland", "America/Los_Angeles"]),
)
def test_consent_comes_before_every_event_of_the_last_two_years(
    upto: date, days_ago: int, seed: int, zone: str
) -> None:
    log = sample.consent_log(upto, seed=seed, events_per_day=400, timezone=zone)
    day = upto - timedelta(days=days_ago)
    events = sample.events(day, seed=seed, events_per_day=400, timezone=zone)
    assert joined("select count(*) from joined where said is null", events, log) == [(0,)]


@settings(max_examples=10, deadline=None)
@given(DAYS, st.integers(1, 60))
def test_a_later_log_keeps_what_the_earlier_one_knew(upto: date, later: int) -> None:
    after = sample.consent_log(upto + timedelta(days=later), events_per_day=200).to_pylist()
    before = sample.consent_log(upto, events_per_day=200).to_pylist()
    recent = datetime.combine(upto, datetime.min.time(), UTC) - timedelta(days=700)
    assert {repr(row) for row in before if row["changed_at"] > recent} <= {
        repr(row) for row in after
    }
    end = datetime.combine(upto + timedelta(days=1), datetime.min.time(), UTC)
    assert all(row["changed_at"] < end for row in before)


def test_the_log_has_its_columns_is_in_order_and_does_not_grow() -> None:
    log = sample.consent_log(UPTO)
    assert log.schema.names == ["subject_id", "changed_at", *SIGNALS]
    assert log.schema.field("changed_at").type == pa.timestamp("us", "UTC")
    assert set(pc.unique(log["ad_user_data"]).to_pylist()) == {"granted", "denied"}
    times = log["changed_at"].to_numpy()
    assert (times[1:] >= times[:-1]).all()
    decade = len(sample.consent_log(date(2036, 6, 30)))
    assert decade == pytest.approx(len(log), rel=0.02)


def test_fewer_grant_what_reaches_further_and_some_change_their_mind() -> None:
    log = sample.consent_log(UPTO)
    share = {n: pc.mean(pc.equal(log[n], "granted").cast("int8")).as_py() for n in SIGNALS}
    assert 0.8 < share["analytics_storage"] < 0.95
    assert share["analytics_storage"] > share["ad_storage"] > share["ad_user_data"]
    assert share["ad_user_data"] > share["ad_personalization"] > 0.4
    with duckdb.connect() as con:
        con.register("log", log)
        changed = con.execute(
            "select count(*) filter (where n = 2) / count(*), max(n) from "
            "(select count(*) as n from log group by subject_id)"
        ).fetchone()
        withdrawn = con.execute(
            "select count(*) from log as a join log as b using (subject_id) "
            "where a.changed_at < b.changed_at and a.analytics_storage = 'granted' "
            "and b.analytics_storage = 'denied'"
        ).fetchone()
    assert changed is not None
    assert 0.03 < changed[0] < 0.15
    assert changed[1] == 2
    assert withdrawn is not None
    assert withdrawn[0] > 100


def test_events_mostly_say_what_the_log_says_but_a_few_leak() -> None:
    days = [UPTO - timedelta(days=n) for n in range(10)]
    events = pa.concat_tables([sample.events(day) for day in days])
    said = dict(
        joined(
            "select said || '/' || privacy_info.analytics_storage, count(*) from joined group by 1",
            events,
            sample.consent_log(UPTO),
        )
    )
    denied = {name.split("/")[1]: n for name, n in said.items() if name.startswith("denied")}
    assert 0 < denied["Yes"] < 0.4 * sum(denied.values())
    assert denied["No"]
    assert denied["Unset"]
    assert "granted/No" not in said
    assert said["granted/Unset"] < 0.06 * said["granted/Yes"]
