"""Expected counts: levels, weekdays and shared days are found; nothing reads a later day."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.insights.rates import Expected, expect


def account(
    days: int = 200, campaigns: int = 8, seed: int = 0, shared: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, exposure and the true means of campaigns with a weak Sunday."""
    rng = np.random.default_rng(seed)
    exposure = rng.poisson(1000, (days, campaigns)).astype("float64")
    rate = 0.02 * (1 + np.arange(campaigns)) / 2
    weekday = np.where(np.arange(days) % 7 == 6, 0.6, 1.0)[:, None]
    mean = exposure * rate * weekday * (1.0 if shared is None else shared[:, None])
    return rng.poisson(mean).astype("float64"), exposure, mean


def calm(counts: np.ndarray) -> np.ndarray:
    return np.zeros(counts.shape, dtype=bool)


def off_by(model: Expected, mean: np.ndarray, days: slice) -> float:
    return float(np.sqrt(np.nanmean((model.counts[days] / mean[days] - 1) ** 2)))


def test_level_and_weekday_are_learnt() -> None:
    counts, exposure, mean = account()
    model = expect(counts, exposure, calm(counts))
    assert off_by(model, mean, slice(100, 200)) < 0.08
    sunday = slice(104, 200, 7)
    assert np.nanmean(model.counts[sunday] / mean[sunday]) == pytest.approx(1, abs=0.05)


def test_uncertainty_is_as_large_as_the_error() -> None:
    """Standardised residuals have a standard deviation of about one."""
    counts, exposure, _ = account(seed=3)
    model = expect(counts, exposure, calm(counts), gap=8)
    variance = model.counts + (model.daily + model.baseline) * model.counts**2
    z = ((counts - model.counts) / np.sqrt(variance))[100:]
    assert np.nanstd(z) == pytest.approx(1, abs=0.12)


def test_a_day_that_all_share_is_expected_and_a_lone_one_is_not() -> None:
    shared = np.ones(200)
    shared[150:153] = 1.6
    counts, exposure, mean = account(shared=shared)
    assert off_by(expect(counts, exposure, calm(counts)), mean, slice(150, 153)) < 0.2
    alone, exposure, mean = account()
    alone[150:153, 2] *= 1.6
    assert off_by(expect(alone, exposure, calm(alone)), mean, slice(150, 153)) < 0.15


def test_an_outage_of_all_is_no_calendar() -> None:
    """No holiday takes more than half; what is beyond that stays expected."""
    counts, exposure, mean = account()
    counts[150:152] = 0
    model = expect(counts, exposure, calm(counts))
    assert (model.counts[150:152] > 0.35 * mean[150:152]).all()


def test_a_new_level_is_learnt_in_weeks() -> None:
    counts, exposure, mean = account(days=300)
    counts[150:, 0] = np.random.default_rng(1).poisson(mean[150:, 0] * 1.5)
    model = expect(counts, exposure, calm(counts))
    assert np.nanmean(model.counts[230:, 0] / mean[230:, 0]) == pytest.approx(1.5, rel=0.15)


def test_a_campaign_alone_in_its_account_is_judged_too() -> None:
    counts, exposure, mean = account(campaigns=1)
    model = expect(counts, exposure, calm(counts))
    assert off_by(model, mean, slice(100, 200)) < 0.12


def test_young_and_dead_campaigns_have_no_expectation() -> None:
    counts, exposure, _ = account(days=40)
    exposure[20:, 1] = 0
    exposure[:, 2] = np.nan
    model = expect(counts, exposure, calm(counts))
    assert np.isnan(model.counts[:14]).all()
    assert np.isnan(model.counts[20:, 1]).all()
    assert np.isnan(model.counts[:, 2]).all()
    assert np.isfinite(model.counts[30, 0])


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    cut=st.integers(20, 119), gap=st.sampled_from([1, 8]), seed=st.integers(0, 1000),
    marked=st.lists(st.tuples(st.integers(0, 119), st.integers(0, 3)), max_size=8),
)  # fmt: skip
def test_nothing_reads_a_later_day_or_mark(
    cut: int, gap: int, seed: int, marked: list[tuple[int, int]]
) -> None:
    """A late mark is made up to gap - 1 days after its day: until then nothing depends on it."""
    counts, exposure, _ = account(days=120, campaigns=4, seed=seed)
    odd, late = calm(counts), calm(counts)
    for day, campaign in marked:
        (odd if gap == 1 else late)[day, campaign] = True
    whole = expect(counts, exposure, odd, gap, late)
    unmarked = late[:cut].copy()
    # as of the last day of the part, marks of its last gap - 1 days may not have been made
    unmarked[max(cut - gap + 1, 0) :] = False
    part = expect(counts[:cut], exposure[:cut], odd[:cut], gap, unmarked)
    for name in ("counts", "daily", "baseline", "effective"):
        np.testing.assert_array_equal(getattr(whole, name)[:cut], getattr(part, name))


def test_small_skewed_counts_are_expected_neither_too_high_nor_too_low() -> None:
    """Cut evenly about the mean, counts lose more above than below, and what all share sinks."""
    rng = np.random.default_rng(5)
    exposure = np.full((500, 40), 1000.0)
    counts = rng.poisson(1.5 * rng.gamma(20, 1 / 20, exposure.shape)).astype("float64")
    model = expect(counts, exposure, calm(counts), gap=8)
    assert np.nanmean(model.counts[200:]) == pytest.approx(1.5, rel=0.01)


def test_a_step_that_is_announced_is_followed_at_once() -> None:
    shared = np.ones(200)
    shared[150:155] = 1.3
    errors = []
    for chance in (0.02, 0.7):
        steps = np.full(200, 0.02)
        steps[[150, 155]] = chance
        off = []
        for seed in range(5):
            counts, exposure, mean = account(campaigns=4, seed=seed, shared=shared)
            model = expect(counts, exposure, calm(counts), 8, step_chance=steps)
            off.append(off_by(model, mean, slice(150, 157)))
        errors.append(np.mean(off))
    assert errors[1] < 0.9 * errors[0]
