"""What is read of a slice once: the same answers, whatever was learned of its rows beforehand."""

from __future__ import annotations

from typing import Any

import pytest

from mkt_assets.privacy import event_taken, event_words

Workplace = Any  # the fixture's type lives in conftest


@pytest.mark.parametrize("learned", [0, 1, 2048])
def test_parameters_in_an_order_that_was_not_learned_are_read_alike(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, learned: int
) -> None:
    monkeypatch.setattr(event_words, "MIN_ROWS", 0)
    monkeypatch.setattr(event_taken, "_ROWS_TO_LEARN", learned)
    told = [{"page_title": "Shoes"}, {"tier": "x", "page_title": "Hats"}, {"a\x1fb": "x"}, {}]
    number = [{"key": "ga_session_number", "value": {"int_value": n}} for n in (1, 10**9)]
    rows = [
        workplace.event(event_timestamp=workplace.NOON + n, params=params)
        for n, params in enumerate(told)
    ]
    rows.append(workplace.event(event_params=number, event_timestamp=workplace.NOON + 9))
    rows.append(workplace.event(event_params=None, event_timestamp=workplace.NOON + 10))
    fates = workplace.guard(rows)
    assert fates.kept == len(rows)
    assert fates.new_parameters == {"tier": 1, "(other)": 1}
    # of a number that is there twice both are looked at, the first is taken
    assert fates.redactions == {"ga_session_number": 1}
    kept = workplace.kept("page_title, ga_session_number")
    assert [row["page_title"] for row in kept] == ["Shoes", "Hats", None, None, None, None]
    assert [row["ga_session_number"] for row in kept] == [None] * 4 + [1, None]


def test_what_differs_a_little_is_no_copy(workplace: Workplace) -> None:
    """Contents are compared as text: it must tell apart what only looks alike."""
    texts = [None, "", "NULL", "null", "'NULL'", " a", "a", "a, 'value': {b}", "a\\", '"a"']
    rows = [
        workplace.event(event_params=[{"key": "x", "value": {"string_value": t}}]) for t in texts
    ]
    rows += [workplace.event(event_params=params) for params in (None, [], [{"key": None}])]
    rows += [workplace.event(params={"x": 5}), workplace.event(params={"x": "5"})]
    rows += [workplace.event(items=items) for items in (None, [{}], [{"item_id": "NULL"}])]
    assert workplace.guard([*rows, *rows]).duplicates == len(rows)
    assert len({row["event_key"] for row in workplace.kept("event_key")}) == len(rows)
