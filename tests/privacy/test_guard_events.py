"""The guard of the events: the policy exactly, every row accounted, the same bytes again."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mkt_assets.errors import MktError
from mkt_assets.privacy.pseudonyms import Key, pseudonym, stand_in

Workplace = Any  # the fixture's type lives in conftest
DAY = date(2025, 3, 10)
NOON = int(datetime(2025, 3, 10, 12, tzinfo=UTC).timestamp() * 1e6)
PROCESSED_AT = datetime(2025, 3, 11, 6, tzinfo=UTC)
KEY = Key("k1", bytes(range(32)))
SOURCE = "drops/events_20250310.ndjson"
HOUR = 3_600_000_000
LAKE_COLUMNS = """
    event_date DATE, event_timestamp BIGINT, event_name VARCHAR, event_key VARCHAR,
    user_key VARCHAR, login_key VARCHAR, ga_session_id BIGINT, ga_session_number BIGINT,
    session_engaged BOOLEAN, engagement_time_msec BIGINT, page_location VARCHAR,
    page_referrer VARCHAR, page_title VARCHAR, param_source VARCHAR, param_medium VARCHAR,
    param_campaign VARCHAR, collected_source VARCHAR, collected_medium VARCHAR,
    collected_campaign VARCHAR, click_id_type VARCHAR, session_source VARCHAR,
    session_medium VARCHAR, session_campaign VARCHAR, first_user_source VARCHAR,
    first_user_medium VARCHAR, first_user_campaign VARCHAR, device_category VARCHAR,
    operating_system VARCHAR, browser VARCHAR, country VARCHAR, region VARCHAR, platform VARCHAR,
    stream_id VARCHAR, transaction_id VARCHAR, currency VARCHAR,
    purchase_revenue DECIMAL(18,4), refund_value DECIMAL(18,4), shipping_value DECIMAL(18,4),
    tax_value DECIMAL(18,4),
    items STRUCT(item_id VARCHAR, item_name VARCHAR, item_brand VARCHAR, item_category VARCHAR,
    price DECIMAL(18,4), quantity BIGINT, item_revenue DECIMAL(18,4))[],
    analytics_storage VARCHAR, ad_storage VARCHAR, ad_user_data VARCHAR, ad_personalization VARCHAR,
    key_id VARCHAR, lineage_id VARCHAR, processed_at TIMESTAMP WITH TIME ZONE
