"""The allocator: the budget to the cent, guardrails always, no harm in doubt."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.allocation import allocate
from mkt_assets.allocation.guardrails import to_cents, verify
from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import MktError
from mkt_assets.forecast import response


def history(seed: int, channels: int, days: int, scale: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2025-01-01", periods=days)
    frames = []
    for number in range(channels):
        size = scale * 10 ** rng.uniform(0, 3)
        spend = (size * np.exp(rng.normal(0, 0.4, days))).round(2)
        revenue = (
            size
            * rng.uniform(0.3, 5)
            * (spend / size) ** rng.uniform(0.1, 1.2)
            * rng.gamma(9, 1 / 9, days)
        ).round(2)
        frames.append(
            pd.DataFrame(
                {"date": dates, "channel": f"c{number}", "spend": spend, "revenue": revenue}
            )
        )
    return pd.concat(frames, ignore_index=True)


@st.composite
def problems(draw: st.DrawFn) -> tuple[pd.DataFrame, float, float | None]:
    rows = history(draw(st.integers(0, 10_000)), draw(st.integers(1, 6)), draw(st.integers(1, 45)))
    kind = draw(
        st.sampled_from(["plain", "some idle", "no revenue", "unknown revenue", "constant"])
    )
    first = rows["channel"] == "c0"
    if kind == "some idle":
        rows["spend"] = rows["spend"].mask(first, 0.0)
    elif kind == "no revenue":
        rows["revenue"] = rows["revenue"].mask(first, 0.0)
    elif kind == "unknown revenue":
        rows["revenue"] = rows["revenue"].mask(first)
    elif kind == "constant":
        rows["spend"] = rows.groupby("channel")["spend"].transform("first")
    share = draw(st.none() | st.floats(-1, 1))
    return rows, draw(st.floats(0, 1)), share


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(problem=problems())
def test_the_budget_is_spent_exactly_within_the_guardrails(
    problem: tuple[pd.DataFrame, float, float | None],
) -> None:
    rows, guardrail, share = problem
    current = response.fit(rows).current
    # guardrails are about the current spend as it is stated, in whole cents
    stated = float(to_cents(current).sum()) / 100
    budget = None if share is None else stated * (1 + share * guardrail)
    out = allocate(rows, budget, guardrail)
    wanted = float(current.sum()) if budget is None else budget
    assert round(out["proposed"].sum(), 2) == pytest.approx(round(wanted, 2), abs=1e-9)
    assert verify(out, wanted, guardrail) == []
    assert (out["proposed"] >= out["current"] * (1 - guardrail) - 0.01).all()
    assert (out["proposed"] <= out["current"] * (1 + guardrail) + 0.01).all()
    assert np.allclose(out["proposed"] * 100, (out["proposed"] * 100).round())
    # at any budget, no less than scaling every channel alike, by its own curves
    curves = response.fit(rows)
    alike = out["current"].to_numpy() * (wanted / current.sum() if current.sum() else 1)
    cents = 0.01 * np.nan_to_num(out["marginal_return_hi"]).sum() * len(out)
    before = curves.predict(alike).sum()
    if budget is None:
        assert curves.predict(out["proposed"].to_numpy()).sum() >= before - cents - 1e-6 * before


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), guardrail=st.floats(0.05, 0.9))
def test_the_order_of_rows_is_no_input_and_the_unit_of_money_only_scales(
    seed: int, guardrail: float
) -> None:
    rows = history(seed, 4, 30)
    out = allocate(rows, guardrail=guardrail)
    shuffled = allocate(rows.sample(frac=1, random_state=seed), guardrail=guardrail)
    pd.testing.assert_frame_equal(out, shuffled)
    larger = allocate(
        rows.assign(spend=rows["spend"] * 100, revenue=rows["revenue"] * 100), guardrail=guardrail
    )
    assert np.allclose(larger["proposed"] / 100, out["proposed"], atol=0.05)


def test_free_channels_share_one_price_of_money() -> None:
    """Where no bound holds, the next unit's cautious return brackets one common value."""
    # in large money, so that a rounded cent does not move a return
    out = allocate(history(3, 6, 120, scale=1000.0), guardrail=0.9)
    free = out[out["binding"] == "none"]
    assert len(free) >= 2
    assert free["marginal_return_lo"].max() <= free["marginal_return_hi"].min() * 1.001
    stopped = out[out["binding"] == "upper"]
    assert (stopped["marginal_return_lo"] >= free["marginal_return_lo"].max() * 0.999).all()


