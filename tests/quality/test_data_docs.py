"""The page says every rule, what is broken and what to do; it loads nothing and names nobody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake
from mkt_assets.quality import data_docs
from mkt_assets.quality.data_docs import Part
from mkt_assets.quality.outcomes import Outcome, blocked, told
from mkt_assets.quality.samples import showable

KEPT = Outcome("marts/kpi_daily", "there is one row per date", "uniqueness", "SQL", 30)
STOPS = Outcome(
    "marts/kpi_daily",
    "ctr is between 0 and 1",
    "range",
    "Great Expectations",
    30,
    broken=2,
    samples=("2025-06-02", "2025-06-03"),
    blocking=True,
    why="wrong numbers would be published",
)
WARNS = Outcome(
    "privacy/events", "no <b>shift</b>", "consent", "history", 4, broken=1, means="ask & see"
)


def part(*outcomes: Outcome, name: str = "contracts") -> Part:
    return Part(name, "5f0c3a1e-9d7b-4c52-8a36-2b1f0e9d7c64", "2025-06-02", outcomes)


def test_the_page_tells_every_rule_and_first_what_is_broken(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    page = data_docs.write(lake, part(KEPT, STOPS))
    data_docs.write(lake, part(WARNS, name="volume"))
    text = page.read_text(encoding="utf-8")
    assert text.index("What is broken") < text.index('id="marts/kpi_daily"')
    for words in ("there is one row per date", "ctr is between 0 and 1", "2025-06-03", "2 of 30"):
        assert words in text
    assert "Ask &amp; see" in text
    assert "<b>shift</b>" not in text


def test_the_page_loads_nothing_from_anywhere(tmp_path: Path) -> None:
    text = data_docs.write(Lake(tmp_path), part(KEPT, STOPS)).read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|<img|https?://|url\(", text)


def test_the_same_outcomes_make_the_same_bytes(tmp_path: Path) -> None:
    pages = [data_docs.write(Lake(tmp_path / n), part(KEPT, STOPS, WARNS)) for n in ("a", "b")]
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_a_later_run_replaces_its_part_and_leaves_the_others(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    data_docs.write(lake, part(STOPS))
    data_docs.write(lake, part(WARNS, name="volume"))
    data_docs.write(lake, part(KEPT))
    assert [p.outcomes for p in data_docs.parts(lake)] == [(KEPT,), (WARNS,)]


def test_a_personal_key_is_refused_and_the_page_before_stays(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    before = data_docs.write(lake, part(KEPT)).read_bytes()
    personal = Outcome("a/b", "rule", "range", "SQL", 1, 1, samples=("jane.doe@example.org",))
    with pytest.raises(MktError) as refused:
        data_docs.write(lake, part(personal))
    assert "jane" not in str(refused.value)
    assert "email" in str(refused.value)
    assert data_docs.page(lake).read_bytes() == before
    assert [p.outcomes for p in data_docs.parts(lake)] == [(KEPT,)]


def test_what_stops_publishing_is_said_first() -> None:
    line = told([KEPT, WARNS, STOPS], "all well")
    assert line.startswith("not so in 2 of 30: ctr is between 0 and 1 (2025-06-02; 2025-06-03)")
    assert told([KEPT], "all well") == "all well"
    assert blocked([KEPT, WARNS, STOPS]) == [STOPS]


def test_a_personal_key_is_told_by_its_kind(tmp_path: Path) -> None:
    samples = ("2025-06-02, jane.doe@example.org, ctr", "2025-06-02, shoes")
    (shown,) = showable([Outcome("a/b", "rule", "range", "SQL", 9, 2, samples=samples)])
    assert shown.samples == ("2025-06-02, (withheld: email), ctr", "2025-06-02, shoes")
    assert (shown.rule, shown.tested, shown.broken) == ("rule", 9, 2)
    assert "jane" not in data_docs.write(Lake(tmp_path), part(shown)).read_text("utf-8")


def test_the_key_of_an_event_is_nobody_s_hash(tmp_path: Path) -> None:
    keyed = Outcome("a/b", "r", "range", "SQL", 1, 1, ("2025-06-02 event_key 0cc175b9...",))
    assert "0cc175b9..." in data_docs.write(Lake(tmp_path), part(keyed)).read_text("utf-8")
