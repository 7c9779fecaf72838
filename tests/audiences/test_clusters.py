"""Clusters: one answer whatever the order, no stories where there is no structure."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.audiences.campaign_features import COUNTED, prepared, totals
from mkt_assets.audiences.clusters import COLUMNS, PALETTE, _pooled, cluster_campaigns
from mkt_assets.audiences.grouping import grouped
from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import InputError
from mkt_assets.marts.metrics import add_kpis, kpi_frame


def campaigns(kinds: list[tuple[float, float, float, float]], days: int = 20) -> pd.DataFrame:
    """Campaigns named c00, c01, ... of (spend, ctr, cvr, aov), each a little off its kind."""
    rng = np.random.default_rng(5)
    frames = []
    for i, (spend, ctr, cvr, aov) in enumerate(kinds):
        off = np.exp(rng.normal(0, 0.1, 4))
        daily = spend * off[0] * np.exp(rng.normal(0, 0.1, days))
        clicks = daily * 100 * ctr * off[1]
        conversions = clicks * cvr * off[2]
        frames.append(
            pd.DataFrame(
                {
                    "date": pd.date_range("2025-01-01", periods=days),
                    "channel": "Search",
                    "campaign": f"c{i:02d}",
                    "spend": daily,
                    "impressions": daily * 100,
                    "clicks": clicks,
                    "conversions": conversions,
                    "revenue": conversions * aov * off[3],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


BRAND, DISPLAY, SOCIAL = (100, 0.06, 0.08, 60), (100, 0.003, 0.01, 60), (100, 0.012, 0.04, 200)
THREE_KINDS = [BRAND] * 5 + [DISPLAY] * 5 + [SOCIAL] * 5


@pytest.fixture(scope="module")
def three() -> pd.DataFrame:
    return campaigns(THREE_KINDS)


def test_the_contract_columns_come_back_in_order(three: pd.DataFrame) -> None:
    assert tuple(cluster_campaigns(three)) == COLUMNS
    assert tuple(c.name for c in REGISTRY["audiences/campaign_clusters"].columns) == COLUMNS


def test_kinds_far_apart_are_found_whole(three: pd.DataFrame) -> None:
    found = cluster_campaigns(three)
    kind = np.repeat([0, 1, 2], 5)
    assert found["cluster"].nunique() == 3
    assert found.groupby(kind)["cluster"].nunique().eq(1).all()
    assert found.groupby("cluster")[["name", "why", "colour"]].nunique().eq(1).all(axis=None)
    assert found["name"].nunique() == 3
    assert found["colour"].isin(PALETTE).all()
    assert found["stability"].between(0, 1).all()


def test_a_name_says_what_the_numbers_say(three: pd.DataFrame) -> None:
    found = cluster_campaigns(three).set_index("campaign")
    assert "better return" in found.loc["c00", "name"].lower()
    assert "weaker return" in found.loc["c05", "name"].lower()
    sums = three[three["campaign"] < "c05"][["revenue", "spend"]].sum()
    assert f"ROAS {sums['revenue'] / sums['spend']:,.2f} against" in found.loc["c00", "why"]


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_row_order_changes_nothing(seed: int) -> None:
    daily = campaigns(THREE_KINDS)
    shuffled = daily.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(cluster_campaigns(daily), cluster_campaigns(shuffled))


def partition(frame: pd.DataFrame) -> set[frozenset[str]]:
    return {frozenset(group) for _, group in frame.groupby("cluster")["campaign"]}


def test_campaign_names_do_not_decide(three: pd.DataFrame) -> None:
    renamed = three.assign(campaign=three["campaign"].map(lambda name: name[::-1]))
    expected = {frozenset(n[::-1] for n in group) for group in partition(cluster_campaigns(three))}
    assert partition(cluster_campaigns(renamed)) == expected


@pytest.mark.parametrize("rate", [0.01, 151.3])
def test_another_currency_gives_the_same_clusters(three: pd.DataFrame, rate: float) -> None:
    other = three.assign(spend=three["spend"] * rate, revenue=three["revenue"] * rate)
    assert partition(cluster_campaigns(other)) == partition(cluster_campaigns(three))


@pytest.mark.slow
def test_one_cloud_is_rarely_cut() -> None:
    """The gate's level is 5 %: of 40 unimodal clouds, 7 or more cut would be one chance in 200."""
    rng = np.random.default_rng(3)
    cut = 0
    for _ in range(40):
        cloud = rng.standard_normal((int(rng.integers(6, 20)), 4))
        cut += grouped(cloud)[0].max() > 0
    assert cut < 7


def test_alike_campaigns_are_one_cluster_and_say_so() -> None:
    found = cluster_campaigns(campaigns([BRAND] * 12))
    assert found["cluster"].eq(0).all()
    assert found["why"].str.startswith("No structure").all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_campaigns_are_one_cluster(count: int) -> None:
    found = cluster_campaigns(campaigns([BRAND, DISPLAY, SOCIAL][:count]))
    assert len(found) == count
    assert found["cluster"].eq(0).all()
    assert found["why"].str.contains("too few").all()


