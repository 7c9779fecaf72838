"""Causes are named only where a number stands behind them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mkt_assets.errors import InputError
from mkt_assets.insights.anomalies import detect

from .conftest import days_of, make_daily

AMOUNTS = ["spend", "impressions", "clicks", "conversions", "revenue"]
FIRST, LAST = "2025-04-07", "2025-04-12"


def damaged(campaigns: list[str], column: str, factor: float) -> pd.DataFrame:
    """Calm campaigns of which some lose conversions and revenue for six days."""
    daily = make_daily(6, 120)
    for campaign in campaigns:
        hit = days_of(daily, campaign, FIRST, LAST)
        columns = ["conversions", "revenue"] if column == "conversions" else [column]
        daily.loc[hit, columns] = (daily.loc[hit, columns] * factor).round()
    return daily


def cause(
    daily: pd.DataFrame, type_: str = "performance_drop", campaign: str = "campaign_2"
) -> str:
    found = detect(daily)
    mine = found[(found["type"] == type_) & (found["campaign"] == campaign)]
    assert len(mine) == 1
    return str(mine["cause"].item())


def test_one_campaign_or_its_channel_or_all() -> None:
    assert cause(damaged(["campaign_2"], "conversions", 0.3)).endswith("other campaigns hold")
    channel = [f"campaign_{i}" for i in (0, 2, 4)]
    assert "channel's other campaigns" in cause(damaged(channel, "conversions", 0.3))
    everyone = [f"campaign_{i}" for i in range(6)]
    told = cause(damaged(everyone, "conversions", 0.0))
    assert told == (
        "clicks but no conversions at all: check the tracking first; all campaigns drop together"
    )


def test_an_outage_of_the_whole_account_is_seen_in_every_campaign() -> None:
    found = detect(damaged([f"campaign_{i}" for i in range(6)], "conversions", 0.0))
    assert found.loc[found["type"] == "performance_drop", "campaign"].nunique() == 6


def test_rate_or_mix() -> None:
    assert cause(damaged(["campaign_2"], "conversions", 0.3)).startswith("rate: ")
    assert cause(damaged(["campaign_2"], "clicks", 2.5)).startswith("mix: ")


def test_sessions_that_do_not_arrive() -> None:
    daily = damaged(["campaign_2"], "conversions", 0.3)
    daily["sessions"] = (daily["clicks"] * 0.8).round()
    assert cause(daily).startswith("rate: ")
    daily.loc[days_of(daily, "campaign_2", FIRST, LAST), "sessions"] = 3
    assert cause(daily).startswith("tracking loss: clicks arrive but sessions do not")


def test_a_fallen_consent_rate() -> None:
    daily = damaged(["campaign_2"], "conversions", 0.4).assign(consent_rate=0.8)
    assert cause(daily).startswith("rate: ")
    daily.loc[days_of(daily, "campaign_2", FIRST, LAST), "consent_rate"] = 0.35
    assert cause(daily).startswith("consent rate fell")
    with pytest.raises(InputError, match="consent_rate"):
        detect(daily.assign(consent_rate=80.0))


def test_spend_without_clicks_is_a_tracking_loss() -> None:
    daily = make_daily(6, 120)
    daily.loc[days_of(daily, "campaign_2", FIRST, LAST), ["clicks", "conversions", "revenue"]] = 0
    found = detect(daily)
    assert found[["campaign", "type", "metric"]].to_numpy().tolist() == [
        ["campaign_2", "performance_drop", "ctr"]
    ]
    assert found["cause"].item() == "tracking loss: spend and impressions without clicks"
    assert (found["start"].item(), found["end"].item()) == (
        pd.Timestamp(FIRST),
        pd.Timestamp(LAST),
    )
    assert found["money_at_risk"].item() > 0


def test_who_stopped_spending() -> None:
    for stopped, words in (
        (["campaign_2"], "budget used up or paused"),
        ([f"campaign_{i}" for i in (0, 2, 4)], "most of its channel stopped too"),
        ([f"campaign_{i}" for i in range(6)], "most others stopped too"),
    ):
        daily = make_daily(6, 120)
        daily.loc[
            daily["campaign"].isin(stopped) & daily["date"].between(FIRST, "2025-04-08"), AMOUNTS
        ] = 0
        assert words in cause(daily, "zero_spend")


def test_dearer_impressions_are_told_from_more_of_them() -> None:
    daily = make_daily(6, 120)
    hit = days_of(daily, "campaign_2", FIRST, FIRST)
    daily.loc[hit, "spend"] *= 3
    assert cause(daily, "spend_spike") == "impressions cost more than usual"
    daily.loc[hit, "impressions"] = np.round(daily.loc[hit, "impressions"] * 3)
    assert cause(daily, "spend_spike") == "more impressions were bought than usual"
    daily.loc[hit, "impressions"] = 0
    assert cause(daily, "spend_spike") == "spend without impressions: check the billing"
    # not reported is not none
    daily["impressions"] = np.nan
    assert cause(daily, "spend_spike") == "more was spent than usual; impressions are not reported"
