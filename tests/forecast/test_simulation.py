"""Budget simulation: its parts add up, and it admits guessing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import InputError
from mkt_assets.forecast import simulation


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    dates = pd.date_range("2025-01-01", periods=90)
    frames = []
    for name, size in (("Search", 200.0), ("Social", 80.0)):
        spend = size * rng.uniform(0.7, 1.3, len(dates))
        revenue = 3 * size * (spend / size) ** 0.5 * rng.gamma(20, 1 / 20, len(dates))
        frames.append(
            pd.DataFrame({"date": dates, "channel": name, "spend": spend, "revenue": revenue})
        )
    return pd.concat(frames)


def test_the_table_keeps_its_contract_and_its_own_arithmetic(history: pd.DataFrame) -> None:
    out = simulation.simulate(history)
    contract = REGISTRY["forecast/budget_simulation"]
    assert list(out.columns) == [column.name for column in contract.columns]
    assert not out.duplicated(list(contract.key)).any()
    assert (out["revenue_lo"] <= out["revenue"]).all()
    assert (out["revenue"] <= out["revenue_hi"]).all()
    parts = out[out["scope"] != "total"].groupby("budget_change")[["spend", "revenue"]].sum()
    whole = out[out["scope"] == "total"].set_index("budget_change")[["spend", "revenue"]]
    pd.testing.assert_frame_equal(parts, whole.sort_index())
    base = out[out["budget_change"] == 0].set_index("scope")
    added = out["spend"] - out["scope"].map(base["spend"])
    gained = out["revenue"] - out["scope"].map(base["revenue"])
    changed = out["budget_change"] != 0
    assert np.allclose(out["incremental_roas"][changed], (gained / added)[changed])
    assert np.allclose(out["incremental_roi"][changed], out["incremental_roas"][changed] - 1)
    assert out.loc[~changed, ["incremental_roas", "incremental_roi"]].isna().all(axis=None)


def test_more_money_brings_more_revenue_at_a_falling_return(history: pd.DataFrame) -> None:
    out = simulation.simulate(history).sort_values("budget_change")
    for _, rows in out.groupby("scope"):
        assert rows["revenue"].is_monotonic_increasing
        assert rows["incremental_roas"].dropna().is_monotonic_decreasing


def test_a_spend_never_seen_is_marked(history: pd.DataFrame) -> None:
    out = simulation.simulate(history).set_index(["scope", "budget_change"])["extrapolates"]
    assert not out["total", 0.0]
    assert not out["Search", 0.1]
    assert out["Search", 1.0]
    assert out["total", 1.0]
    assert out["total", -0.5]


def test_a_constant_spend_stays_inside_its_own_range_only_unchanged(history: pd.DataFrame) -> None:
    out = simulation.simulate(history.assign(spend=33.33), changes=(-0.1, 0, 0.1))
    assert (out["extrapolates"] == (out["budget_change"] != 0)).all()


def test_stopping_the_spend_leaves_no_paid_revenue_and_the_order_of_rows_does_not_matter(
    history: pd.DataFrame,
) -> None:
    out = simulation.simulate(history, changes=(-1.0, 0.0))
    assert (out.loc[out["budget_change"] == -1, ["spend", "revenue"]] == 0).all(axis=None)
    shuffled = history.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(out, simulation.simulate(shuffled, changes=(-1.0, 0.0)))


@pytest.mark.parametrize("changes", [(-1.5,), (float("nan"),), (0.1, 0.1)])
def test_changes_that_make_no_sense_are_refused(
    history: pd.DataFrame, changes: tuple[float, ...]
) -> None:
    with pytest.raises(InputError):
        simulation.simulate(history, changes)
