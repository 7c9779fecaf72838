"""A real GA4 item list, which knows neither consent nor transaction ids, without any ad spend."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

RANGE = ("--from", "2020-11-01", "--to", "2021-01-31")
ROWS, DAYS, BLANK_REVENUE = 16_003, 92, 448
STATEMENT = "the shop's own banner, kept by its consent platform"
ADS = {
    "marketing_clean", "marketing_kpi", "kpi_daily", "kpi_channel_daily", "mer_daily", "anomalies",
    "trends", "insights", "budget_allocation", "budget_simulation", "revenue_model",
    "campaign_clusters",
}  # fmt: skip


@pytest.fixture(scope="module")
def settings(shared: Path) -> dict[str, str]:
    return {
        "MKT_SOURCE": "files",
        "MKT_GA4_URI": str(shared / "data" / "ga4_purchase_items.csv"),
        "MKT_START_DATE": "2020-11-01",
    }


@pytest.fixture(scope="module")
def winter(once: Callable[..., Told], product: Product, settings: dict[str, str]) -> Told:
    """The run that is refused, and the same with a statement of who collected consent."""

    def make(home: Path) -> Told:
        key = secrets.token_hex(32)
        keyed = settings | {"MKT_PII_KEYS": json.dumps({"k1": key})}
        refused = product(home, keyed).mkt("run", "--date", "2020-11-01")
        published = (product(home).lake.serving / "mkt_bi.duckdb").exists()
        stated = product(home, keyed | {"MKT_CONSENT_UPSTREAM": STATEMENT})
        accepted = stated.mkt("run", *RANGE)
        return {"refused": refused, "published": published, "accepted": accepted, "key": key}

    return once("files-ga4", make)


@pytest.fixture
def there(product: Product, winter: Told) -> Product:
    assert winter["accepted"]["code"] == 0, winter["accepted"]
    return product(winter["home"])


def test_events_without_a_word_on_consent_are_refused(winter: Told) -> None:
    refused = winter["refused"]
    assert refused["code"] == 1
    (line,) = [line for line in refused["out"].splitlines() if "FAILED" in line]
    assert "MKT_CONSENT_UPSTREAM" in line
    assert "MKT_CONSENT_URI" in line
    assert "Traceback" not in refused["out"] + refused["err"]
    assert not winter["published"]


def test_the_ledger_records_the_statement(there: Product) -> None:
    assert there.rows("select distinct consent_basis, key_id from marts.lineage_ledger") == [
        (f"upstream: {STATEMENT}", "k1")
    ]


def test_every_row_of_the_file_is_accounted_for(there: Product) -> None:
    ((days, came, kept, dropped, cookieless, duplicate, quarantined),) = there.rows(
        "select count(*), sum(rows_in), sum(rows_kept), sum(rows_dropped_consent), "
        "sum(rows_cookieless), sum(rows_duplicate), sum(rows_quarantined) from marts.lineage_ledger"
    )
    assert (days, came) == (DAYS, ROWS)
    assert (dropped, cookieless) == (0, 0)
    assert kept + duplicate + quarantined == ROWS
    assert duplicate > 0
    reasons = there.rows(
        "select sum((reasons->>'blank_revenue')::int), sum((reasons->>'duplicate')::int) "
        "from marts.lineage_ledger"
    )
    assert reasons == [(BLANK_REVENUE, duplicate)]


def test_purchases_are_filled_and_their_items_are_the_rows_kept(there: Product) -> None:
    ((purchases, items, revenue, users),) = there.rows(
        "select count(*), sum(len(items)), sum(revenue), count(distinct user_key) "
        "from marts.fct_purchases"
    )
    ((kept,),) = there.rows("select sum(rows_kept) from marts.lineage_ledger")
    assert items == kept
    assert purchases > 4_000
    assert users > 3_000
    assert revenue > 0
    assert there.rows("select count(*) from marts.fct_purchases where transaction_id is null") == [
        (0,)
    ]


def test_no_visitor_of_the_file_is_known_by_name(
    there: Product, shared: Path, winter: Told
) -> None:
    source = f"read_csv('{shared / 'data' / 'ga4_purchase_items.csv'}', all_varchar = true)"
    with duckdb.connect() as con:
        ids = con.execute(f"select distinct user_pseudo_id from {source} limit 50").fetchall()
        guarded = con.execute(
            "select event::varchar from read_parquet(?) as event",
            [f"{there.lake.guarded}/events/*/*.parquet"],
        ).fetchall()
    words = [row[0] for row in ids if row[0]]
    assert [w for w in words if any(w in row[0] for row in guarded)] == []
    log = [p for p in there.data.rglob("*") if p.is_file() and p.suffix in (".log", ".json", ".db")]
    open_files = [p for p in log if not p.is_relative_to(there.lake.landing)]
    assert open_files
    key = winter["key"].encode()
    assert [str(p) for p in open_files if key in p.read_bytes()] == []


def test_what_needs_ad_spend_is_absent_and_said_to_be(there: Product, winter: Told) -> None:
    tables = {row[0] for row in there.rows("select table_name from information_schema.tables")}
    assert tables & ADS == set()
    assert {"fct_purchases", "fct_sessions", "audience_segments", "publication"} <= tables
    ((absent,),) = there.rows("select absent from marts.publication")
    assert "MKT_ADS_URI" in absent["ads"]
    out = winter["accepted"]["out"]
    assert f"Absent         {absent['ads']}" in out
    for word in ("ad_performance", "marketing_", "kpi_", "insights/", "allocation/", "FAILED"):
        assert word not in out
