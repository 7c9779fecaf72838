"""A/B tests: formulas against independent ones, symmetry, and no verdict where there is none."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import InputError
from mkt_assets.experiments import analyse
from mkt_assets.experiments.analysis import (
    COLUMNS,
    DECISIONS,
    INVALID_ARM,
    INVALID_SPLIT,
    INVALID_SRM,
    KEEP,
    NO_EVENTS,
    REVIEW,
    RUN,
    SHIP,
)

arms = st.tuples(st.integers(1, 5000), st.floats(0, 1)).map(
    lambda pair: (pair[0], int(pair[0] * pair[1]))
)


def table(*arms_of_a_day: tuple[str, int, str, float, float, float, float, float]) -> pd.DataFrame:
    columns = ["test", "day", "arm", "expected_share"]
    columns += ["users", "conversions", "revenue", "revenue_sq"]
    return pd.DataFrame(arms_of_a_day, columns=columns)


def one_test(
    a: tuple[float, float], b: tuple[float, float], *, share: float = 0.5, aov: float = 50.0
) -> pd.DataFrame:
    """One day; each converted user brings ``aov``."""
    rows = [
        ("t", 0, arm, planned, users, wins, wins * aov, wins * aov**2)
        for arm, planned, (users, wins) in (("A", 1 - share, a), ("B", share, b))
    ]
    return table(*rows)


def only(frame: pd.DataFrame) -> pd.Series:
    assert len(frame) == 1
    return frame.iloc[0]


@settings(max_examples=40, deadline=None)
@given(arms, arms)
def test_p_values_and_intervals_keep_their_bounds(a: tuple[int, int], b: tuple[int, int]) -> None:
    row = only(analyse(one_test(a, b)))
    assert -1 <= row["ci_lo"] <= row["diff"] <= row["ci_hi"] <= 1
    for name in ("p_value", "srm_p", "power", "rev_p"):
        assert np.isnan(row[name]) or 0 <= row[name] <= 1
    assert row["decision"] in DECISIONS


@settings(max_examples=40, deadline=None)
@given(arms, arms)
def test_swapping_the_arms_turns_the_sign(a: tuple[int, int], b: tuple[int, int]) -> None:
    there, back = only(analyse(one_test(a, b))), only(analyse(one_test(b, a)))
    names = ["p_value", "srm_p", "rev_p", "mde"]
    np.testing.assert_allclose(
        there[names].astype(float), back[names].astype(float), rtol=1e-9, atol=1e-12
    )
    assert there["ci_lo"] == pytest.approx(-back["ci_hi"])
    assert there["rev_ci_lo"] == pytest.approx(-back["rev_ci_hi"], nan_ok=True)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(arms, arms), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_days_add_up_in_any_order(
    days: list[tuple[tuple[int, int], tuple[int, int]]], random: object
) -> None:
    frames = [one_test(a, b).assign(day=i) for i, (a, b) in enumerate(days)]
    daily = pd.concat(frames, ignore_index=True)
    order = list(range(len(daily)))
    random.shuffle(order)  # type: ignore[attr-defined]
    total = [tuple(sum(day[arm][part] for day in days) for part in (0, 1)) for arm in (0, 1)]
    result = analyse(daily)
    pd.testing.assert_frame_equal(result, analyse(daily.iloc[order]))
    pd.testing.assert_frame_equal(result, analyse(one_test(*total)))


def test_the_score_test_is_pearsons() -> None:
    row = only(analyse(one_test((1000, 50), (1100, 80))))
    expected = stats.chi2_contingency([[50, 950], [80, 1020]], correction=False).pvalue
    assert row["p_value"] == pytest.approx(expected)
    assert row["lift"] == pytest.approx((80 / 1100) / 0.05 - 1)


def test_newcombes_own_example() -> None:
    """Newcombe (1998), table II, method 10: 56/70 against 48/80 gives 0.0524 to 0.3339."""
    row = only(analyse(one_test((80, 48), (70, 56))))
    assert row["ci_lo"] == pytest.approx(0.0524, abs=5e-5)
    assert row["ci_hi"] == pytest.approx(0.3339, abs=5e-5)


def test_welch_from_sums_is_welch_from_users() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.lognormal(1, 1, 300), rng.lognormal(1.2, 1, 200)
    rows = [
        ("t", 0, arm, share, len(x), 10, x.sum(), (x * x).sum())
        for arm, share, x in (("A", 0.6, a), ("B", 0.4, b))
    ]
    row, expected = only(analyse(table(*rows))), stats.ttest_ind(b, a, equal_var=False)
    assert row["rev_p"] == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert (row["rev_ci_lo"], row["rev_ci_hi"]) == pytest.approx((interval.low, interval.high))


def test_the_split_is_held_against_the_plan() -> None:
    row = only(analyse(one_test((8000, 400), (2000, 100), share=0.2)))
    assert row["srm_p"] == pytest.approx(1.0)
    broken = only(analyse(one_test((8000, 400), (2000, 150), share=0.5)))
    assert broken["srm"]
    assert broken["decision"] == INVALID_SRM


def test_weekdays_that_both_arms_share_make_no_difference() -> None:
    days = [
        one_test((n, n * r), (n, n * r)).assign(day=i)
        for i, (n, r) in enumerate([(1000, 0.1), (500, 0.02)])
    ]
    assert only(analyse(pd.concat(days)))["p_value"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("a", "b", "decision"),
    [
        ((10_000, 500), (10_000, 600), SHIP),
        ((10_000, 600), (10_000, 500), KEEP),
        ((10_000, 500), (10_000, 505), RUN),
        ((10_000, 0), (10_000, 0), NO_EVENTS),
        ((10_000, 10_000), (10_000, 10_000), NO_EVENTS),
        ((0, 0), (0, 0), INVALID_ARM),
    ],
)
def test_decisions(a: tuple[int, int], b: tuple[int, int], decision: str) -> None:
    row = only(analyse(one_test(a, b)))
    assert row["decision"] == decision
    assert np.isnan(row["p_value"]) == (decision in (NO_EVENTS, INVALID_ARM))


def test_more_orders_of_less_money_are_for_a_person() -> None:
    daily = one_test((10_000, 500), (10_000, 600))
    daily.loc[1, ["revenue", "revenue_sq"]] = [600.0 * 5, 600.0 * 25]
    assert only(analyse(daily))["decision"] == REVIEW


def test_one_arm_missing_is_no_test() -> None:
    row = only(analyse(one_test((50, 5), (60, 5)).iloc[:1]))
    assert row["decision"] == INVALID_ARM
    assert np.isnan(row["p_value"])
    assert row["n_b"] == 0


def test_a_changed_split_is_refused_a_verdict() -> None:
    """1 % then 50 % of the traffic: pooling would compare different days (Simpson)."""
    days = [
        one_test((9900, 990), (100, 10), share=0.01),
        one_test((5000, 50), (5000, 50)).assign(day=1),
    ]
    row = only(analyse(pd.concat(days)))
    assert row["decision"] == INVALID_SPLIT
    assert np.isnan(row["p_value"])


def test_without_revenue_the_rest_is_there() -> None:
    row = only(analyse(one_test((1000, 50), (1000, 80)).drop(columns=["revenue", "revenue_sq"])))
    assert row["p_value"] < 0.05
    assert row[["rev_diff", "rev_lift", "rev_p", "rev_ci_lo", "rev_ci_hi"]].isna().all()


def test_no_revenue_at_all_has_no_p() -> None:
    assert np.isnan(only(analyse(one_test((1000, 50), (1000, 80), aov=0)))["rev_p"])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"arm": "C"}, "neither A nor B"),
        ({"users": -1}, "users is missing or negative"),
        ({"users": np.nan}, "users is missing or negative"),
        ({"conversions": 0.5}, "whole numbers"),
        ({"conversions": 2000}, "more converted users than users"),
        ({"expected_share": 1.0}, "not between 0 and 1"),
        ({"expected_share": 0.4}, "do not add up to 1"),
        ({"revenue_sq": 1.0}, "revenue_sq is less than"),
        ({"arm": "B"}, "occurs twice"),
    ],
)
def test_bad_rows_are_refused(change: dict[str, object], problem: str) -> None:
    daily = one_test((1000, 50), (1000, 60)).astype({"users": float, "conversions": float})
    for name, value in change.items():
        daily.loc[0, name] = value
    with pytest.raises(InputError, match=problem):
        analyse(daily)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="expected_share"):
        analyse(one_test((10, 1), (10, 1)).drop(columns="expected_share"))


def test_no_tests_give_no_rows() -> None:
    assert tuple(analyse(table())) == COLUMNS


def test_the_contract_matches() -> None:
    contract = REGISTRY["experiments/experiment_results"]
    assert tuple(c.name for c in contract.columns) == COLUMNS
    decisions = next(c for c in contract.columns if c.name == "decision")
    assert set(DECISIONS) == {*decisions.values}  # noqa: PD011  no frame


def test_the_import_is_cheap() -> None:
    code = "import mkt_assets.experiments, sys; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_levels_hold_on_simulated_tests() -> None:
    """A/A tests: 5 % false alarms and 95 % coverage, within Monte-Carlo error."""
    rng = np.random.default_rng(11)
    frames = []
    for i in range(400):
        users, rate = rng.integers(500, 20_000, 1)[0], rng.uniform(0.005, 0.1)
        wins = rng.binomial(users, rate, 2)
        frames.append(one_test((users, wins[0]), (users, wins[1])).assign(test=str(i)))
    found = analyse(pd.concat(frames))
    low, high = stats.binom.ppf([0.001, 0.999], 400, 0.05)
    assert low <= (found["p_value"] < 0.05).sum() <= high
    assert low <= ((found["ci_lo"] > 0) | (found["ci_hi"] < 0)).sum() <= high
