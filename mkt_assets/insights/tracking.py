"""Clicks that stop while ads are still shown and paid for: something no longer counts them."""

from __future__ import annotations

import numpy as np

from mkt_assets.insights.flags import Flags
from mkt_assets.insights.grid import Grid
from mkt_assets.insights.rates import Expected, count_score

#: so many clicks must have been due; fewer may well be none
LEAST_DUE = 20.0
#: no click where so many are due is beyond any day's noise
LOST_Z = 6.0


def lost_clicks(grid: Grid, clicks: Expected) -> Flags:
    """Days with spend and impressions but without a single click where many were due."""
    relative = clicks.daily + clicks.weekdays + clicks.baseline
    variance = clicks.counts + relative * clicks.counts**2
    score = count_score(clicks.seen, clicks.counts, variance, upper=False)
    at = (grid.clicks == 0) & (grid.spend > 0) & (clicks.counts >= LEAST_DUE) & (score >= LOST_Z)
    rows = np.arange(len(at))[:, None] + np.zeros(at.shape, dtype=np.int64)
    return Flags(
        "performance_drop",
        "ctr",
        at,
        rows,
        rows,
        score,
        clicks.counts,
        grid.clicks,
        gap=2,
        exposure=grid.impressions,
    )