def test_money_goes_where_it_clearly_returns_more() -> None:
    rng = np.random.default_rng(1)
    spend = 100 * np.exp(rng.normal(0, 0.4, 120))
    frame = pd.DataFrame({"date": pd.date_range("2025-01-01", periods=120), "spend": spend})
    good = frame.assign(channel="good", revenue=6 * spend)
    flat = frame.assign(channel="flat", revenue=300.0)
    out = allocate(pd.concat([good, flat])).set_index("channel")
    assert out.loc["good", "binding"] == "upper"
    assert out.loc["flat", "binding"] == "lower"
    assert out["expected_revenue_change"].sum() > 0


def test_half_a_cent_is_rounded_as_python_rounds_it() -> None:
    rows = pd.DataFrame({"date": ["2025-01-01", "2025-01-02"], "channel": "a"})
    rows = rows.assign(spend=[77.26, 105.23], revenue=[31.7, 51.88])
    assert allocate(rows, guardrail=0)["proposed"].tolist() == [round((77.26 + 105.23) / 2, 2)]


def test_where_the_data_do_not_tell_channels_apart_nothing_moves() -> None:
    rows = history(2, 3, 60)
    rows["spend"], rows["revenue"] = (
        50.0,
        rows["channel"].map({"c0": 100.0, "c1": 120.0, "c2": 130.0}),
    )
    out = allocate(rows)
    assert (out["proposed"] == out["current"]).all()
    assert (out["evidence"] < 0.01).all()


def test_defined_answers_at_the_edges() -> None:
    rows = history(5, 3, 30)
    alone = allocate(rows[rows["channel"] == "c0"])
    assert alone["proposed"].tolist() == alone["current"].tolist()
    frozen = allocate(rows, guardrail=0)
    assert frozen["proposed"].tolist() == frozen["current"].tolist()
    assert set(frozen["binding"]) == {"both"}
    stopped = allocate(rows, budget=0, guardrail=1)
    assert (stopped["proposed"] == 0).all()
    assert stopped["marginal_return"].isna().all()
    idle = allocate(rows.assign(spend=0.0))
    assert (idle["proposed"] == 0).all()
    one_day = allocate(rows[rows["date"] == rows["date"].max()])
    assert one_day["proposed"].sum() == pytest.approx(one_day["current"].sum())
    assert list(idle.columns) == [c.name for c in REGISTRY["allocation/budget_allocation"].columns]


def test_a_channel_that_stopped_gets_nothing_new() -> None:
    rows = history(6, 3, 60)
    rows = rows[~((rows["channel"] == "c1") & (rows["date"] > "2025-01-20"))]
    assert allocate(rows).set_index("channel").loc["c1", ["current", "proposed"]].tolist() == [0, 0]


@pytest.mark.parametrize("share", [0.49, 1.51])
def test_an_impossible_budget_is_refused_with_the_bounds_in_conflict(share: float) -> None:
    rows = history(7, 4, 40)
    current = response.fit(rows).current.sum()
    with pytest.raises(MktError, match=r"at least [\d,.]+ and at most [\d,.]+") as caught:
        allocate(rows, budget=share * current)
    assert f"{share * current:,.2f}" in str(caught.value)


@pytest.mark.parametrize("budget", [-1, float("nan"), float("inf"), True, "100"])
def test_a_budget_that_is_no_money_is_refused(budget: object) -> None:
    with pytest.raises(MktError, match="budget"):
        allocate(history(8, 2, 30), budget=budget)  # type: ignore[arg-type]


@pytest.mark.parametrize("guardrail", [-0.1, 1.1, float("nan")])
def test_a_guardrail_that_is_no_share_is_refused(guardrail: float) -> None:
    with pytest.raises(MktError, match="guardrail"):
        allocate(history(8, 2, 30), guardrail=guardrail)