"""


def at(timestamp: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=timestamp)


@pytest.mark.parametrize("rows", [0, 1])
def test_the_lake_s_columns_and_types(workplace: Workplace, rows: int) -> None:
    workplace.guard([workplace.event()] * rows)
    workplace.con.execute(f"create temp table told ({LAKE_COLUMNS})")
    columns = [
        workplace.con.execute(f"describe select * from {t}").fetchall()
        for t in (f"'{workplace.out}'", "told")
    ]
    assert columns[0] == columns[1]
    described = workplace.con.execute(f"describe select * from '{workplace.cookieless}'").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == [
        ("event_date", "DATE"),
        ("event_name", "VARCHAR"),
        ("events", "BIGINT"),
        ("lineage_id", "VARCHAR"),
    ]


def test_one_event_comes_out_as_it_should(workplace: Workplace) -> None:
    params = {
        "ga_session_id": 17,
        "ga_session_number": 2,
        "session_engaged": "1",
        "engagement_time_msec": 1500,
        "page_location": "https://shop.example/a?utm_source=x&name=Jane&gbraid=1",
        "page_title": 404,
        "source": "news",
        "currency": "EUR",
    }
    workplace.guard(
        [
            workplace.event(
                params=params,
                user_id=" Jane@Example.com",
                collected_traffic_source={"manual_source": "news", "dclid": "D"},
                session_traffic_source_last_click={
                    "manual_campaign": {"source": "m", "campaign_name": "mc"},
                    "cross_channel_campaign": {"source": "google"},
                },
                traffic_source={"name": "first", "source": "bing"},
                ecommerce={"transaction_id": "T1", "purchase_revenue": 19.99},
                items=[{"item_id": "S1", "price": 9.995, "quantity": 2}],
            )
        ]
    )
    (row,) = workplace.kept()
    expected = {
        "event_date": DAY,
        "user_key": pseudonym("1234567.1700000000", KEY),
        "login_key": pseudonym("jane@example.com", KEY),
        "ga_session_id": 17,
        "session_engaged": True,
        "engagement_time_msec": 1500,
        "page_location": "https://shop.example/a?utm_source=x",
        "page_title": "404",
        "param_source": "news",
        "currency": "EUR",
        "collected_source": "news",
        "click_id_type": "gbraid",
        "session_source": "google",
        "session_campaign": None,
        "first_user_source": "bing",
        "first_user_campaign": "first",
        "transaction_id": "T1",
        "purchase_revenue": Decimal("19.9900"),
        "analytics_storage": "granted",
        "ad_storage": "unset",
        "ad_user_data": "unset",
        "key_id": "k1",
        "lineage_id": "ln_one",
        "processed_at": PROCESSED_AT,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["items"][0]["price"] == Decimal("9.9950")
    assert re.fullmatch("[0-9a-f]{32}", row["event_key"])


# --- accounting ---


def test_cookieless_events_are_counted_and_are_nobody(workplace: Workplace) -> None:
    nobody = {"user_pseudo_id": None, "privacy_info": {"analytics_storage": "No"}}
    fates = workplace.guard(
        [
            workplace.event(**nobody),
            workplace.event(**nobody),
            workplace.event(**nobody, event_name="jane@example.com"),
            workplace.event(
                privacy_info={"analytics_storage": "Yes", "uses_transient_token": "Yes"}
            ),
        ]
    )
    assert (fates.cookieless, fates.kept, fates.duplicates) == (4, 0, 0)
    told = [(r["event_name"], r["events"]) for r in workplace.read(workplace.cookieless)]
    assert told == [("[redacted]", 1), ("page_view", 3)]


def test_copies_are_left_out_and_counted(workplace: Workplace) -> None:
    item = [{"item_id": "S1", "quantity": 1}]
    different = [
        workplace.event(),
        workplace.event(user_pseudo_id="99999.1"),
        workplace.event(event_timestamp=NOON + 1),
        workplace.event(event_name="scroll"),
        workplace.event(event_bundle_sequence_id=2),
        workplace.event(event_bundle_sequence_id=None),
        workplace.event(params={"ga_session_id": 18}),
        workplace.event(items=item),
    ]
    fates = workplace.guard([*different, *different, workplace.event(source_row=9)])
    assert (fates.kept, fates.duplicates) == (len(different), len(different) + 1)
    assert len({row["event_key"] for row in workplace.kept("event_key")}) == len(different)


def test_of_copies_the_strictest_ad_consent_stays(workplace: Workplace) -> None:
    for words in (("Yes", "No", "Unset"), ("Unset", "Yes", "No")):
        infos = [{"analytics_storage": "Yes", "ads_storage": word} for word in words]
        workplace.guard([workplace.event(privacy_info=info) for info in infos])
        assert workplace.kept("ad_storage") == [{"ad_storage": "denied"}]


def test_events_alike_after_redaction_keep_their_own_keys(workplace: Workplace) -> None:
    workplace.guard([workplace.event(event_name="a@b.com"), workplace.event(event_name="c@d.com")])
    rows = workplace.kept("event_name, event_key")
    assert [row["event_name"] for row in rows] == ["[redacted]"] * 2
    assert len({row["event_key"] for row in rows}) == 2


LATE, EARLY = 4 * 24 * HOUR, -4 * 24 * HOUR


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event_timestamp": None}, "no_timestamp"),
        ({"event_timestamp": 0}, "impossible_timestamp"),
        ({"event_timestamp": NOON + LATE}, "impossible_timestamp"),
        ({"event_timestamp": NOON + EARLY}, "impossible_timestamp"),
        ({"event_timestamp": NOON // 1000}, "impossible_timestamp"),
        ({"event_name": None}, "no_event_name"),
        ({"event_name": " "}, "no_event_name"),
        ({"event_name": "n" * 41}, "long_event_name"),
        ({"privacy_info": {"analytics_storage": "Maybe"}}, "unknown_consent_word"),
        (
            {"privacy_info": {"analytics_storage": "Yes", "ads_storage": "1"}},
            "unknown_consent_word",
        ),
        ({"ecommerce": {"purchase_revenue": float("inf")}}, "impossible_amount"),
        ({"ecommerce": {"tax_value": float("nan")}}, "impossible_amount"),
        ({"ecommerce": {"refund_value": -1e14}}, "impossible_amount"),
    ],
)
def test_what_cannot_be_judged_is_set_aside_with_a_reason(
    workplace: Workplace, change: dict[str, Any], reason: str
) -> None:
    fates = workplace.guard([workplace.event(), workplace.event(**change, source_row=2)])
    assert (fates.kept, fates.quarantined) == (1, {reason: 1})
    (aside,) = workplace.read(workplace.quarantine, "source_row, reason")
    assert aside == {"source_row": 2, "reason": reason}


@pytest.mark.parametrize("days", [-3, 3])
def test_late_and_early_events_within_three_days_stay(workplace: Workplace, days: int) -> None:
    assert workplace.guard([workplace.event(event_timestamp=NOON + days * 24 * HOUR)]).kept == 1


def test_rows_add_up_for_every_source(workplace: Workplace) -> None:
    other, empty = "drops/second.ndjson", "drops/empty.ndjson"
    rows = [
        workplace.event(),
        workplace.event(),
        workplace.event(event_name=None),
        workplace.event(user_pseudo_id=None),
        workplace.event(source_file=other, event_timestamp=NOON + 1),
        workplace.event(source_file=other, privacy_info=None, user_pseudo_id="5"),
    ]
    lineage = {SOURCE: "ln_one", other: "ln_two", empty: "ln_three"}
    fates = workplace.guard(rows, lineage_of=lineage)
    assert fates.per_source[SOURCE].reasons == {"cookieless": 1, "duplicate": 1, "no_event_name": 1}
    assert fates.per_source[other].reasons == {"consent_unset": 1}
    assert fates.per_source[empty].rows_in == 0
    assert [r["lineage_id"] for r in workplace.kept("lineage_id")] == ["ln_one", "ln_two"]
    assert [r["lineage_id"] for r in workplace.read(workplace.cookieless)] == ["ln_one"]


def test_a_day_that_became_empty_is_written_empty(workplace: Workplace) -> None:
    workplace.guard([workplace.event()])
    fates = workplace.guard([])
    assert fates.rows_in == 0
    assert workplace.kept() == workplace.read(workplace.cookieless) == []
    assert workplace.read(workplace.quarantine) == []


def test_equal_rows_give_equal_bytes_in_any_order(workplace: Workplace) -> None:
    rows = [
        workplace.event(
            user_pseudo_id=f"{100000 + n % 7}.1700000000",
            event_timestamp=NOON + n % 5,
            params={"page_title": f"page {n % 3}", "n": n % 11},
        )
        for n in range(400)
    ]
    workplace.guard(rows)
    once = workplace.out.read_bytes()
    workplace.con.execute("set threads = 1")
    workplace.guard(rows[::-1])
    assert workplace.out.read_bytes() == once


def test_a_folder_of_files_is_one_partition(workplace: Workplace) -> None:
    folder = workplace.folder / "landing"
    folder.mkdir()
    for name in ("a", "b"):
        workplace.land([workplace.event(event_name=name), workplace.event()])
        workplace.landing.rename(folder / f"{name}.parquet")
    fates = workplace.guard(landing=folder)
    assert (fates.rows_in, fates.kept, fates.duplicates) == (4, 3, 1)


# --- what does not fit together ---


def test_a_log_made_with_another_key_is_refused(workplace: Workplace) -> None:
    workplace.log([("jane", at(NOON), *("granted",) * 4)], key=Key("old", b"o" * 32))
    with pytest.raises(MktError, match="'old'"):
        workplace.guard([workplace.event()])


def test_a_row_of_an_unknown_source_is_refused(workplace: Workplace) -> None:
    for source in ("drops/other.ndjson", None):
        with pytest.raises(MktError, match="lineage"):
            workplace.guard([workplace.event(source_file=source)])


def test_a_time_without_zone_is_refused(workplace: Workplace) -> None:
    with pytest.raises(MktError, match="time zone"):
        workplace.guard([workplace.event()], processed_at=datetime(2025, 3, 11))  # noqa: DTZ001


def test_a_failure_leaves_no_identifier_in_the_connection(workplace: Workplace) -> None:
    with pytest.raises(MktError):
        workplace.guard([workplace.event()], out=Path("/nowhere/at/all.parquet"))
    assert workplace.con.execute("select table_name from duckdb_tables()").fetchall() == []


def test_a_login_that_came_as_a_hash_is_keyed_and_noted(workplace: Workplace) -> None:
    """An unkeyed hash of an e-mail address can be guessed; without a key nobody is found again."""
    fates = workplace.guard([workplace.event(user_id="AB" * 32)])
    assert workplace.kept("login_key") == [{"login_key": stand_in("ab" * 32, KEY)}]
    assert stand_in("ab" * 32, KEY) not in ("ab" * 32, pseudonym("ab" * 32, KEY))
    assert fates.notes == {"user_id was a hash": 1}


def test_orders_with_personal_data_stay_apart(workplace: Workplace) -> None:
    orders = ["jane@example.com-1", "jane@example.com-2", "T-1000", "1234567.1700000000/3"]
    rows = [
        workplace.event(event_timestamp=NOON + n, ecommerce={"transaction_id": order})
        for n, order in enumerate(orders)
    ]
    fates = workplace.guard(rows)
    told = [row["transaction_id"] for row in workplace.kept("transaction_id")]
    assert told[2] == "T-1000"
    assert len(set(told)) == len(orders)
    assert all(re.fullmatch(r"\[redacted\]-[0-9a-f]{16}", told[n]) for n in (0, 1, 3))
    assert fates.redactions == {"transaction_id": 3}


def test_redactions_are_counted_by_column(workplace: Workplace) -> None:
    item = {"item_id": "S1", "item_name": "for jane@x.com", "item_brand": None}
    fates = workplace.guard(
        [
            workplace.event(params={"page_title": "jane@x.com"}, items=[item, item]),
            workplace.event(params={"page_title": "jim@x.com", "source": "+49 151 23456789"}),
        ]
    )
    assert fates.redactions == {"page_title": 2, "param_source": 1, "items.item_name": 2}
    (row,) = [r for r in workplace.kept("items") if r["items"]]
    assert (row["items"][0]["item_name"], row["items"][0]["item_brand"]) == ("for [redacted]", None)


def test_the_day_is_a_date_of_the_partition(workplace: Workplace) -> None:
    workplace.guard([workplace.event()], day=date(2025, 3, 9))
    assert workplace.kept("event_date") == [{"event_date": date(2025, 3, 9)}]
