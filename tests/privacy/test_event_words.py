"""Columns of few values: scanned once a value, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.privacy import event_words

Workplace = Any  # the fixture's type lives in conftest

OWN_ID, ANOTHER = "customer-8821-q", "kunde-77-\u00e4\u00f6"
WORDS = st.sampled_from(
    [
        None,
        "",
        "Germany",
        "S\u00e3o Paulo",
        "jane@example.com",
        f"the {OWN_ID}!",
        ANOTHER,
        "\x1f",
        "\x1e",
    ]
)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the values however few the rows."""
    monkeypatch.setattr(event_words, "MIN_ROWS", 0)


def events(workplace: Workplace, words: list[tuple[str | None, ...]]) -> list[dict[str, Any]]:
    return [
        workplace.event(
            event_timestamp=workplace.NOON + number,
            user_pseudo_id=(OWN_ID, ANOTHER)[number % 2],
            geo={"country": country, "region": region},
            device={"category": category, "web_info": {"browser": country}},
            params={"page_title": category or "", "source": region or ""},
        )
        for number, (country, region, category) in enumerate(words)
    ]


@pytest.mark.slow
@given(words=st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=6))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_rows_are_the_same_with_and_without(
    workplace: Workplace, words: list[tuple[str | None, ...]]
) -> None:
    rows = events(workplace, words)
    fates = workplace.guard(rows)
    scanned = workplace.kept()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_words, "MIN_ROWS", 0)
        again = workplace.guard(rows)
    # an identifier is redacted in the rows of its own person only, so these columns stay scanned
    assert workplace.kept() == scanned
    assert again == fates


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("word", ["jane@example.com", OWN_ID, f"x{ANOTHER}x"])
def test_a_column_with_a_find_stays_scanned(workplace: Workplace, word: str) -> None:
    others = [("Spain", "Galicia", "mobile")] * 3
    fates = workplace.guard(events(workplace, [*others, (word, "Galicia", "mobile"), *others]))
    kept = [row["country"] for row in workplace.kept("country")]
    is_own = word != OWN_ID  # the fourth row belongs to the other person
    assert kept.count("Spain") == len(kept) - 1
    assert (word in kept) is not is_own
    assert ("country" in fates.redactions) is is_own


@pytest.mark.usefixtures("eager")
def test_no_value_of_a_dropped_row_is_in_the_file(workplace: Workplace) -> None:
    """A type's values are written whole: they must come from kept rows alone."""
    refused = {"privacy_info": {"analytics_storage": "No"}, "geo": {"country": "Neverland"}}
    workplace.guard([*events(workplace, [("Spain",) * 3]), workplace.event(**refused)])
    told = workplace.out.read_bytes()
    assert b"Spain" in told
    assert b"Neverland" not in told


@pytest.mark.usefixtures("eager")
def test_equal_rows_give_equal_bytes_in_any_order(workplace: Workplace) -> None:
    rows = events(workplace, [(f"c{n % 7}", f"r{n % 5}", None) for n in range(300)])
    workplace.guard(rows)
    once = workplace.out.read_bytes()
    workplace.con.execute("set threads = 1")
    workplace.guard(rows[::-1])
    assert workplace.out.read_bytes() == once


@pytest.mark.usefixtures("eager")
def test_a_column_of_many_values_stays_scanned(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_words, "MOST_WORDS", 4)
    words = [(f"country {n}", "Galicia", None) for n in range(20)]
    workplace.guard(events(workplace, words))
    assert [row["country"] for row in workplace.kept("country")] == [w for w, _, _ in words]


@pytest.mark.usefixtures("eager")
def test_values_in_too_many_combinations_are_found_one_by_one(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [("Spain", "Galicia", None), ("Spain", None, "mobile"), ("France", "Paris", "mobile")]
    workplace.guard(events(workplace, words))
    together = workplace.out.read_bytes()
    monkeypatch.setattr(event_words, "_MOST_TOGETHER", 1)
    workplace.guard(events(workplace, words))
    assert workplace.out.read_bytes() == together


@pytest.mark.usefixtures("eager")
def test_nothing_is_left_in_the_connection(workplace: Workplace) -> None:
    workplace.guard(events(workplace, [("Spain", "Galicia", None)]))
    for kind in ("tables", "types", "schemas"):
        told = workplace.con.execute(f"from duckdb_{kind}()").df().astype(str)
        assert not told.apply(lambda column: column.str.contains("guard_")).any().any()


@pytest.mark.usefixtures("eager")
def test_a_value_that_no_row_takes_is_not_in_the_file(workplace: Workplace) -> None:
    """Of a parameter that is there twice the first is taken; the second is only looked at."""
    row = workplace.event(params={"page_title": "Shoes"})
    row["event_params"] += workplace.event(params={"page_title": "Neverland"})["event_params"]
    workplace.guard([row])
    assert workplace.kept("page_title") == [{"page_title": "Shoes"}]
    assert b"Neverland" not in workplace.out.read_bytes()


@pytest.mark.usefixtures("eager")
def test_a_value_with_a_find_is_redacted_in_every_row(workplace: Workplace) -> None:
    words = [("Spain", "x jim@example.com", "to +49 151 23456789")] * 3 + [("Spain", None, "Shoes")]
    fates = workplace.guard(events(workplace, words))
    told = [tuple(row.values()) for row in workplace.kept("region, page_title, param_source")]
    assert told == [("x [redacted]", "to [redacted]", "x [redacted]")] * 3 + [(None, "Shoes", "")]
    assert fates.redactions == {
        "region": 3,
        "page_title": 3,
        "param_source": 3,
        "device_category": 3,
    }
