"""A holiday shows in everybody's spend and prices; one campaign's own affair does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mkt_assets.insights.grid import Grid, build_grid, check_daily
from mkt_assets.insights.market import MOST_CHANCE, step_chances
from mkt_assets.insights.rate_filter import STEP_CHANCE

DAYS, CAMPAIGNS, HOLIDAY = 150, 8, 120


def market(seed: int = 0, move: float = 1.0, of: int = CAMPAIGNS, days: int = DAYS) -> Grid:
    """Weekly habits and noise; on the holiday the first ``of`` campaigns spend ``move`` times."""
    rng = np.random.default_rng(seed)
    weekend = np.where(np.arange(days) % 7 >= 5, 0.7, 1.0)[:, None]
    spend = 100 * weekend * rng.lognormal(0, 0.1, (days, CAMPAIGNS))
    spend[HOLIDAY:, :of] *= move
    shown = spend * 100 * rng.lognormal(0, 0.1, spend.shape)
    shown[HOLIDAY:, :of] /= np.sqrt(move)
    day, campaign = (part.ravel() for part in np.indices(spend.shape))
    return build_grid(
        check_daily(
            pd.DataFrame(
                {
                    "date": pd.Timestamp("2025-01-06") + pd.to_timedelta(day, unit="D"),
                    "channel": "search",
                    "campaign": pd.Series(campaign).map("c{}".format),
                    "spend": spend.ravel(),
                    "impressions": shown.ravel(),
                }
            )
        )
    )


def test_a_move_of_all_is_likely_a_step_on_its_first_day_only() -> None:
    chance = step_chances(market(move=1.4))
    assert chance[HOLIDAY] == pytest.approx(MOST_CHANCE)
    assert np.median(chance) < STEP_CHANCE


def test_calm_weeks_and_one_campaigns_own_budget_are_none() -> None:
    for grid in (market(), market(move=3.0, of=1)):
        assert (step_chances(grid) > 0.3).mean() < 0.03


def test_no_later_day_is_read() -> None:
    whole = step_chances(market(move=1.4))
    assert np.array_equal(whole[:HOLIDAY], step_chances(_until(market(move=1.4), HOLIDAY)))


def _until(grid: Grid, days: int) -> Grid:
    parts = {
        name: getattr(grid, name)[:days]
        for name in Grid.__dataclass_fields__
        if name not in ("campaigns", "channels")
    }
    return Grid(campaigns=grid.campaigns, channels=grid.channels, **parts)


@pytest.mark.parametrize("days", [1, 6, 20])
def test_while_too_little_is_known_a_step_is_as_likely_as_on_any_day(days: int) -> None:
    grid = _until(market(), days)
    assert step_chances(grid) == pytest.approx(np.full(days, STEP_CHANCE))


def test_spend_that_never_varies_moves_nothing() -> None:
    grid = _until(market(), 60)
    still = Grid(
        **{
            **{n: getattr(grid, n) for n in Grid.__dataclass_fields__},
            "spend": np.ones_like(grid.spend),
            "impressions": np.ones_like(grid.spend),
        }
    )
    assert step_chances(still) == pytest.approx(np.full(60, STEP_CHANCE))
