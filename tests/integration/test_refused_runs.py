"""A run that may not begin says why, in one line, and touches nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mkt_assets.data_directory import claim
from mkt_assets.locks import exclusive

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

RUN = ("run", "--date", "2025-01-02")


@pytest.fixture(scope="module")
def told(once: Callable[..., Told], product: Product) -> Told:
    def make(home: Path) -> Told:
        there = product(home, {"MKT_LOCK_TIMEOUT_SECONDS": "1"})
        lake = there.lake
        with exclusive(lake.locks / "run.lock", "a person's run", timeout=1):
            steps = {"locked": there.mkt(*RUN)}
        damaged = lake.partition("events", date(2025, 1, 1))
        damaged.parent.mkdir(parents=True)
        damaged.write_bytes(b"PAR1, and no more")
        steps["damaged"] = there.mkt(*RUN)
        (lake.root / "property.json").unlink()
        claim(lake, {"source": "files", "timezone": "UTC"})
        steps["another's"] = there.mkt(*RUN)
        steps["written"] = [p.name for p in lake.landing.rglob("*.parquet")]
        return steps

    return once("refused-runs", make)


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("locked", "still held by a person's run (process "),
        ("damaged", "lake/events/event_date=2025-01-01/events.parquet: cut off or overwritten"),
        ("another's", "holds the data of another property (source files there, sample here)"),
    ],
)
def test_why_is_said_once_and_without_a_traceback(told: Told, why: str, words: str) -> None:
    done = told[why]
    assert done["code"] == 1
    (line,) = [line for line in done["out"].splitlines() if "FAILED" in line]
    assert words in line
    assert "Not published: 1 failure(s)" in done["err"]
    assert "Traceback" not in done["out"] + done["err"]


def test_who_waits_says_for_whom_before_it_gives_up(told: Told) -> None:
    assert "waiting for a person's run (process " in told["locked"]["out"]


def test_nothing_is_written_by_a_refused_run(told: Told) -> None:
    assert told["written"] == []
