"""The waterfall picture: a valid, small, deterministic PNG, whatever the days hold."""

from __future__ import annotations

import pandas as pd
import pytest

from mkt_assets.privacy.charts import LOSSES, waterfall_chart

#: a folder that a library forgot in an earlier test may be found now; it is none of a chart's
IGNORED = "ignore:Implicitly cleaning up:ResourceWarning"
PNG = b"\x89PNG\r\n\x1a\n"
#: the UI takes 200 KB of base64
LARGEST = 140_000


def days(count: int, **losses: int) -> pd.DataFrame:
    frame = pd.DataFrame({"day": pd.date_range("2025-01-01", periods=count), "rows_in": 100})
    frame = frame.assign(**{name: losses.get(name, 0) for name in LOSSES})
    return frame.assign(kept=frame["rows_in"] - frame[list(LOSSES)].sum(axis=1))


@pytest.mark.slow
@pytest.mark.filterwarnings("error", IGNORED)
@pytest.mark.parametrize("count", [1, 10, 60, 366])
def test_any_number_of_days_is_small_enough_for_the_ui(count: int) -> None:
    told = days(count, **dict.fromkeys(LOSSES, 10))
    drawn = waterfall_chart(told, "events")
    assert drawn.startswith(PNG)
    assert len(drawn) < LARGEST
    assert drawn == waterfall_chart(told, "events")


@pytest.mark.filterwarnings("error", IGNORED)
def test_days_without_rows_and_no_days_are_drawn() -> None:
    some = days(3)
    some.loc[1, ["rows_in", "kept"]] = 0
    for told in (some, days(0), days(2).assign(rows_in=0, kept=0)):
        assert waterfall_chart(told, "events").startswith(PNG)


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_each_loss_shows(loss: str) -> None:
    assert waterfall_chart(days(3, **{loss: 20}), "events") != waterfall_chart(days(3), "events")
