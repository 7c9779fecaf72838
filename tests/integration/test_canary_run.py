"""Planted identifiers in every text of every input file: none is in any byte that a run wrote.

Each canary is unique, so that one that got through names its kind and the field it was planted in.
Left out of the search is the closed landing area, and of the canaries what no pattern can find and
the guard says so: names of people, and in codes of goods and orders what is an id there.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from canaries import KINDS, Nursery
from canary_search import decoded, found_in, leaks_of
from poisoned_inputs import DAYS, write_ads, write_consent, write_events

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

KEY = "5e" * 32
MOST_LEAKS_SHOWN = 40


def _settings(ga4: str, ads: str, consent: str) -> dict[str, str]:
    return {
        "MKT_SOURCE": "files",
        "MKT_GA4_URI": ga4,
        "MKT_ADS_URI": ads,
        "MKT_CONSENT_URI": consent,
        "MKT_PII_KEYS": json.dumps({"k1": KEY}),
        "MKT_START_DATE": str(DAYS[0]),
        "MKT_QUARANTINE_LIMIT": "0.9",
    }


def _run(product: Product, home: Path, nursery: Nursery, places: list[str]) -> Told:
    there = product(home, _settings(*places))
    done = there.mkt("run", "--from", DAYS[0], "--to", DAYS[-1])
    return done | {"planted": nursery.planted}


@pytest.fixture(scope="module")
def canary_run(once: Callable[..., Told], product: Product) -> Told:
    """The daily job over three days of poisoned files in three formats."""

    def make(home: Path) -> Told:
        nursery, inputs = Nursery(), home / "inputs"
        places = [
            write_events(nursery, inputs / "ga4"),
            write_ads(nursery, inputs / "ads"),
            write_consent(nursery, inputs / "consent"),
        ]
        return _run(product, home, nursery, places)

    return once("canary-run", make)


@pytest.fixture(scope="module")
def refused_run(once: Callable[..., Told], product: Product) -> Told:
    """Refused for its consent log, whose signals are no words: refusals must not quote them."""

    def make(home: Path) -> Told:
        nursery, inputs = Nursery(), home / "inputs"

        def word(kind: str) -> str:
            return nursery.canary(kind, "consent, signal")

        ads, empty = write_ads(nursery, inputs / "ads"), inputs / "ga4"
        empty.mkdir()
        missing = f"{empty}/{nursery.canary('email', 'name of a missing file')}_{{date}}.json"
        return _run(
            product, home, nursery, [missing, ads, write_consent(nursery, inputs / "c", word)]
        )

    return once("canary-refused", make)


def test_no_canary_is_in_any_byte_that_the_run_wrote(canary_run: Told, product: Product) -> None:
    assert canary_run["code"] == 0, canary_run["out"] + canary_run["err"]
    there = product(canary_run["home"])
    assert len(canary_run["planted"]) > 200
    leaks = leaks_of(canary_run, there.data)
    assert leaks[:MOST_LEAKS_SHOWN] == [], f"{len(leaks)} leaks"


def test_the_poisoned_rows_were_really_there(canary_run: Told, product: Product) -> None:
    there = product(canary_run["home"])
    landed = {
        text
        for path in there.lake.landing.rglob("*")
        if path.is_file()
        for text in (decoded(path) or {path.read_text(encoding="utf-8", errors="replace")})
    }
    planted = {core.encode(): place for core, (_, place) in canary_run["planted"].items()}
    seen = {planted[core] for core in found_in(planted, "\n".join(landed).lower().encode())}
    unseen = {place for _, place in canary_run["planted"].values()} - seen
    # an unknown column of an ad report is not even landed; a folder is, in the manifest
    assert {p for p in unseen if "header" not in p and "unknown column" not in p} == set()
    assert stat.S_IMODE(there.lake.landing.stat().st_mode) == 0o700
    ((kept, aside),) = there.rows(
        "select sum(rows_kept), sum(rows_quarantined) from marts.lineage_ledger"
    )
    assert kept > 100
    assert aside > 4 * len(KINDS)
    assert there.rows("select count(*) > 0 from marts.fct_purchases") == [(True,)]


def test_a_refused_run_quotes_nobody(refused_run: Told, product: Product) -> None:
    assert refused_run["code"] == 1
    assert "FAILED" in refused_run["out"]
    assert "landing/refused.txt" in refused_run["out"]
    assert leaks_of(refused_run, product(refused_run["home"]).data) == []


def test_the_scan_of_the_whole_folder_agrees(canary_run: Told, product: Product) -> None:
    places = list(_settings("", "", "").items())[3:]
    there = product(canary_run["home"], dict(places) | {"MKT_SOURCE": "sample"})
    done = there.mkt("scan", "--json")
    assert done["code"] == 0, done
    assert json.loads(done["out"])["findings"] == []
