"""Insights: ranked by money, nothing twice, nothing for nothing, every number traceable."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import InputError
from mkt_assets.insights import anomalies, trends
from mkt_assets.insights.insights import COLUMNS, compose
from mkt_assets.insights.stories import certainty_of

from .conftest import days_of, make_daily

AMOUNTS = ["spend", "impressions", "clicks", "conversions", "revenue"]


def told(daily: pd.DataFrame, **options: object) -> pd.DataFrame:
    """The insights of a daily frame."""
    found, computed = anomalies.detect(daily), trends.compute(daily)
    return compose(daily, found, computed, **options)  # type: ignore[arg-type]


def test_a_troubled_month_is_told(troubled: pd.DataFrame) -> None:
    """The events of the last four weeks, the dearest first."""
    out = told(troubled[troubled["date"] <= "2025-04-28"])
    assert 5 <= len(out) <= 10
    assert out["rank"].tolist() == list(range(1, len(out) + 1))
    assert (out["money_at_risk"] * out["certainty"]).is_monotonic_decreasing
    assert out["certainty"].between(0.5, 1).all()
    assert (out["money_at_risk"] > 0).all()
    subjects = set(out.loc[out["kind"] == "anomaly", "subject"])
    assert {"campaign_0", "campaign_1", "campaign_2", "campaign_4"} <= subjects


def test_columns_are_those_of_the_contract(troubled: pd.DataFrame) -> None:
    table = REGISTRY["insights/insights"]
    out = told(troubled)
    assert list(out.columns) == list(COLUMNS) == [column.name for column in table.columns]
    kinds = next(column for column in table.columns if column.name == "kind")
    assert set(out["kind"]) <= set(kinds.values)


def test_each_sentence_is_whole_and_names_its_table(troubled: pd.DataFrame) -> None:
    out = told(troubled, currency="EUR")
    text = out[["headline", "evidence", "action"]].to_numpy().ravel().tolist()
    assert not any(word in sentence for sentence in text for word in ("nan", "None", "inf "))
    assert out["evidence"].str.contains(r"Table \w+, key \w+").all()
    assert not any("USD" in sentence for sentence in text)


def test_an_anomaly_can_be_found_by_the_key_in_its_evidence(troubled: pd.DataFrame) -> None:
    found = anomalies.detect(troubled)
    out = compose(troubled, found, trends.compute(troubled))
    keys = out.loc[out["kind"] == "anomaly", "evidence"].str.extract(
        r"campaign=(?P<campaign>.+?), metric=(?P<metric>\w+), type=(?P<type>\w+), "
        r"start=(?P<start>[\d-]+)"
    )
    keys["start"] = pd.to_datetime(keys["start"])
    named = keys.merge(found, on=["campaign", "metric", "type", "start"])
    assert len(named) == len(keys) > 0


def test_no_two_say_the_same(troubled: pd.DataFrame) -> None:
    twice = troubled.copy()
    for day in ("2025-04-12", "2025-04-20"):
        again = days_of(twice, "campaign_0", day, day)
        twice.loc[again, ["spend", "impressions", "clicks"]] *= 4
    out = told(twice)
    spend = out[(out["subject"] == "campaign_0") & out["headline"].str.contains("spent")]
    assert len(spend) == 1
    assert "1 more of this kind" in spend["evidence"].item()
    assert not out["headline"].duplicated().any()


def test_same_input_same_words(troubled: pd.DataFrame) -> None:
    shuffled = troubled.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(told(troubled), told(shuffled))


def test_the_limit_keeps_the_dearest(troubled: pd.DataFrame) -> None:
    every, two = told(troubled), told(troubled, limit=2)
    pd.testing.assert_frame_equal(every.head(2), two)


def test_less_money_for_sure_comes_before_more_by_chance(calm: pd.DataFrame) -> None:
    """Two events alike but for money and score: the surer one first, and the same way twice."""
    event = {
        "campaign": "campaign_0", "channel": "search", "metric": "conversions",
        "type": "performance_drop", "start": calm["date"].max(), "end": calm["date"].max(),
        "detected_on": calm["date"].max(), "score": 5.0, "expected": 50.0, "actual": 10.0,
        "money_at_risk": 9_000.0, "cause": "rate",
    }  # fmt: skip
    dearer = event | {"campaign": "campaign_1", "score": 1.5, "money_at_risk": 10_000.0}
    events = pd.DataFrame([dearer, event])
    out = compose(calm, events, trends.compute(calm))
    assert out.loc[out["kind"] == "anomaly", "subject"].tolist() == ["campaign_0", "campaign_1"]
    pd.testing.assert_frame_equal(out, compose(calm, events.iloc[::-1], trends.compute(calm)))


@pytest.mark.parametrize(("p", "certainty"), [(0.0, 1), (0.01, 0.889), (0.05, 0.711), (0.9, 0.5)])
def test_a_p_value_becomes_a_certainty(p: float, certainty: float) -> None:
    assert certainty_of(p) == pytest.approx(certainty, abs=0.001)


def test_nothing_to_say() -> None:
    """Five equal calm campaigns without weak weekdays: at most chance has a word."""
    calm = make_daily(1, 120, 8)
    calm["conversions"] = (calm["clicks"] * 0.05).round()
    calm["revenue"] = calm["conversions"] * 50
    same = pd.concat([calm.assign(campaign=f"c{i}") for i in range(5)])
    assert told(same).empty


@pytest.mark.parametrize("rows", [0, 1, 8])
def test_too_little_data_says_nothing(calm: pd.DataFrame, rows: int) -> None:
    out = told(calm.head(rows))
    assert list(out.columns) == list(COLUMNS)
    assert out.empty


def test_old_events_are_no_news(troubled: pd.DataFrame) -> None:
    later = make_daily(5, 60, 4, start="2025-05-06")
    out = told(pd.concat([troubled, later]))
    assert not (out["kind"] == "anomaly").any()


def test_a_weak_weekday_is_told_once(calm: pd.DataFrame) -> None:
    daily = calm.copy()
    sunday = daily["date"].dt.day_of_week == 6
    daily.loc[sunday, ["conversions", "revenue"]] *= 0.4
    story = told(daily).query("kind == 'day_of_week'")
    assert story["subject"].tolist() == ["Sundays"]


def test_an_ended_and_a_new_campaign(calm: pd.DataFrame) -> None:
    daily = calm[~days_of(calm, "campaign_1", "2025-04-20", "2025-12-31")]
    daily = daily[~days_of(daily, "campaign_3", "2025-01-01", "2025-04-25")]
    stories = told(daily).query("kind == 'life_cycle'").set_index("subject")["headline"]
    assert "no spend since 19 Apr 2025" in stories["campaign_1"]
    assert "new: it started on 26 Apr 2025" in stories["campaign_3"]


def test_concentration_and_budget_shift(calm: pd.DataFrame) -> None:
    daily = calm.copy()
    rich = daily["campaign"] == "campaign_4"
    daily.loc[rich, ["conversions", "revenue"]] *= 4
    out = told(daily).set_index("kind")
    assert out.loc["concentration", "subject"] == "campaign_4"
    assert out.loc["budget_shift", "subject"] == "campaign_4"
    recent = daily[daily["date"] > daily["date"].max() - pd.Timedelta(days=28)]
    expected = 0.2 * recent.loc[recent["campaign"] == "campaign_4", "revenue"].sum()
    assert out.loc["concentration", "money_at_risk"] == pytest.approx(expected, abs=0.01)


def test_falling_revenue_is_a_trend(calm: pd.DataFrame) -> None:
    daily = calm.copy()
    falling = days_of(daily, "campaign_4", "2025-04-09", "2025-05-05")
    daily.loc[falling, "revenue"] *= np.linspace(1, 0.3, falling.sum())
    story = told(daily).query("kind == 'trend'").iloc[0]
    assert story["subject"] == "campaign_4"
    assert "falling" in story["headline"]


def test_spend_alone_is_enough(calm: pd.DataFrame) -> None:
    out = told(calm.drop(columns=["revenue", "conversions"]))
    assert set(out["kind"]) <= {"anomaly", "life_cycle", "trend"}
    assert np.isfinite(out["money_at_risk"]).all()


def test_dates_read_back_as_plain_objects_do(troubled: pd.DataFrame) -> None:
    found, computed = anomalies.detect(troubled), trends.compute(troubled)
    stored = found.assign(**{c: found[c].dt.date for c in ("start", "end", "detected_on")})
    pd.testing.assert_frame_equal(
        compose(troubled, stored, computed), compose(troubled, found, computed)
    )


def two_years(change: float, weeks: int = 4) -> pd.DataFrame:
    """One campaign whose revenue changed for ``weeks`` weeks a year before its last day."""
    daily = make_daily(1, 480, 3, start="2024-01-01")
    turn = daily["date"].max() - pd.Timedelta(days=364)
    season = (daily["date"] > turn) & (daily["date"] <= turn + pd.Timedelta(weeks=weeks))
    daily.loc[season, ["conversions", "revenue"]] *= change
    return daily


@pytest.mark.parametrize(("change", "word"), [(2.0, "rose"), (0.5, "fell")])
def test_a_season_is_told_before_it_begins(change: float, word: str) -> None:
    story = told(two_years(change)).query("kind == 'seasonality'")
    assert len(story) == 1
    assert word in story["headline"].item()
    assert "Table kpi_daily, key date from " in story["evidence"].item()


@pytest.mark.slow
def test_no_season_without_one_or_without_a_year_of_history() -> None:
    assert "seasonality" not in set(told(two_years(1.0))["kind"])
    short = two_years(2.0)
    short = short[short["date"] > short["date"].max() - pd.Timedelta(days=370)]
    assert "seasonality" not in set(told(short)["kind"])


def _damaged(kind: str) -> pd.DataFrame:
    daily = make_daily(3, 90, 6)
    some = daily.index % 7 == 3
    if kind == "one row":
        return daily.tail(1)
    if kind == "missing days":
        return daily[~some]
    if kind == "all zeros":
        daily[AMOUNTS] = 0
    elif kind == "refunds":
        daily.loc[some, ["spend", "revenue"]] *= -1
    elif kind == "unknown revenue":
        daily.loc[some, ["conversions", "revenue"]] = np.nan
    elif kind == "starts yesterday":
        young = daily[daily["date"] >= daily["date"].max() - pd.Timedelta(days=1)]
        daily = pd.concat([daily, young.assign(campaign=young["campaign"] + " new")])
    return daily


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["one row", "all zeros", "missing days", "refunds", "unknown revenue", "starts yesterday"],
)
def test_poor_data_never_become_an_unknown_number(kind: str) -> None:
    out = told(_damaged(kind))
    assert np.isfinite(out[["money_at_risk", "certainty"]]).all(axis=None)
    assert not out["evidence"].str.contains("nan|inf ", case=True).any()


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("of", [trends.compute, anomalies.detect])
def test_infinite_amounts_are_refused_by_both(of: object, value: float) -> None:
    daily = make_daily(1, 20, 6)
    daily = daily.astype({"clicks": "float64"})
    daily.loc[4, "clicks"] = value
    with pytest.raises(InputError, match="row 5, column clicks"):
        of(daily)  # type: ignore[operator]
