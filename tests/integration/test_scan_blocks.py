"""Were the guard or a model to let something personal through, it would never be published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

EMAIL = "jane.doe@example.com"
REPORT = (
    "date,channel,campaign,impressions,clicks,spend,conversions,revenue\n"
    + "".join(f"2025-03-0{d},Search,brand {d},1000,50,20.5,3,90.25\n" for d in range(1, 4))
    + f"2025-03-01,Search,for {EMAIL},1000,50,20.5,3,90.25\n"
)
#: a guard that forgets to redact, and models that write what they should not know: where any text
#: may stand, and where the contract asks for a known campaign
BROKEN = {
    "guard": "from mkt_assets.privacy import pii\npii.redact = lambda text, *_, **__: text\n",
    "model": (
        "from mkt_assets.audiences import clusters\n"
        "real = clusters.cluster_campaigns\n"
        f"clusters.cluster_campaigns = lambda daily: real(daily).assign(name='{EMAIL}')\n"
    ),
    "contract": (
        "from mkt_assets.insights import trends\n"
        "real = trends.compute\n"
        "trends.compute = lambda daily: real(daily).replace({'campaign': {'brand 1': "
        f"'{EMAIL}'}}}})\n"
    ),
}
#: the check that stops the run, and what it says
TOLD = {
    "guard": (
        "privacy/ad_performance: holds_nothing_personal: "
        "lake/ad_performance/event_date=2025-03-01/ad_performance.parquet, campaign: email in 1"
    ),
    "model": (
        "activation/dsp_payload: nothing_personal_leaves: "
        "lake/models/audiences/campaign_clusters/campaign_clusters.parquet, name: email in "
    ),
    "contract": (
        "activation/dsp_payload: every_data_contract_is_kept: not published, insights/trends"
    ),
}
RUN = "from mkt_assets.cli import app\napp()\n"


@pytest.fixture(scope="module", params=BROKEN)
def broken(request: pytest.FixtureRequest, once: Callable[..., Told], product: Product) -> Told:
    """A run of a platform with one fault."""

    def make(home: Path) -> Told:
        (home / "ads.csv").write_text(REPORT, encoding="utf-8")
        settings = {
            "MKT_SOURCE": "files",
            "MKT_ADS_URI": str(home / "ads.csv"),
            "MKT_START_DATE": "2025-03-01",
        }
        days = ("run", "--from", "2025-03-01", "--to", "2025-03-03")
        done = product(home, settings).run("python", "-c", BROKEN[request.param] + RUN, *days)
        return done | {"fault": request.param}

    return once(f"scan-blocks-{request.param}", make)


def test_the_run_stops_and_says_where_and_of_what_kind(broken: Told) -> None:
    assert broken["code"] == 1
    failed = [line for line in broken["out"].splitlines() if "FAILED check" in line]
    assert any(TOLD[broken["fault"]] in line for line in failed), broken["out"]
    withheld = "(withheld: email)" in broken["out"]
    assert withheld == (broken["fault"] == "contract")
    assert EMAIL not in broken["out"] + broken["err"]


def test_nothing_is_published(broken: Told, product: Product) -> None:
    there = product(broken["home"])
    assert not list(there.lake.serving.glob("*.duckdb"))
    assert "publish/bi_snapshot" not in broken["out"]
    is_built = there.lake.warehouse.is_file()
    assert is_built == (broken["fault"] != "guard"), "dbt reads only what passed the scan"


def test_the_scan_of_the_folder_finds_it_too(broken: Told, product: Product) -> None:
    done = product(broken["home"]).mkt("scan")
    assert done["code"] == 1
    column = "name" if broken["fault"] == "model" else "campaign"
    assert f"{column}: email in" in done["out"]
    assert EMAIL not in done["out"] + done["err"]
