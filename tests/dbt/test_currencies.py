"""Money in two currencies on a tiny lake: converted by the rate of its day, or refused by name.

Each build is a dbt process of its own (6 to 8 s), so one lake holds all cases, and is built once.
"""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lake_project import DAY_1, DAY_2, HOME_NUMBER, Project, ad, event, ledger_row

from mkt_assets.marts.own_seeds import ensure_own_seeds

pytestmark = pytest.mark.slow

HEADER = "date,reference,currency,rate\n"
FRIDAY = dt.date(2024, 3, 1)
RATES = f"{FRIDAY},EUR,USD,1.25\n{FRIDAY},EUR,GBP,0.5\n"
#: a folder as people have them, which SQL has to quote
SEEDS = "o'brien's seeds"


@pytest.fixture(autouse=True)
def _property(monkeypatch: pytest.MonkeyPatch) -> None:
    _tell(monkeypatch)


def _tell(monkeypatch: pytest.MonkeyPatch) -> None:
    # by number, as the project's home: where a copy lies must not look like a change
    monkeypatch.setenv("MKT_DBT_SEEDS", f"/proc/self/fd/{HOME_NUMBER}/{SEEDS}")
    monkeypatch.setenv("MKT_DBT_CURRENCY", "GBP")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A property in GBP with ads in GBP, EUR and USD and purchases in USD, over two days."""
    project = Project(tmp_path_factory.mktemp("property"))
    ensure_own_seeds(project.home / SEEDS)
    for day in (DAY_1, DAY_2):
        ads = [
            ad(day, "Search", "home", currency="GBP", spend="1", clicks=1, conversions="1"),
            ad(day, "Search", "silent", currency=None, spend="2", revenue="8"),
            ad(day, "Social", "euro", currency="EUR", spend="10", revenue="20", conversions="1"),
            ad(day, "Social", "dollar", currency="USD", spend="10", revenue="5"),
        ]
        project.write("ad_performance", ads, day)
    item = {"item_id": "i", "price": "5", "quantity": 2, "item_revenue": "10"}
    paid = {"transaction_id": "T1", "currency": "usd", "items": [item]}
    bought = event("purchase", "ann", 3, tax_value="1", **paid)
    back = event("refund", "ann", 24 * 60, **(paid | {"refund_value": "10", "items": None}))
    project.write("events", [bought], DAY_1)
    project.write("events", [back], DAY_2)
    project.write("consent_log", [])
    project.write("lineage_ledger", [ledger_row()], DAY_1)
    give(project, "currency_rates.csv", HEADER + RATES)
    give(
        project,
        "ad_sources.csv",
        "channel,time_zone,click_window_days,view_window_days,attribution_model\n"
        "search,Europe/London,30,,last click\nsocial,America/Chicago,7,1,\n",
    )
    with pytest.MonkeyPatch.context() as patch:
        _tell(patch)
        project.build()
    return project


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    """A copy to change."""
    home = shutil.copytree(built.home, tmp_path / "copy")
    return replace(built, home=home)


def give(project: Project, name: str, text: str) -> None:
    (project.home / SEEDS / name).write_text(text)


def spent(project: Project) -> dict[tuple[dt.date, str], Decimal]:
    rows = project.query(
        "select date, campaign, mark_spent::varchar as m from marts.marketing_clean"
    )
    return {(d.date(), c): Decimal(m) for d, c, m in rows.itertuples(index=False)}


def test_every_amount_is_in_the_property_s_currency(built: Project) -> None:
    project = built
    assert set(project.query("select currency from marts.marketing_clean")["currency"]) == {"GBP"}
    assert {c: float(m) for (d, c), m in spent(project).items() if d == DAY_2} == {
        "home": 1, "silent": 2, "euro": 5, "dollar": 4,
    }  # fmt: skip
    (day, _) = project.query("from marts.kpi_daily order by date").to_dict("records")
    assert (day["mark_spent"], day["currency"]) == (12, "GBP")
    # 30 days of one channel and 7 of the other
    assert day["has_mixed_windows"]
    assert day["has_mixed_time_zones"]
    assert day["conversions"] != day["conversions"]
    assert day["roas"] != day["roas"]
    channels = project.query("from marts.kpi_channel_daily where date = '2024-03-01'")
    assert channels["revenue"].tolist() == [8, 12]
    (claims, _) = project.query("from marts.platform_claims_daily order by date").to_dict("records")
    assert claims["has_mixed_windows"]
    assert claims["reported_revenue"] != claims["reported_revenue"]
    (purchase,) = project.query("from marts.fct_purchases").to_dict("records")
    amounts = [float(purchase[name]) for name in ("revenue", "tax", "refund_value")]
    assert (amounts, purchase["currency"]) == ([4, 0.4, 4], "GBP")
    assert (purchase["original_currency"], purchase["original_revenue"]) == ("USD", 10)
    assert (purchase["items"][0]["price"], purchase["items"][0]["quantity"]) == (2, 2)
    mer = project.query("from marts.mer_daily").to_dict("records")[0]
    assert (mer["currency"], mer["mer"]) == ("GBP", 4 / 12)


def test_a_new_rate_builds_the_days_it_holds_for_and_no_other(project: Project) -> None:
    before = spent(project)
    (seen,) = project.query("select max(number) as n from builds.changes")["n"]
    give(project, "currency_rates.csv", HEADER + RATES + f"{DAY_2},EUR,USD,2.5\n")
    project.build()
    after = spent(project)
    assert {key for key in before if before[key] != after[key]} == {(DAY_2, "dollar")}
    assert after[DAY_2, "dollar"] == 2
    changed = project.query(
        f"select distinct event_date from builds.changes "
        f"where producer in ('int_ad_days', 'int_purchase_events') and number > {seen}"
    )
    assert set(changed["event_date"].dt.date) == {DAY_2}
    # gone again: so is what it made
    give(project, "currency_rates.csv", HEADER + RATES)
    project.build()
    assert spent(project) == before


def test_a_missing_rate_ends_the_build_and_says_which_one(project: Project) -> None:
    before = project.marts()
    # a week and a day too old for the second day
    old = FRIDAY - dt.timedelta(days=7)
    give(
        project, "currency_rates.csv", HEADER + RATES.replace(f"{FRIDAY},EUR,USD", f"{old},EUR,USD")
    )
    done = project.dbt("build", "--exclude-resource-type", "unit_test")
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "int_ad_days_have_an_exchange_rate" in said
    assert "int_purchase_events_have_an_exchange_rate" in said
    assert "no rate from USD to GBP on 2024-03-02: add one of that day" in said
    assert "currency_rates.csv, the file of MKT_RATES_URI" in said
    assert project.marts()["marketing_clean"] == before["marketing_clean"]
    # and once it is there, all is as it was
    give(project, "currency_rates.csv", HEADER + RATES)
    project.build()
    assert project.marts() == before


def test_a_currency_that_is_none_is_not_repeated(project: Project) -> None:
    """What a page put there may be anything; who reads the log needs the days alone."""
    odd: dict[str, Any] = {"transaction_id": "T2", "currency": "ann smith", "purchase_revenue": "1"}
    project.write("events", [event("purchase", "ann", 3, **odd)], DAY_1)
    done = project.dbt("build", "--exclude-resource-type", "unit_test")
    assert done.returncode == 1
    assert "amounts on 2024-03-01 are in a currency that is no ISO 4217 code" in done.stdout
    assert "smith" not in done.stdout.lower()


def test_rates_that_cannot_be_are_refused_by_dbt_too(project: Project) -> None:
    wrong = f"{DAY_1},EUR,USD,-1\n{DAY_1},EUR,USD,1\n{DAY_1},CHF,usd,1\n"
    give(project, "currency_rates.csv", HEADER + wrong)
    done = project.dbt("build", "--select", "currency_rates")
    assert done.returncode == 1
    assert "Failure in test currency_rates_rows_are_sound" in done.stdout
    assert project.broken("currency_rates") == {
        "date, currency of 2 rows.",
        "not so: rate_is_positive. not so: all_rates_have_one_reference.",
        "not so: all_rates_have_one_reference.",
        "not so: currency_is_another_code.",
    }
