"""The cluster picture is a PNG that fits into the Dagster UI, whatever the campaigns look like."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mkt_assets.audiences.charts import cluster_scatter
from mkt_assets.audiences.clusters import cluster_campaigns

_LIMIT = 180_000


def daily(count: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    days = pd.date_range("2025-01-01", periods=10)
    index = pd.MultiIndex.from_product([days, [f"campaign {i}" for i in range(count)]])
    frame = index.to_frame(index=False, name=["date", "campaign"]).assign(channel="Search")
    spend = np.exp(rng.normal(4, 1, len(frame)))
    return frame.assign(spend=spend, impressions=spend * 90, clicks=spend, revenue=spend * 3)


def test_a_small_png_the_same_each_time() -> None:
    frame = daily(12)
    clusters = cluster_campaigns(frame)
    picture = cluster_scatter(frame, clusters)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < _LIMIT
    assert picture == cluster_scatter(frame.sample(frac=1, random_state=2), clusters)


def test_no_revenue_and_many_campaigns() -> None:
    frame = daily(60).drop(columns="revenue")
    assert len(cluster_scatter(frame, cluster_campaigns(frame))) < _LIMIT


def test_nothing_to_draw() -> None:
    frame = daily(3).assign(spend=0.0)
    assert cluster_scatter(frame, cluster_campaigns(frame)).startswith(b"\x89PNG")