def test_identical_campaigns_are_one_cluster() -> None:
    one = campaigns([BRAND])
    copies = pd.concat([one.assign(campaign=f"copy {i}") for i in range(6)])
    found = cluster_campaigns(copies)
    assert found["cluster"].eq(0).all()
    assert found["why"].str.contains("hardly differ").all()


def test_an_empty_table_gives_an_empty_one(three: pd.DataFrame) -> None:
    assert tuple(cluster_campaigns(three.iloc[:0])) == COLUMNS


def test_spend_alone_is_enough(three: pd.DataFrame) -> None:
    found = cluster_campaigns(three[["date", "channel", "campaign", "spend"]])
    assert len(found) == 15


def test_zeros_and_gaps_do_not_break_it(three: pd.DataFrame) -> None:
    bad = three.copy()
    bad.loc[bad["campaign"] == "c00", ["spend", "impressions", "clicks"]] = 0.0
    bad.loc[bad["campaign"] == "c01", ["conversions", "revenue"]] = np.nan
    bad.loc[bad["campaign"] == "c02", ["conversions", "revenue"]] = 0.0
    found = cluster_campaigns(bad)
    assert len(found) == 15
    assert not found.isna().any(axis=None)
    assert not found["why"].str.contains("nan|inf").any()


def test_a_campaign_in_two_channels_has_one_row(three: pd.DataFrame) -> None:
    small = three[three["campaign"] == "c00"].assign(channel="Video", spend=0.01)
    found = cluster_campaigns(pd.concat([small, three])).set_index("campaign")
    assert found.index.is_unique
    assert found.loc["c00", "channel"] == "Search"


def test_a_missing_column_is_named(three: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="column channel"):
        cluster_campaigns(three.drop(columns="channel"))


@pytest.mark.slow
def test_known_segments_are_found(shared: Path) -> None:
    """Mean adjusted Rand index over four seeds; two of the six segments lie close together."""
    spec = importlib.util.spec_from_file_location("truth", shared / "bench" / "marketing_truth.py")
    assert spec
    assert spec.loader
    truth = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(truth)
    scores = [_score(truth, seed) for seed in (1, 2, 3, 4)]
    assert np.mean(scores) > 0.7


def _score(truth: object, seed: int) -> float:
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2024-01-01", periods=180)
    frames, kinds = [], []
    for i in range(24):
        kind = list(truth.SEGMENTS)[i % 6]  # type: ignore[attr-defined]
        channel, (low, high), *numbers = truth.SEGMENTS[kind]  # type: ignore[attr-defined]
        segment = [channel, None, *(n * np.exp(rng.normal(0, 0.18)) for n in numbers)]
        daily, _ = truth.simulate(rng, dates, 10 ** rng.uniform(low, high), segment, 1.0)  # type: ignore[attr-defined]
        frames.append(daily.assign(channel=channel, campaign=f"{i:02d}"))
        kinds.append(kind)
    return _adjusted_rand(cluster_campaigns(pd.concat(frames))["cluster"].to_numpy(), kinds)


def _adjusted_rand(labels: np.ndarray, kinds: list[str]) -> float:
    table = pd.crosstab(labels, np.array(kinds)).to_numpy()

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, ours, theirs = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = ours * theirs / (len(kinds) * (len(kinds) - 1) / 2)
    return (both - expected) / ((ours + theirs) / 2 - expected)


CELLS = st.one_of(st.none(), st.integers(0, 9).map(float))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), *[CELLS] * len(COUNTED)), min_size=1, max_size=9))
def test_the_kpis_of_campaigns_and_groups_are_those_of_the_contract(rows: list[tuple]) -> None:
    daily = pd.DataFrame(rows, columns=["campaign", *COUNTED])
    daily = daily.astype(dict.fromkeys(COUNTED, "float64")).assign(channel="x", all=0)
    daily["date"] = pd.date_range("2025-01-01", periods=len(daily))
    names = ["roas", "ctr", "cvr", "aov", "cpm"]
    sums = totals(prepared(daily))
    assert sums.index.tolist() == sorted(set(daily["campaign"]))
    each, whole = kpi_frame(daily, ["campaign"]), kpi_frame(daily, ["all"])
    np.testing.assert_allclose(add_kpis(sums)[names], each[names])
    np.testing.assert_allclose(_pooled(sums)[names], whole[names].iloc[0])


def test_what_is_not_reported_makes_no_group() -> None:
    """Half of 24 campaigns alike report what they brought every fourth day only."""
    daily = campaigns([BRAND] * 24)
    silent = (daily["campaign"] < "c12") & (daily["date"].dt.day % 4 > 0)
    daily.loc[silent, ["conversions", "revenue"]] = np.nan
    assert cluster_campaigns(daily)["cluster"].eq(0).all()
