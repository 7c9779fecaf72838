"""The sample's A/B tests: the three verdicts that an analysis is to reach."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.ingest import sample
from mkt_assets.ingest.sample_experiments import SCHEMA

UPTO = date(2026, 6, 15)


@settings(max_examples=25, deadline=None)
@given(st.dates(date(2024, 1, 1), date(2030, 12, 31)), st.integers(0, 10_000))
def test_three_finished_tests_of_two_to_four_weeks(upto: date, seed: int) -> None:
    table = sample.experiments(upto, seed=seed, events_per_day=500)
    assert table.schema == SCHEMA
    assert table.equals(sample.experiments(upto, seed=seed, events_per_day=500))
    frame = table.to_pandas()
    assert frame["test"].nunique() == 3
    assert max(frame["day"]) < upto
    assert frame.groupby("test")["day"].nunique().between(14, 28).all()
    assert (frame.groupby(["test", "day"])["arm"].agg("".join) == "AB").all()
    assert (frame["conversions"] <= frame["users"]).all()
    orders = np.maximum(frame["conversions"], 1)
    assert (frame["revenue_sq"] * orders >= frame["revenue"] ** 2 * (1 - 1e-9)).all()


def test_tests_stay_as_they_are_until_the_next_ones_end() -> None:
    assert sample.experiments(UPTO).equals(sample.experiments(UPTO + timedelta(days=5)))
    assert not sample.experiments(UPTO).equals(sample.experiments(UPTO + timedelta(days=20)))


def by_arm(trial: str) -> pd.DataFrame:
    months = [sample.experiments(date(2026, month, 15)).to_pandas() for month in range(1, 7)]
    frame = pd.concat(months)
    mine = frame[frame["test"].str.startswith(trial)]
    return mine.groupby("arm")[["users", "conversions"]].sum()


def lift(arms: pd.DataFrame) -> float:
    rate = arms["conversions"] / arms["users"]
    return float(rate["B"] / rate["A"] - 1)


def test_one_has_no_effect_one_has_a_lift_and_one_a_broken_split() -> None:
    even, better, broken = (by_arm(t) for t in ("A/A", "Free shipping", "One-page"))
    assert abs(lift(even)) < 0.08
    assert 0.2 < lift(better) < 0.4
    for arms, share in ((even, 0.5), (better, 0.5), (broken, 0.54)):
        assert abs(arms.loc["A", "users"] / arms["users"].sum() - share) < 0.01
