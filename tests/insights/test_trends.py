"""Trends: the interval covers, whole windows only, ratios as ratios of sums, honest silence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.contracts import REGISTRY
from mkt_assets.insights.trends import COLUMNS, METRICS, compute
from mkt_assets.insights.weekdays import NAMES

from .conftest import make_daily


def one(found: pd.DataFrame, metric: str, campaign: str = "campaign_0") -> pd.Series:
    """The only row of a campaign and metric."""
    row = found[(found["campaign"] == campaign) & (found["metric"] == metric)]
    return row.squeeze()


def with_spend(values: np.ndarray) -> pd.DataFrame:
    """One campaign with these amounts of spend, a day each."""
    return make_daily(1, len(values), 1).assign(spend=values)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(
    slope=st.floats(-5, 5),
    level=st.floats(500, 1_000),
    days=st.integers(14, 28),
    seed=st.integers(0, 1_000),
)
def test_a_line_added_to_the_data_is_added_to_the_slope(
    slope: float, level: float, days: int, seed: int
) -> None:
    noise = np.random.default_rng(seed).normal(0, 20, days)
    plain = one(compute(with_spend(level + noise)), "spend")
    tilted = one(compute(with_spend(level + noise + slope * np.arange(days))), "spend")
    assert tilted["slope"] - plain["slope"] == pytest.approx(slope, abs=1e-6)
    width = plain["slope_hi"] - plain["slope_lo"]
    assert tilted["slope_hi"] - tilted["slope_lo"] == pytest.approx(width, rel=1e-6)
    assert plain["slope_lo"] <= plain["slope"] <= plain["slope_hi"]
    assert 0 <= plain["p_value"] <= 1
    # the interval and the p-value say the same
    assert (plain["p_value"] < 0.05) == (plain["slope_lo"] > 0 or plain["slope_hi"] < 0)


@pytest.mark.parametrize(("rho", "least"), [(0.0, 0.93), (0.3, 0.91), (0.5, 0.87)])
def test_the_interval_covers_in_spite_of_autocorrelation(rho: float, least: float) -> None:
    """400 series without a trend; ordinary least squares would cover 76 % of them at .5."""
    rng = np.random.default_rng(5)
    series, days = 400, 28
    x = np.zeros((series, days))
    x[:, 0] = rng.normal(size=series)
    for day in range(1, days):
        x[:, day] = rho * x[:, day - 1] + np.sqrt(1 - rho**2) * rng.normal(size=series)
    daily = pd.DataFrame(
        {
            "date": np.tile(pd.date_range("2025-01-01", periods=days), series),
            "channel": "c",
            "campaign": np.repeat([f"s{i:03d}" for i in range(series)], days),
            "spend": 100 + 10 * x.ravel(),
            "impressions": 0,
            "clicks": 0,
        }
    )
    found = compute(daily)
    covered = (found["slope_lo"] <= 0) & (found["slope_hi"] >= 0)
    assert len(found) == series
    assert covered.mean() >= least


def test_columns_and_keys_are_those_of_the_contract(calm: pd.DataFrame) -> None:
    found = compute(calm)
    table = REGISTRY["insights/trends"]
    assert list(found.columns) == list(COLUMNS) == [column.name for column in table.columns]
    assert not found.duplicated(list(table.key)).any()
    assert set(found["metric"]) == set(METRICS)


def test_weekdays_are_no_trend() -> None:
    days = np.arange(28)
    row = one(compute(with_spend(np.where(days % 7 >= 5, 50.0, 100.0))), "spend")
    assert row["slope"] == pytest.approx(0, abs=1e-9)
    assert row["strength"] == "none"


@pytest.mark.parametrize(
    ("change", "strength"), [(0.0, "none"), (0.1, "weak"), (0.2, "moderate"), (0.5, "strong")]
)
def test_strength_follows_its_stated_limits(change: float, strength: str) -> None:
    noise = np.random.default_rng(2).normal(0, 0.5, 28)
    ramp = 100 * change * np.linspace(-0.5, 0.5, 28)
    assert one(compute(with_spend(100 + ramp + noise)), "spend")["strength"] == strength


def test_ratios_are_ratios_of_sums(calm: pd.DataFrame) -> None:
    week = calm[(calm["campaign"] == "campaign_0")].tail(7)
    found = compute(calm)
    assert one(found, "ctr")["ma7"] == pytest.approx(
        week["clicks"].sum() / week["impressions"].sum()
    )
    assert one(found, "roas")["ma7"] == pytest.approx(week["revenue"].sum() / week["spend"].sum())
    assert one(found, "spend")["ma7"] == pytest.approx(week["spend"].mean())


def test_an_incomplete_week_has_no_average_but_a_slope(calm: pd.DataFrame) -> None:
    last = calm["date"].max()
    gap = (calm["campaign"] == "campaign_0") & (calm["date"] == last - pd.Timedelta(days=2))
    row = one(compute(calm[~gap]), "spend")
    assert np.isnan(row["ma7"])
    assert np.isfinite(row["slope"])
    assert row["n_days"] == 27


def test_too_few_days_give_no_slope_and_no_strength() -> None:
    found = compute(make_daily(2, 13, 0))
    assert found["slope"].isna().all()
    assert found["p_value"].isna().all()
    assert (found["strength"] == "none").all()
    assert np.isfinite(found["ma7"]).all()


def test_what_is_absent_has_no_row(calm: pd.DataFrame) -> None:
    found = compute(calm.drop(columns=["revenue", "conversions"]))
    assert set(found["metric"]) == {"spend", "ctr"}
    ended = calm[(calm["campaign"] != "campaign_1") | (calm["date"] < "2025-02-01")]
    assert "campaign_1" not in set(compute(ended)["campaign"])


def test_nothing_and_next_to_nothing(calm: pd.DataFrame) -> None:
    assert list(compute(calm.head(0)).columns) == list(COLUMNS)
    assert (compute(calm.head(1))["strength"] == "none").all()
    zeros = compute(calm.assign(spend=0.0, revenue=0.0, clicks=0, impressions=0))
    assert (zeros.loc[zeros["metric"] == "spend", "slope"] == 0).all()
    assert set(zeros["metric"]) == {"spend", "revenue", "conversions"}


def test_the_weekday_profile_is_relative_to_the_average_weekday() -> None:
    """From a Monday on: week-ends at half, whatever the level."""
    days = np.arange(56)
    row = one(compute(with_spend(np.where(days % 7 >= 5, 50.0, 100.0))), "spend")
    profile = row[["mon", "tue", "wed", "thu", "fri", "sat", "sun"]].to_numpy("float64")
    assert profile == pytest.approx([7 / 6] * 5 + [7 / 12] * 2)
    assert profile.mean() == pytest.approx(1)


def test_the_weekday_profile_of_a_ratio_is_a_ratio_of_sums(calm: pd.DataFrame) -> None:
    recent = calm[calm["date"] > calm["date"].max() - pd.Timedelta(days=56)]
    mine = recent[recent["campaign"] == "campaign_0"]
    sunday = mine[mine["date"].dt.day_of_week == 6]
    expected = sunday["clicks"].sum() / sunday["impressions"].sum()
    expected /= mine["clicks"].sum() / mine["impressions"].sum()
    assert one(compute(calm), "ctr")["sun"] == pytest.approx(expected)


def test_no_weekday_profile_from_three_weeks_or_from_nothing(calm: pd.DataFrame) -> None:
    short = compute(make_daily(2, 21, 0))
    assert short[["mon", "sun"]].isna().all(axis=None)
    zeros = compute(calm.assign(spend=0.0))
    assert zeros.loc[zeros["metric"] == "spend", "mon"].isna().all()


@pytest.mark.parametrize(("unreported", "ratio"), [("revenue", "roas"), ("clicks", "ctr")])
def test_a_weekday_without_a_report_has_the_ratio_of_its_reported_days(
    calm: pd.DataFrame, unreported: str, ratio: str
) -> None:
    """Every other Monday costs and shows much and reports nothing of what came of it."""
    daily = calm.assign(spend=10.0, revenue=40.0, clicks=5, impressions=100)
    silent = (daily["date"].dt.day_of_week == 0) & (daily["date"].dt.isocalendar().week % 2 == 0)
    daily = daily.astype({"clicks": "float64"})
    daily.loc[silent, ["spend", "impressions"]] *= 10
    daily.loc[silent, unreported] = np.nan
    row = one(compute(daily), ratio)
    assert row[list(NAMES)].to_numpy("float64") == pytest.approx([1.0] * 7)
