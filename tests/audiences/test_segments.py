"""Segments: everybody in exactly one, consent passed through, small audiences not shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkt_assets.audiences.segments import (
    COLUMNS,
    SEGMENTS,
    SMALLEST_AUDIENCE,
    limits,
    segment_sizes,
    segment_users,
)
from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import InputError

visitor = st.fixed_dictionaries(
    {
        "sessions": st.integers(1, 50),
        "engaged_sessions": st.integers(0, 50),
        "purchases": st.integers(0, 5),
        "revenue": st.one_of(st.none(), st.floats(0, 1e6)),
        "days_since_last_seen": st.integers(0, 400),
        "item_views": st.integers(0, 30),
        "ads_eligible": st.sampled_from([True, False, None]),
    }
)
crowds = st.lists(visitor, max_size=40).map(
    lambda rows: pd.DataFrame(rows, columns=list(visitor_columns())).assign(
        user_key=[f"u{i:03d}" for i in range(len(rows))]
    )
)


def visitor_columns() -> tuple[str, ...]:
    return (
        "sessions",
        "engaged_sessions",
        "purchases",
        "revenue",
        "days_since_last_seen",
        "item_views",
        "ads_eligible",
    )


def crowd(**columns: object) -> pd.DataFrame:
    base = {
        "sessions": 1,
        "engaged_sessions": 0,
        "purchases": 0,
        "revenue": 0.0,
        "days_since_last_seen": 1,
        "item_views": 0,
        "ads_eligible": True,
    }
    frame = pd.DataFrame(base | columns)
    return frame.assign(user_key=[f"u{i:04d}" for i in range(len(frame))])


@given(crowds)
def test_everybody_is_in_exactly_one_segment(features: pd.DataFrame) -> None:
    found = segment_users(features)
    assert tuple(found) == COLUMNS
    assert sorted(found["user_key"]) == sorted(features["user_key"])
    assert found["segment"].isin(SEGMENTS).all()


@given(crowds)
def test_consent_is_passed_through_and_missing_is_no(features: pd.DataFrame) -> None:
    found = segment_users(features).set_index("user_key")["ads_eligible"]
    given_ = features.set_index("user_key")["ads_eligible"]
    assert all(
        found[key] == (given_[key] is True or given_[key] is np.True_) for key in found.index
    )


@pytest.mark.slow
@given(crowds, st.randoms(use_true_random=False))
def test_order_does_not_matter(features: pd.DataFrame, random: object) -> None:
    order = list(range(len(features)))
    random.shuffle(order)  # type: ignore[attr-defined]
    pd.testing.assert_frame_equal(segment_users(features), segment_users(features.iloc[order]))


@given(crowds)
def test_consent_does_not_change_the_segment(features: pd.DataFrame) -> None:
    with_consent = segment_users(features.assign(ads_eligible=True))
    assert with_consent["segment"].equals(segment_users(features)["segment"])


def test_each_rule_once() -> None:
    features = crowd(
        purchases=[3, 2, 2, 1, 0, 0, 0],
        revenue=[900.0, 50.0, 40.0, 30.0, 0.0, 0.0, 0.0],
        days_since_last_seen=[1, 99, 2, 3, 99, 1, 1],
        item_views=[5, 5, 5, 5, 5, 2, 0],
    )
    assert limits(features).lapse_days < 99
    assert tuple(segment_users(features)["segment"]) == SEGMENTS


def test_one_giant_order_moves_no_limit() -> None:
    features = crowd(purchases=[1] * 9, revenue=[float(i) for i in range(9)])
    giant = features.assign(revenue=[*features["revenue"][:-1], 1e12])
    assert limits(features) == limits(giant)


def test_every_segment_states_its_rule() -> None:
    assert tuple(limits(crowd(purchases=[1])).sentences()) == SEGMENTS


def test_nobody_bought() -> None:
    found = segment_users(crowd(sessions=[1, 2], item_views=[0, 3]))
    assert list(found["segment"]) == ["Other visitors", "Browsers without purchase"]


def test_small_audiences_are_suppressed() -> None:
    count = SMALLEST_AUDIENCE
    features = crowd(
        item_views=[1] * count + [0] * (count - 1), ads_eligible=[True] * (2 * count - 1)
    )
    sizes = segment_sizes(segment_users(features)).set_index("segment")
    assert sizes.loc["Browsers without purchase", "eligible_users"] == count
    assert sizes.loc["Other visitors", "suppressed"]
    assert pd.isna(sizes.loc["Other visitors", "eligible_users"])
    assert tuple(sizes.index) == SEGMENTS


def test_only_the_eligible_are_counted() -> None:
    eligible = [True] * 60 + [False] * 60
    sizes = segment_sizes(segment_users(crowd(sessions=[1] * 120, ads_eligible=eligible)))
    assert sizes["eligible_users"].dropna().tolist() == [60]


@pytest.mark.parametrize("word", ["yes", "true", 1, 1.0])
def test_only_true_is_a_grant(word: object) -> None:
    features = crowd(sessions=[1]).astype({"ads_eligible": object})
    features["ads_eligible"] = pd.Series([word], dtype=object)
    assert not segment_users(features)["ads_eligible"].any()


def test_a_repeated_key_is_refused_without_showing_it() -> None:
    features = crowd(sessions=[1, 1]).assign(user_key="secret-key")
    with pytest.raises(InputError) as caught:
        segment_users(features)
    assert "secret-key" not in str(caught.value)


def test_negative_and_missing_counts_are_refused() -> None:
    with pytest.raises(InputError, match=r"row 2.*purchases"):
        segment_users(crowd(purchases=[1, -1]))
    with pytest.raises(InputError, match="days_since_last_seen"):
        segment_users(crowd(days_since_last_seen=[np.nan]))


def test_the_contract_matches() -> None:
    table = REGISTRY["audiences/audience_segments"]
    assert tuple(c.name for c in table.columns) == COLUMNS
    segments = next(c for c in table.columns if c.name == "segment")
    assert set(SEGMENTS) == {*segments.values}  # noqa: PD011  no frame
