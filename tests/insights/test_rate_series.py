"""Hourly rates: causal scores in [0, 1], the same in any unit, right on planted spikes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.errors import InputError
from mkt_assets.insights.rate_series import REFRACTORY, detect_rates, one_alarm_each

#: a score that calm hours must not often reach: one in ten thousand
ALARM = 4 / 12


def make_rates(hours: int = 900, seed: int = 0) -> pd.DataFrame:
    """A calm CPC: a daily cycle and 10 % noise."""
    rng = np.random.default_rng(seed)
    at = np.arange(hours)
    log = 0.2 * np.cos(2 * np.pi * at / 24) + rng.normal(0, 0.1, hours)
    ts = pd.date_range("2025-01-01 00:15:01", periods=hours, freq="h")
    return pd.DataFrame({"ts": ts, "value": 0.5 * np.exp(log)})


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cut=st.integers(1, 499),
    damage=st.lists(
        st.tuples(st.integers(0, 499), st.sampled_from([0.0, 0.1, 5.0, np.nan, -1.0])), max_size=12
    ),
    gap=st.tuples(st.integers(0, 499), st.integers(0, 60)),
)
def test_later_hours_never_change_a_score(
    seed: int, cut: int, damage: list[tuple[int, float]], gap: tuple[int, int]
) -> None:
    rates = make_rates(500, seed)
    for hour, factor in damage:
        rates.loc[hour, "value"] *= factor
    rates = rates.drop(index=range(gap[0], min(sum(gap), 500))).reset_index(drop=True)
    full, then = detect_rates(rates), detect_rates(rates.head(cut))
    np.testing.assert_allclose(then["score"], full["score"].head(cut), rtol=1e-9, atol=1e-12)
    assert full["score"].between(0, 1).all()
    assert len(full) == len(rates)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), power=st.integers(-20, 20))
def test_the_unit_of_the_rate_does_not_matter(seed: int, power: int) -> None:
    rates = make_rates(400, seed)
    scaled = rates.assign(value=rates["value"] * 2.0**power)
    np.testing.assert_allclose(
        detect_rates(rates)["score"], detect_rates(scaled)["score"], rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("factor", [3.0, 0.25, 0.0])
def test_a_spike_and_a_dip_are_found_at_once_and_told_again_only_if_worse(factor: float) -> None:
    rates = make_rates()
    rates.loc[700:703, "value"] *= factor
    score = detect_rates(rates)["score"]
    assert score.loc[700] > ALARM
    told = score.loc[700:730]
    assert told[told > 0].is_monotonic_increasing
    assert score.loc[700] > score.drop(index=range(700, 740)).max()


def test_hours_that_are_each_a_little_dear_add_up() -> None:
    """Three hours, none of them beyond the noise, tell more than the last of them alone."""
    alone, together = [], []
    for seed in range(8):
        for first, scores in ((702, alone), (700, together)):
            rates = make_rates(seed=seed)
            rates.loc[first:702, "value"] *= 1.3
            scores.append(detect_rates(rates)["score"].loc[700:703].max())
    assert np.mean(together) > 1.3 * np.mean(alone)


def test_a_new_price_level_is_found_and_then_usual() -> None:
    rates = make_rates()
    rates.loc[600:, "value"] *= 2.5
    score = detect_rates(rates)["score"]
    assert score.loc[600:602].max() > ALARM
    assert (score.loc[640:] > ALARM).sum() <= 1


def test_calm_hours_rarely_score_high() -> None:
    """A score says what it says: 1e-4 an hour is reached by about that share of calm hours."""
    scores = pd.concat([detect_rates(make_rates(1_500, seed))["score"] for seed in range(8)])
    assert (scores > ALARM).mean() <= 1e-3


def test_the_daily_cycle_is_no_anomaly() -> None:
    """Twice the rate every evening is news on the first evenings only."""
    rates = make_rates()
    rates.loc[rates["ts"].dt.hour == 20, "value"] *= 2
    assert (detect_rates(rates)["score"].loc[500:] > ALARM).sum() == 0


def test_rows_in_any_order_with_repeated_times_and_any_index() -> None:
    rates = make_rates()
    rates.loc[700, "value"] *= 4
    shuffled = rates.sample(frac=1, random_state=1)
    pd.testing.assert_series_equal(
        detect_rates(shuffled).set_index("ts")["score"].sort_index(),
        detect_rates(rates).set_index("ts")["score"],
    )
    repeated = pd.concat([rates, rates.iloc[100:103]])
    assert len(detect_rates(repeated)) == len(repeated)
    assert detect_rates(repeated)["score"].iloc[700] > ALARM


def test_times_with_a_zone_are_taken() -> None:
    rates = make_rates()
    zoned = rates.assign(ts=rates["ts"].dt.tz_localize("UTC"))
    pd.testing.assert_series_equal(detect_rates(zoned)["score"], detect_rates(rates)["score"])


@pytest.mark.parametrize("rows", [0, 1, 2, 30])
def test_too_little_scores_nothing(rows: int) -> None:
    found = detect_rates(make_rates().head(rows))
    assert found.columns.tolist() == ["ts", "score"]
    assert found["score"].tolist() == [0.0] * rows


@pytest.mark.parametrize("value", [0.0, 0.7, np.nan, -3.0])
def test_a_series_that_never_changes_scores_nothing(value: float) -> None:
    assert (detect_rates(make_rates().assign(value=value))["score"] == 0).all()


def test_unknown_hours_score_nothing_and_spoil_nothing() -> None:
    rates = make_rates()
    rates.loc[700, "value"] *= 4
    holes = rates.copy()
    holes.loc[[650, 651], "value"] = [np.nan, -1.0]
    score = detect_rates(holes)["score"]
    assert score.loc[[650, 651]].tolist() == [0.0, 0.0]
    without = detect_rates(rates.drop(index=[650, 651]))["score"]
    np.testing.assert_allclose(score.drop(index=[650, 651]), without)


def test_bad_input_is_refused_by_row_and_column() -> None:
    rates = make_rates(50)
    with pytest.raises(InputError, match="column ts"):
        detect_rates(rates.drop(columns="ts"))
    for bad, words in (("n/a", "value 'n/a'"), (np.inf, "not a finite number")):
        wrong = rates.astype({"value": "object"})
        wrong.loc[4, "value"] = bad
        with pytest.raises(InputError, match=words) as refused:
            detect_rates(wrong)
        assert (refused.value.row, refused.value.column) == (5, "value")
    late = rates.astype({"ts": "object"})
    late.loc[2, "ts"] = "tomorrow"
    with pytest.raises(InputError, match="not a time"):
        detect_rates(late)


def test_an_alarm_is_repeated_only_when_it_gets_worse() -> None:
    stamps = pd.date_range("2025-01-01", periods=5, freq="12h").to_numpy()
    told = one_alarm_each(np.array([0.5, 0.4, 0.6, 0.6, 0.1]), stamps)
    assert told.tolist() == [0.5, 0.0, 0.6, 0.0, 0.0]
    later = stamps + np.arange(5) * REFRACTORY.to_numpy()
    assert one_alarm_each(np.full(5, 0.5), later).tolist() == [0.5] * 5


@pytest.fixture(scope="module")
def rates_bench() -> ModuleType:
    """The benchmark, whose scorer is tested here: it is the measure of this module."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "rates.py"
    spec = importlib.util.spec_from_file_location("rates_bench", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["rates_bench"] = module
    spec.loader.exec_module(module)
    return module


def test_the_scorer_gives_the_perfect_100_and_silence_nothing(rates_bench: ModuleType) -> None:
    truth = rates_bench.corpus(1)
    perfect, silent = [], []
    for labelled in truth:
        score = np.zeros(len(labelled.series))
        silent.append(score)
        perfect.append(score.copy())
        perfect[-1][[max(first, 243) for first, _ in labelled.windows]] = 1.0
    assert rates_bench.at_threshold(perfect, truth, 0.5) == pytest.approx(100, abs=0.1)
    assert rates_bench.at_threshold(silent, truth, 0.5) == 0
    # one false alarm before the first window costs its share
    early = [score.copy() for score in perfect]
    early[0][245] = 1.0
    windows = sum(len(labelled.windows) for labelled in truth)
    lost = rates_bench.at_threshold(perfect, truth, 0.5) - rates_bench.at_threshold(
        early, truth, 0.5
    )
    assert truth[0].windows[0][0] > 245
    assert lost == pytest.approx(100 * 0.11 / (2 * windows))
