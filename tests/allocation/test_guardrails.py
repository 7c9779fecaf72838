"""Guardrails: cents add up, bounds hold or say why not, and the check sees every breach."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkt_assets.allocation import guardrails

cents = st.lists(st.integers(0, 10**9), min_size=1, max_size=8)


@given(money=st.lists(st.floats(0, 1e7), min_size=1, max_size=12))
def test_rounding_to_cents_keeps_the_sum_and_moves_nobody_by_a_cent(money: list[float]) -> None:
    values = np.array(money)
    rounded = guardrails.to_cents(values)
    assert rounded.sum() == round(round(float(values.sum()), 2) * 100)
    assert (np.abs(rounded - values * 100) <= 1.001).all()


@given(current=cents, guardrail=st.floats(0, 1), where=st.floats(0, 1))
def test_a_budget_between_the_sums_always_has_room(
    current: list[int], guardrail: float, where: float
) -> None:
    now = np.array(current)
    low, high = now * (1 - guardrail), now * (1 + guardrail)
    budget = round(float(low.sum() + where * (high.sum() - low.sum())))
    lower, upper = guardrails.bounds(now, guardrail, budget)
    assert lower.sum() <= budget <= upper.sum()
    assert (lower <= upper).all()
    assert (lower > low - 1).all()
    assert (upper < high + 1).all()


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "channel": ["a", "b"],
            "current": [10.0, 20.0],
            "proposed": [12.0, 18.0],
            "lower": [5.0, 10.0],
            "upper": [15.0, 30.0],
        }
    )


def test_a_kept_promise_has_no_violations() -> None:
    assert guardrails.verify(frame(), 30.0, 0.5) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"proposed": [12.0, 18.01]}, "30.01 in all"),
        ({"proposed": [16.0, 14.0]}, "a gets 16.00, outside"),
        ({"proposed": [4.0, 26.0]}, "a gets 4.00, outside"),
        ({"proposed": [12.0, np.nan]}, "missing or not finite"),
        ({"lower": [4.9, 10.0]}, "beyond 50%"),
        ({"channel": ["a", "a"]}, "twice"),
    ],
)
def test_every_breach_is_named(change: dict[str, list[object]], message: str) -> None:
    problems = guardrails.verify(frame().assign(**change), 30.0, 0.5)
    assert any(message in problem for problem in problems), problems
