"""Bad input through `mkt run` after a good publication: the last good version stays in place."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

RANGE = ("--from", "2024-03-01", "--to", "2024-03-30")
HEADER = "date,channel,campaign,impressions,clicks,spend,conversions,revenue"


def report(**spoiled: str) -> bytes:
    """Two campaigns over 30 days; ``spoiled`` are lines to put in place of those of that number."""
    lines = [HEADER]
    for number in range(30):
        day = date(2024, 3, 1) + timedelta(days=number)
        lines.append(
            f"{day},Search,brand,{1000 + number},{50 + number % 7},{20 + number}.5,2,90.25"
        )
        lines.append(
            f"{day},Social,shoes,{2000 - number},{60 + number % 5},{40 + number}.5,3,70.75"
        )
    for number, line in spoiled.items():
        lines[int(number.removeprefix("line"))] = line
    return "\n".join([*lines, ""]).encode()


#: five faults in sixty rows: more than the 5 % that pass unasked
FAULTS = {
    "line3": "2024-03-02,Search,brand,1001,51,-21.5,2,90.25",
    "line9": "2024-03-05,Search,brand,1004,5100,24.5,2,90.25",
    "line16": "2024-03-08,Social,shoes,many,62,47.5,3,70.75",
    "line21": "2024-03-11,Search,brand,1010,53,,2,90.25",
    "line28": "2024-03-14,Search,brand,1013,56,33.5,2,90.25",
}
REASONS = {
    "negative_spend": 1,
    "clicks_above_impressions": 1,
    "not_a_number": 1,
    "missing_spend": 1,
    "duplicate_key": 1,
}


@pytest.fixture(scope="module")
def told(once: Callable[..., Told], product: Product) -> Told:
    """A good run, two bad ones, and the second bad one let through by its setting."""

    def make(home: Path) -> Told:
        place = home / "ads.csv"
        settings = {"MKT_SOURCE": "files", "MKT_ADS_URI": str(place)}
        there = product(home, settings | {"MKT_START_DATE": "2024-01-01"})
        steps: Told = {}

        def step(name: str, content: bytes, by: Product) -> None:
            place.write_bytes(content)
            steps[name] = by.mkt("run", *RANGE, *(["--json"] if name == "faulty" else []))
            steps[name]["published"] = str(there.published)
            steps[name]["sha256"] = hashlib.sha256(there.published.read_bytes()).hexdigest()

        step("good", report(), there)
        step("truncated", gzip.compress(report())[:-9], there)
        step("faulty", report(**FAULTS), there)
        lenient = product(home, dict(there.settings) | {"MKT_QUARANTINE_LIMIT": "0.1"})
        step("lenient", report(**FAULTS), lenient)
        return steps

    return once("bad-runs", make)


def test_a_refused_file_is_named_with_its_remedy_and_nothing_is_published(told: Told) -> None:
    assert told["good"]["code"] == 0, told["good"]
    refused = told["truncated"]
    assert refused["code"] == 1
    (line,) = [line for line in refused["out"].splitlines() if "FAILED" in line]
    assert "the gzip file is truncated or damaged" in line
    assert str(told["home"] / "ads.csv") in line
    assert "Transfer it again" in line
    assert "Traceback" not in refused["out"] + refused["err"]
    assert "What was published before is untouched" in refused["err"]
    for key in ("published", "sha256"):
        assert refused[key] == told["good"][key]


def test_too_many_rows_set_aside_stop_the_run_before_it_publishes(told: Told) -> None:
    stopped = told["faulty"]
    said = json.loads(stopped["out"])
    assert stopped["code"] == 1
    assert said["success"] is False
    (failure,) = said["failures"]
    assert "5 of 60 rows were set aside" in failure
    assert "MKT_QUARANTINE_LIMIT" in failure
    assert "marts/kpi_daily" not in said["assets"]
    for key in ("published", "sha256"):
        assert stopped[key] == told["good"][key]


def test_rows_set_aside_are_in_the_published_ledger(told: Told, product: Product) -> None:
    lenient = told["lenient"]
    assert lenient["code"] == 0, lenient
    assert lenient["published"] != told["good"]["published"]
    there = product(told["home"])
    assert there.published == Path(lenient["published"])
    assert there.rows(
        "select sum(rows_in), sum(rows_kept), sum(rows_quarantined) from marts.lineage_ledger"
    ) == [(60, 55, 5)]
    found: dict[str, int] = {}
    for (line,) in there.rows("select reasons from marts.lineage_ledger where reasons <> '{}'"):
        for reason, rows in json.loads(line).items():
            found[reason] = found.get(reason, 0) + rows
    assert found == REASONS
    assert there.rows("select count(*) from marts.marketing_kpi") == [(55,)]
