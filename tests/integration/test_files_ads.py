"""A real ad report, as it came, through `MKT_SOURCE=files` without any events."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mkt_assets.contracts import REGISTRY

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

GA4 = {"fct_sessions", "fct_purchases", "ga4_daily", "mer_daily", "audience_segments"}


@pytest.fixture(scope="module")
def february(once: Callable[..., Told], product: Product, shared: Path) -> Told:
    """One run over the month of the file."""
    report = shared / "data" / "campaigns_2021_02.csv"
    settings = {
        "MKT_SOURCE": "files",
        "MKT_ADS_URI": str(report),
        "MKT_START_DATE": "2021-02-01",
        "MKT_CURRENCY": "INR",
    }

    def make(home: Path) -> Told:
        return product(home, settings).mkt("run", "--from", "2021-02-01", "--to", "2021-02-28")

    done = once("files-ads", make)
    assert done["code"] == 0, done
    return done


@pytest.fixture
def there(product: Product, february: Told) -> Product:
    return product(february["home"])


def test_the_totals_are_exact(there: Product) -> None:
    for mart in ("marketing_clean", "marketing_kpi", "kpi_channel_daily", "kpi_daily"):
        (totals,) = there.rows(
            "select sum(mark_spent), sum(revenue), sum(clicks), sum(impressions), sum(leads), "
            f"sum(conversions), count(*) from marts.{mart}"
        )
        assert totals[:6] == (
            Decimal("30590879.82"), 42_889_366, 2_999_919, 1_577_722_399, 65_579, 8_043,
        ), mart  # fmt: skip
    ((rows, campaigns, days),) = there.rows(
        "select count(*), count(distinct campaign), count(distinct date) from marts.marketing_kpi"
    )
    assert (rows, campaigns, days) == (308, 11, 28)


def test_ratios_are_ratios_of_sums(there: Product) -> None:
    ((pooled, mean),) = there.rows(
        "select sum(clicks) / sum(impressions), avg(ctr) from marts.marketing_kpi"
    )
    assert round(100 * pooled, 3) == 0.190
    assert round(100 * mean, 3) == 0.959
    ((pooled, mean),) = there.rows(
        "select sum(revenue) / sum(mark_spent) - 1, avg(roi) from marts.marketing_kpi "
        "where lower(channel) = 'social'"
    )
    assert round(100 * pooled, 1) == -13.7
    assert round(100 * mean, 1) == 7.6


def test_no_lead_and_no_order_have_no_cost_each(there: Product) -> None:
    ((no_cpl, no_cpa),) = there.rows(
        "select count(*) filter (where cpl is null), count(*) filter (where cpa is null) "
        "from marts.marketing_kpi"
    )
    assert (no_cpl, no_cpa) == (4, 19)
    wrong = "cpl is null <> (leads = 0) or cpa is null <> (conversions = 0)"
    assert there.rows(f"select * from marts.marketing_kpi where {wrong}") == []


def test_every_row_is_in_the_ledger(there: Product) -> None:
    assert there.rows(
        "select count(*), sum(rows_in), sum(rows_kept), min(consent_basis), max(key_id) "
        "from marts.lineage_ledger"
    ) == [(28, 308, 308, "aggregated, no consent needed", "none")]


def test_what_needs_events_is_absent_and_said_to_be(there: Product, february: Told) -> None:
    tables = {row[0] for row in there.rows("select table_name from information_schema.tables")}
    assert tables & (GA4 | {"experiment_results"}) == set()
    ((absent,),) = there.rows("select absent from marts.publication")
    assert absent.keys() == {"ga4", "experiments"}
    assert "MKT_GA4_URI" in absent["ga4"]
    assert "MKT_EXPERIMENTS_URI" in absent["experiments"]
    out = february["out"]
    assert all(f"Absent         {why}" in out for why in absent.values())
    for word in ("raw_events", "privacy/events", "consent_log", "cookieless", "sessions",
                 "purchases", "segments", "experiment_results", "FAILED"):  # fmt: skip
        assert word not in out


def test_what_ads_alone_allow_is_published(there: Product) -> None:
    tables = {row[0] for row in there.rows("select table_name from information_schema.tables")}
    wanted = {t.name for t in REGISTRY.values() if not t.needs & {"ga4", "experiments"}}
    assert wanted <= tables
    ((lines, current, proposed),) = there.rows(
        "select count(*), sum(current), sum(proposed) from marts.budget_allocation"
    )
    assert lines == 4
    assert proposed == pytest.approx(current)
