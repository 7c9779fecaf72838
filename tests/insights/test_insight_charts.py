"""Charts: valid, small, deterministic PNGs, whatever there is to draw."""

from __future__ import annotations

import pandas as pd
import pytest

from mkt_assets.insights import charts
from mkt_assets.insights.anomalies import detect

#: a folder that a library forgot in an earlier test may be found now; it is none of a chart's
IGNORED = "ignore:Implicitly cleaning up:ResourceWarning"
PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 180_000


def test_a_picture_of_the_worst_anomalies(troubled: pd.DataFrame) -> None:
    found = detect(troubled)
    picture = charts.anomaly_chart(troubled, found)
    assert picture.startswith(PNG)
    assert len(picture) < LARGEST
    assert picture == charts.anomaly_chart(troubled, found)
    assert picture != charts.anomaly_chart(troubled, found, limit=1)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(5))
def test_each_type_can_be_drawn(troubled: pd.DataFrame, index: int) -> None:
    found = detect(troubled).iloc[[index]]
    assert charts.anomaly_chart(troubled, found).startswith(PNG)


def test_nothing_to_draw_is_said(calm: pd.DataFrame) -> None:
    none = detect(calm.head(0))
    assert charts.anomaly_chart(calm, none).startswith(PNG)
    assert charts.daily_spend_revenue(calm.head(0)).startswith(PNG)


def test_spend_and_revenue(calm: pd.DataFrame) -> None:
    picture = charts.daily_spend_revenue(calm)
    assert picture.startswith(PNG)
    assert len(picture) < LARGEST
    without = charts.daily_spend_revenue(calm.drop(columns=["revenue"]))
    assert without.startswith(PNG)
    assert without != picture


@pytest.mark.filterwarnings("error", IGNORED)
@pytest.mark.parametrize("days", [1, 2, 5])
def test_a_few_days_can_be_drawn(calm: pd.DataFrame, days: int) -> None:
    short = calm[calm["date"] < calm["date"].min() + pd.Timedelta(days=days)]
    assert charts.daily_spend_revenue(short).startswith(PNG)


def test_no_global_plotting_state(calm: pd.DataFrame) -> None:
    """A long-lived worker must not collect figures."""
    from matplotlib import pyplot as plt

    before = plt.get_fignums()
    charts.daily_spend_revenue(calm)
    assert plt.get_fignums() == before
