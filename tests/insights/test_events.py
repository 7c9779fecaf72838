"""What an event is said to have been: sums of its days, or a ratio of sums."""

from __future__ import annotations

import numpy as np
import pytest

from mkt_assets.insights.events import events_of
from mkt_assets.insights.flags import Flags


@pytest.mark.parametrize("untold", ["clicks", "impressions"])
def test_a_click_rate_is_of_the_days_that_tell_both_parts(untold: str) -> None:
    days = 4
    amounts = {"clicks": np.full((days, 1), 2.0), "impressions": np.full((days, 1), 100.0)}
    amounts["impressions"][2], amounts["clicks"][2] = 1000.0, 20.0
    amounts[untold][2] = np.nan
    at = np.array([[False], [False], [False], [True]])
    zeros = np.zeros((days, 1), dtype=np.int64)
    flags = Flags(
        "ctr_decline",
        "ctr",
        at,
        zeros,
        zeros + days - 1,
        np.ones((days, 1)),
        np.full((days, 1), 4.0),
        amounts["clicks"],
        gap=7,
        exposure=amounts["impressions"],
    )
    (event,) = events_of(flags)
    assert event.actual == pytest.approx(0.02)
    assert event.expected == pytest.approx(0.04)
