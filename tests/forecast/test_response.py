"""Response curves: diminishing returns, and the prior where the data tell nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.errors import InputError
from mkt_assets.forecast import response


def simulated(
    elasticity: float, days: int = 150, noise: float = 0.1, spread: float = 0.4, seed: int = 0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    spend = 100 * np.exp(rng.normal(0, spread, days))
    revenue = 300 * (spend / 100) ** elasticity * np.exp(rng.normal(0, noise, days))
    return pd.DataFrame(
        {
            "date": pd.date_range("2025-01-01", periods=days),
            "channel": "a",
            "spend": spend,
            "revenue": revenue,
        }
    )


@pytest.mark.parametrize("truth", [0.2, 0.5, 0.8])
def test_a_clear_curve_is_found(truth: float) -> None:
    curves = response.fit(simulated(truth))
    assert curves.elasticity[0] == pytest.approx(truth, abs=0.07)
    assert curves.predict(np.array([100.0]))[0] == pytest.approx(300, rel=0.07)
    assert curves.evidence[0] > 0.8


def test_a_constant_spend_tells_nothing_and_gets_the_prior() -> None:
    curves = response.fit(simulated(0.2, spread=0.0))
    assert curves.elasticity[0] == pytest.approx(response.PRIOR_ELASTICITY, abs=0.01)
    assert curves.evidence[0] < 0.01


def test_a_noisier_channel_is_drawn_nearer_to_the_prior() -> None:
    errors = [
        abs(
            response.fit(simulated(0.15, noise=noise, spread=0.1)).elasticity[0]
            - response.PRIOR_ELASTICITY
        )
        for noise in (0.05, 3.0)
    ]
    assert errors[1] < errors[0] / 2


amounts = st.floats(0, 1e5, allow_nan=False)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abc"), amounts, amounts | st.just(float("nan"))),
        min_size=1,
        max_size=40,
    )
)
def test_any_history_gives_curves_that_rise_ever_more_slowly(
    rows: list[tuple[str, float, float]],
) -> None:
    frame = pd.DataFrame(rows, columns=["channel", "spend", "revenue"])
    frame["date"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(
        frame.groupby("channel").cumcount(), unit="D"
    )
    curves = response.fit(frame)
    grid = np.outer(np.linspace(0, 3, 40), np.maximum(curves.current, 1.0))
    revenue = np.array([curves.predict(point) for point in grid])
    assert np.isfinite(revenue).all()
    assert np.isfinite(curves.covariance).all()
    gains = np.diff(revenue, axis=0)
    slack = 1e-9 * np.maximum(revenue.max(axis=0), 1)
    assert (gains >= -slack).all()
    assert (np.diff(gains, axis=0) <= slack).all()


def test_a_channel_that_never_spent_does_not_answer_to_money() -> None:
    free = simulated(0.5).assign(channel="free", spend=0.0)
    curves = response.fit(pd.concat([simulated(0.5), free]))
    at = curves.channels.index("free")
    assert curves.elasticity[at] == 0
    assert curves.predict(np.array([100.0, 0.0]))[at] == pytest.approx(free["revenue"].mean())
    assert np.isnan(curves.marginal(np.array([100.0, 0.0]))[at])


def test_the_marginal_return_is_the_slope() -> None:
    curves = response.fit(simulated(0.5))
    here, there = np.array([120.0]), np.array([120.001])
    slope = (curves.predict(there) - curves.predict(here)) / 0.001
    assert curves.marginal(here)[0] == pytest.approx(slope[0], rel=1e-4)


def test_current_spend_counts_days_without_a_row_as_not_spent_but_not_days_without_data() -> None:
    frame = pd.concat(
        [
            simulated(0.5, days=28).assign(spend=10.0),
            simulated(0.5, days=28).assign(channel="b", spend=10.0),
        ]
    )
    half = frame[~((frame["channel"] == "b") & (frame["date"].dt.day % 2 == 0))]
    spend, _ = response.daily_matrices(half)
    assert response.current_spend(spend) == pytest.approx([10, 5])
    assert response.current_spend(
        response.daily_matrices(frame[frame["date"].dt.day % 2 == 0])[0]
    ) == pytest.approx([10, 10])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.drop(columns="spend"), "column spend"),
        (lambda h: h.head(0), "no rows"),
        (lambda h: h.assign(spend=h["spend"].mask(h.index == 3, -1.0)), "row 4.*spend"),
        (lambda h: h.assign(spend=h["spend"].mask(h.index == 3)), "row 4.*spend"),
        (
            lambda h: h.assign(revenue=h["revenue"].astype(object).mask(h.index == 3, "x")),
            "row 4.*'x'",
        ),
        (lambda h: h.assign(date=h["date"].astype(str).replace("2025-01-04", "?")), "row 4.*date"),
    ],
)
def test_a_history_that_makes_no_sense_is_refused_by_place(change, message: str) -> None:
    with pytest.raises(InputError, match=message):
        response.fit(change(simulated(0.5)))


def test_spend_that_reports_no_revenue_returns_as_the_rest_of_its_channel() -> None:
    """Two campaigns alike; whether the second one reports changes nothing, nor who adds them up."""
    first = simulated(0.5, days=40)
    whole = pd.concat([first, first])
    part = pd.concat([first, first.assign(revenue=np.nan)])
    summed = first.assign(spend=2 * first["spend"], mark_spent_with_revenue=first["spend"])
    expected = response.fit(whole)
    for history in (part, summed):
        curves = response.fit(history)
        np.testing.assert_allclose(curves.level, expected.level)
        np.testing.assert_allclose(curves.elasticity, expected.elasticity)
        np.testing.assert_array_equal(curves.current, expected.current)


def test_a_day_of_which_hardly_anything_reports_is_unknown() -> None:
    whole = simulated(0.5, days=40)
    share = np.where(np.arange(40) % 4 == 0, 0.01, 1.0)
    sparse = whole.assign(
        revenue=whole["revenue"] * share, mark_spent_with_revenue=whole["spend"] * share
    )
    unknown = whole.assign(revenue=whole["revenue"].where(share == 1))
    expected, found = response.fit(unknown), response.fit(sparse)
    np.testing.assert_array_equal(found.level, expected.level)
    np.testing.assert_array_equal(found.elasticity, expected.elasticity)
