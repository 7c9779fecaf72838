"""The pictures are PNG, small enough for the Dagster UI, and the same twice."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mkt_assets.forecast import charts, response, revenue

MAX_BYTES = 180_000


def daily() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    dates = pd.date_range("2025-01-01", periods=27)
    parts = [
        pd.DataFrame(
            {
                "date": dates,
                "channel": f"c{i}",
                "spend": rng.uniform(5, 9, 27),
                "revenue": rng.uniform(1, 9, 27),
            }
        )
        for i in range(14)
    ]
    return pd.concat(parts)


def test_the_fan_is_drawn_from_either_shape_and_from_nothing() -> None:
    rows = daily()
    table, _ = revenue.forecast_all(rows)
    history = rows.groupby("date")["revenue"].sum().rename("y").rename_axis("ds").reset_index()
    picture = charts.forecast_fan(rows, table)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < MAX_BYTES
    assert picture == charts.forecast_fan(history, table[table["series"] == "total"])
    assert charts.forecast_fan(rows, table.head(0)).startswith(b"\x89PNG")


def test_the_curves_are_drawn() -> None:
    picture = charts.response_curves(response.fit(daily()))
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < MAX_BYTES
