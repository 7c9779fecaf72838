"""Windows of days against no change: odds, the likeliest window, and how windows vary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.insights.rates import Expected
from mkt_assets.insights.scan import (
    Changes,
    inflation,
    long_run_inflation,
    of_amounts,
    of_counts,
    scan,
    windows,
)

DROP = Changes((0.5,), (2, 4), 1.0)


def model_of(seen: np.ndarray, mean: float = 20.0, daily: float = 0.02) -> Expected:
    """One column per campaign, the same expectation each day."""
    counts = np.full(seen.shape, mean)
    return Expected(counts, seen, np.full(seen.shape, daily), np.full(seen.shape, 0.001), counts)


def calm_days(days: int = 60, campaigns: int = 1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(20 * rng.gamma(50, 1 / 50, (days, campaigns))).astype("float64")


def nothing(model: Expected) -> np.ndarray:
    return np.zeros(model.seen.shape, dtype=bool)


def drops(model: Expected, changes: Changes = DROP):
    return scan(windows(model, nothing(model), changes.lengths), changes)


def test_odds_are_bayes_rule_for_one_window_alone() -> None:
    """A single window of two days: prior odds times the likelihood ratio, by hand."""
    from scipy.stats import nbinom

    model = model_of(np.array([[9.0], [11.0]]))
    found = drops(model, Changes((0.5,), (2,), 3.65))
    relative = 2 * 0.02 * 20**2 / 40**2 + 0.001
    size = 1 / relative
    ratio = nbinom.pmf(20, size, size / (size + 20)) / nbinom.pmf(20, size, size / (size + 40))
    assert found.log_odds[1, 0] == pytest.approx(np.log(0.01 * ratio))
    assert (found.start[1, 0], found.last[1, 0]) == (0, 1)


@settings(max_examples=40, deadline=None)
@given(first=st.integers(15, 50), length=st.integers(2, 4), seed=st.integers(0, 1000))
def test_a_halving_is_found_where_it_lies(first: int, length: int, seed: int) -> None:
    seen = calm_days(seed=seed)
    seen[first : first + length] = 6.0
    found = drops(model_of(seen), Changes((0.5, 0.3), (2, 3, 4), 1.0))
    day = first + length - 1
    assert found.log_odds[day, 0] > 0
    assert abs(found.start[day, 0] - first) <= 2
    assert found.last[day, 0] <= day


def test_a_strong_change_lends_nothing_to_the_calm_days_after_it() -> None:
    seen = np.full((40, 1), 20.0)
    seen[20:24] = 0.0
    found = drops(model_of(seen))
    flagged = found.log_odds[:, 0] > 0
    assert flagged[23]
    assert (found.last[flagged, 0] <= 24).all()
    assert not flagged[28:].any()


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(5, 59), seed=st.integers(0, 1000))
def test_nothing_reads_a_later_day(cut: int, seed: int) -> None:
    whole, part = model_of(calm_days(seed=seed)), model_of(calm_days(seed=seed)[:cut])
    np.testing.assert_array_equal(drops(whole).log_odds[:cut], drops(part).log_odds)
    for of in (inflation, long_run_inflation):
        np.testing.assert_array_equal(of(whole, nothing(whole))[:cut], of(part, nothing(part)))


def test_an_unknown_day_is_no_evidence() -> None:
    seen = calm_days()
    seen[30:40] = np.nan
    found = drops(model_of(seen))
    assert (found.log_odds[35:40] == -np.inf).all()


def test_days_that_resemble_their_neighbours_inflate_sums() -> None:
    rng = np.random.default_rng(0)
    noise = np.zeros((400, 20))
    for day in range(1, 400):
        noise[day] = 0.6 * noise[day - 1] + rng.normal(0, 0.2 * 0.8, 20)
    together = model_of(rng.poisson(500 * np.exp(noise)).astype("float64"), 500.0, 0.04)
    apart = model_of(
        rng.poisson(500 * np.exp(rng.normal(0, 0.2, (400, 20)))).astype("float64"), 500.0, 0.04
    )
    # (1 + .6) / (1 - .6) = 4
    assert long_run_inflation(together, nothing(together))[-1, 0] == pytest.approx(4, abs=0.8)
    assert long_run_inflation(apart, nothing(apart))[-1, 0] < 1.3
    assert inflation(together, nothing(together))[-1, 0] > 1.5
    assert inflation(apart, nothing(apart))[-1, 0] == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("likelihood", [of_counts, of_amounts])
def test_a_likelihood_is_greatest_at_what_came(likelihood) -> None:
    mean = np.linspace(5, 60, 200)
    at = mean[np.argmax(likelihood(np.full(200, 30.0), mean, np.full(200, 15.0)))]
    assert at == pytest.approx(30, abs=0.3)
