"""Daily campaign data with nothing wrong in it, for the tests to put things wrong in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

Make = Callable[..., pd.DataFrame]


def make_daily(
    campaigns: int = 5, days: int = 120, seed: int = 0, start: str = "2025-01-06"
) -> pd.DataFrame:
    """Calm campaigns: 10 % noise in spend, Poisson counts, weaker week-ends; sorted by date."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range(start, periods=days)
    weekend = dates.day_of_week.to_numpy() >= 5
    frames = []
    for index in range(campaigns):
        spend = 200 * (1 + index) * np.where(weekend, 0.9, 1.0) * np.exp(rng.normal(0, 0.1, days))
        impressions = rng.poisson(spend * 100)
        clicks = rng.poisson(impressions * 0.02)
        conversions = rng.poisson(clicks * 0.05 * np.where(weekend, 0.8, 1.0))
        value = rng.gamma(np.maximum(conversions, 1) * 3.0, 50 / 3)
        frames.append(
            pd.DataFrame(
                {
                    "date": dates,
                    "channel": f"channel_{index % 2}",
                    "campaign": f"campaign_{index}",
                    "spend": spend.round(2),
                    "impressions": impressions.astype("float64"),
                    "clicks": clicks.astype("float64"),
                    "conversions": conversions.astype("float64"),
                    "revenue": np.where(conversions > 0, value, 0.0).round(2),
                }
            )
        )
    out = pd.concat(frames, ignore_index=True)
    return out.sort_values(["date", "campaign"], ignore_index=True)


def days_of(daily: pd.DataFrame, campaign: str, start: str, end: str) -> pd.Series:
    """A mask of one campaign's days."""
    return (daily["campaign"] == campaign) & daily["date"].between(start, end)


@pytest.fixture(scope="session")
def calm() -> pd.DataFrame:
    """Nothing is wrong here."""
    return make_daily()


@pytest.fixture(scope="session")
def troubled() -> pd.DataFrame:
    """One event of each type, each in a campaign of its own."""
    daily = make_daily()
    spike = days_of(daily, "campaign_0", "2025-04-01", "2025-04-01")
    daily.loc[spike, ["spend", "impressions", "clicks"]] *= 3
    basket = days_of(daily, "campaign_1", "2025-04-03", "2025-04-03")
    daily.loc[basket, "revenue"] *= 4
    drop = days_of(daily, "campaign_2", "2025-04-07", "2025-04-13")
    daily.loc[drop, ["conversions", "revenue"]] = (
        daily.loc[drop, ["conversions", "revenue"]] * 0.3
    ).round()
    decline = days_of(daily, "campaign_3", "2025-04-01", "2025-04-28")
    ramp = 1 - 0.4 * np.arange(1, decline.sum() + 1) / decline.sum()
    daily.loc[decline, "clicks"] = (daily.loc[decline, "clicks"] * ramp).round()
    stop = days_of(daily, "campaign_4", "2025-04-15", "2025-04-17")
    daily.loc[stop, ["spend", "impressions", "clicks", "conversions", "revenue"]] = 0
    return daily
