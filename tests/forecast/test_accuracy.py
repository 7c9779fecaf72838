"""The backtest: nothing in it may know the future, and it must be able to say no."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mkt_assets.forecast import accuracy


def history(days: int = 120, seed: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ds = pd.date_range("2025-01-01", periods=days)
    y = 500 * np.where(ds.day_of_week >= 5, 0.6, 1.0) * np.exp(rng.normal(0, 0.2, days))
    return pd.DataFrame({"ds": ds, "y": y})


@pytest.mark.slow
def test_a_window_is_scored_only_by_what_was_known_before_it() -> None:
    rows = history()
    folds = accuracy.backtest(rows)
    assert folds.groupby("model").size().to_dict() == {"prophet": 3, "seasonal_naive": 3}
    earliest = folds["cutoff"].min()
    later = rows["ds"] > earliest + pd.Timedelta(days=14)
    changed = accuracy.backtest(rows.assign(y=rows["y"].mask(later, rows["y"] * 3)))
    pick = ["model", "cutoff", "mae", "mase", "coverage80", "coverage95"]
    first, second = (
        f.loc[f["cutoff"] == earliest, pick].reset_index(drop=True) for f in (folds, changed)
    )
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.slow
def test_the_numbers_are_what_their_names_say() -> None:
    rows = history()
    folds = accuracy.backtest(rows)
    one = folds[folds["model"] == "seasonal_naive"].iloc[-1]
    known = rows.set_index("ds")["y"]
    before, after = known.loc[: one["cutoff"]], known.loc[one["cutoff"] + pd.Timedelta(days=1) :]
    error = np.abs(after.to_numpy() - np.tile(before.to_numpy()[-7:], 2)).mean()
    scale = np.abs(before.to_numpy()[7:] - before.to_numpy()[:-7]).mean()
    assert one["mae"] == pytest.approx(error)
    assert one["mase"] == pytest.approx(error / scale)
    assert folds["coverage80"].between(0, 1).all()
    assert (folds["coverage95"] >= folds["coverage80"]).all()
    assert folds.loc[folds["model"] == "seasonal_naive", "beats_baseline"].isna().all()


@pytest.mark.slow
def test_white_noise_is_won_and_a_weekly_staircase_is_not() -> None:
    """Averaging beats repeating noise; nothing beats repeating what repeats exactly."""
    noise = accuracy.backtest(history())
    assert noise.loc[noise["model"] == "prophet", "beats_baseline"].all()
    ds = pd.date_range("2025-01-01", periods=100)
    exact = accuracy.backtest(pd.DataFrame({"ds": ds, "y": 100.0 + 10 * ds.day_of_week}))
    assert not exact.loc[exact["model"] == "prophet", "beats_baseline"].any()
    assert exact["rel_mae"].isna().all()  # the baseline has no error to compare with


@pytest.mark.slow
def test_a_history_too_short_for_a_window_is_not_scored() -> None:
    assert accuracy.backtest(history(30)).empty
    summary = accuracy.summarise(
        accuracy.backtest(history(30)), "total", 14, pd.Timestamp("2025-01-30")
    )
    assert summary.empty
