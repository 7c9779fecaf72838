"""Anomaly detection: causal, calm on calm data, right on planted events, clear on bad input."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import InputError
from mkt_assets.insights.anomalies import COLUMNS, TYPES, detect

from .conftest import days_of, make_daily

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
FINAL = ["campaign", "channel", "metric", "type", "start", "detected_on"]


def benchmark(name: str) -> ModuleType:
    """A module of the folder benchmarks, which is no package."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def known_by(found: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """The final part of the events that had been detected by a day."""
    known = found[found["detected_on"] <= day]
    return known[FINAL].sort_values(FINAL, ignore_index=True)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cut=st.integers(20, 110),
    damage=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(15, 109),
            st.integers(1, 30),
            st.sampled_from(["spend", "clicks", "conversions", "revenue", "gap", "stop"]),
            st.sampled_from([0.2, 0.5, 3.0, 6.0]),
        ),
        max_size=6,
    ),
)
def test_later_days_never_change_what_was_known(
    seed: int, cut: int, damage: list[tuple[int, int, int, str, float]]
) -> None:
    """Identity and detection day are final, ends only grow, settled events keep every number."""
    daily = make_daily(4, 110, seed)
    first = daily["date"].min()
    for campaign, start, length, what, factor in damage:
        begin = first + pd.Timedelta(days=start)
        end = begin + pd.Timedelta(days=length - 1)
        hit = days_of(daily, f"campaign_{campaign}", str(begin.date()), str(end.date()))
        if what == "gap":
            daily = daily[~hit]
        elif what == "stop":
            daily.loc[hit, ["spend", "impressions", "clicks", "conversions", "revenue"]] = 0
        else:
            daily[what] = daily[what].where(~hit, daily[what] * factor)
    day = first + pd.Timedelta(days=cut)
    full, then = detect(daily), detect(daily[daily["date"] <= day])

    pd.testing.assert_frame_equal(known_by(full, day), known_by(then, day))
    assert (then["detected_on"] <= day).all()
    both = then.merge(full, on=FINAL, suffixes=("", "_later"))
    assert (both["end"] <= both["end_later"]).all()
    assert (both["end"] <= day).all()
    settled = both[both["end"] == both["end_later"]]
    for name in ("score", "expected", "actual", "money_at_risk"):
        np.testing.assert_allclose(settled[name], settled[f"{name}_later"], rtol=1e-9)
    assert settled["cause"].tolist() == settled["cause_later"].tolist()


def test_each_planted_event_is_found_and_nothing_else(troubled: pd.DataFrame) -> None:
    found = detect(troubled)
    assert list(found["type"].sort_values()) == sorted(TYPES)
    by_type = found.set_index("type")
    assert by_type.loc["spend_spike", "campaign"] == "campaign_0"
    assert by_type.loc["revenue_spike", "start"] == pd.Timestamp("2025-04-03")
    assert by_type.loc["revenue_spike", "cause"].startswith("larger baskets")
    assert by_type.loc["zero_spend", "end"] == pd.Timestamp("2025-04-17")
    drop = by_type.loc["performance_drop"]
    assert drop["campaign"] == "campaign_2"
    assert drop["end"] == pd.Timestamp("2025-04-13")
    assert drop["money_at_risk"] > 0
    decline = by_type.loc["ctr_decline"]
    assert decline["campaign"] == "campaign_3"
    assert decline["actual"] < decline["expected"] == pytest.approx(0.02, rel=0.1)


def test_calm_data_stay_calm() -> None:
    """Forty calm campaigns of a third of a year: at most .3 false events a campaign-year."""
    found = sum(len(detect(make_daily(8, 120, seed))) for seed in range(5))
    assert found / (5 * 8 * 120 / 365) <= 0.3


def test_columns_are_those_of_the_contract(troubled: pd.DataFrame) -> None:
    contract = [column.name for column in REGISTRY["insights/anomalies"].columns]
    assert list(COLUMNS) == contract == list(detect(troubled).columns)
    assert not detect(troubled).duplicated(list(REGISTRY["insights/anomalies"].key)).any()


def test_order_of_rows_and_unrelated_columns_do_not_matter(troubled: pd.DataFrame) -> None:
    shuffled = troubled.sample(frac=1, random_state=1).assign(leads=1)
    pd.testing.assert_frame_equal(detect(troubled), detect(shuffled))


def test_a_weekly_pause_is_no_exhaustion_but_a_lost_weekday_is(calm: pd.DataFrame) -> None:
    daily = calm.copy()
    weekend = (daily["campaign"] == "campaign_1") & (daily["date"].dt.day_of_week >= 5)
    amounts = ["spend", "impressions", "clicks", "conversions", "revenue"]
    daily.loc[weekend, amounts] = 0
    assert not (detect(daily)["type"] == "zero_spend").any()
    daily.loc[days_of(daily, "campaign_1", "2025-03-12", "2025-03-12"), amounts] = 0
    found = detect(daily)
    assert found.loc[found["type"] == "zero_spend", "start"].tolist() == [
        pd.Timestamp("2025-03-12")
    ]


def test_a_campaign_that_ends_is_reported_once(calm: pd.DataFrame) -> None:
    daily = calm.copy()
    amounts = ["spend", "impressions", "clicks", "conversions", "revenue"]
    daily.loc[days_of(daily, "campaign_2", "2025-03-20", "2025-12-31"), amounts] = 0
    found = detect(daily)
    assert found["type"].tolist() == ["zero_spend"]
    assert (found["end"] - found["start"]).dt.days.item() < 7


def test_missing_days_are_not_zero(calm: pd.DataFrame) -> None:
    gap = days_of(calm, "campaign_2", "2025-03-20", "2025-03-25")
    assert detect(calm[~gap]).equals(detect(calm))


def test_a_changed_budget_is_no_spike(calm: pd.DataFrame) -> None:
    daily = calm.copy()
    step = days_of(daily, "campaign_0", "2025-03-10", "2025-12-31")
    daily.loc[step, ["spend", "impressions", "clicks", "conversions", "revenue"]] *= 1.6
    assert not (detect(daily)["type"] == "spend_spike").any()


@pytest.mark.slow
def test_a_holiday_that_all_share_is_no_anomaly() -> None:
    """Twice the rate on three days: an alarm for a campaign alone, none among its peers."""
    together = alone = 0
    for seed in range(3):
        daily = make_daily(8, 120, seed)
        holiday = daily["date"].between("2025-04-04", "2025-04-06")
        daily.loc[holiday, ["conversions", "revenue"]] *= 3
        daily.loc[holiday, ["spend", "impressions", "clicks"]] *= 1.4
        together += detect(daily)["campaign"].nunique()
        alone += sum(not detect(one).empty for _, one in daily.groupby("campaign"))
    assert together <= 1
    assert alone > 12


@pytest.mark.parametrize("absent", [["revenue"], ["conversions"], ["conversions", "revenue"]])
def test_absent_outcomes_leave_the_other_verdicts(
    troubled: pd.DataFrame, absent: list[str]
) -> None:
    found = detect(troubled.drop(columns=absent))
    assert {"spend_spike", "zero_spend", "ctr_decline"} <= set(found["type"])
    assert not (found["type"] == "revenue_spike").any()
    assert np.isfinite(found[["score", "expected", "actual"]]).all(axis=None)


@pytest.mark.parametrize("rows", [0, 1, 6])
def test_too_little_to_say_anything(calm: pd.DataFrame, rows: int) -> None:
    found = detect(calm[calm["campaign"] == "campaign_0"].head(rows))
    assert list(found.columns) == list(COLUMNS)
    assert found.empty


def test_all_zeros_say_nothing(calm: pd.DataFrame) -> None:
    amounts = ["spend", "impressions", "clicks", "conversions", "revenue"]
    assert detect(calm.assign(**dict.fromkeys(amounts, 0))).empty


def test_negative_adjustments_are_no_observation(troubled: pd.DataFrame) -> None:
    daily = troubled.copy()
    credit = days_of(daily, "campaign_0", "2025-03-20", "2025-03-20")
    daily.loc[credit, ["spend", "revenue"]] = -5_000.0
    found = detect(daily)
    assert np.isfinite(found[["score", "expected", "actual", "money_at_risk"]]).all(axis=None)
    assert set(found["type"]) == set(TYPES)


@pytest.mark.parametrize("column", ["spend", "impressions", "clicks", "revenue", "conversions"])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_amounts_are_refused(calm: pd.DataFrame, column: str, value: float) -> None:
    daily = calm.astype({column: "float64"})
    daily.loc[7, column] = value
    with pytest.raises(InputError) as refused:
        detect(daily)
    assert (refused.value.column, refused.value.row) == (column, 8)


def test_missing_spend_is_refused_and_missing_revenue_is_not(calm: pd.DataFrame) -> None:
    daily = calm.copy()
    daily.loc[3, "revenue"] = np.nan
    detect(daily)
    daily.loc[3, "spend"] = np.nan
    with pytest.raises(InputError, match="row 4, column spend"):
        detect(daily)


def test_text_in_a_number_a_repeated_key_and_a_missing_column_are_refused(
    calm: pd.DataFrame,
) -> None:
    text = calm.astype({"clicks": "object"})
    text.loc[2, "clicks"] = "n/a"
    with pytest.raises(InputError, match=r"row 3, column clicks, value 'n/a'"):
        detect(text)
    with pytest.raises(InputError, match="two rows for one date and campaign"):
        detect(pd.concat([calm, calm.head(1)]))
    with pytest.raises(InputError, match="column spend"):
        detect(calm.drop(columns="spend"))


def test_a_monthly_pause_is_learnt_and_a_stop_elsewhere_is_not_excused() -> None:
    """A second pause on the same first days of a month is a schedule: no budget is used up yet."""
    daily = make_daily(5, 200)
    pause = (daily["campaign"] == "campaign_1") & (daily["date"].dt.day <= 2)
    amounts = ["spend", "impressions", "clicks", "conversions", "revenue"]
    daily.loc[pause, amounts] = 0
    found = detect(daily)
    starts = found.loc[found["type"] == "zero_spend", "start"]
    assert (starts < "2025-03-01").all()
    daily.loc[days_of(daily, "campaign_1", "2025-06-11", "2025-06-12"), amounts] = 0
    found = detect(daily)
    assert pd.Timestamp("2025-06-11") in found.loc[found["type"] == "zero_spend", "start"].tolist()


def test_a_budget_that_runs_out_late_in_the_month_is_told_twice_before_it_is_a_habit() -> None:
    daily = make_daily(5, 200)
    stop = (daily["campaign"] == "campaign_1") & daily["date"].dt.day.isin([26, 27])
    daily.loc[stop, ["spend", "impressions", "clicks", "conversions", "revenue"]] = 0
    found = detect(daily[daily["date"] >= "2025-01-20"])
    stops = found.loc[found["type"] == "zero_spend", "start"]
    assert set(stops.dt.strftime("%m-%d")) >= {"02-26", "03-26"}
    assert (stops < "2025-05-01").all()


def test_a_campaign_that_starts_yesterday_or_has_one_row_changes_nothing(
    troubled: pd.DataFrame,
) -> None:
    last = troubled["date"].max()
    one = troubled[troubled["date"] == last].head(1)
    young = [one.assign(campaign="of today")]
    young += [
        one.assign(campaign="of yesterday", date=last - pd.Timedelta(days=ago)) for ago in (0, 1)
    ]
    found = detect(pd.concat([troubled, *young]))
    assert not found["campaign"].isin({"of today", "of yesterday"}).any()
    pd.testing.assert_frame_equal(found, detect(troubled))


@pytest.mark.parametrize("column", ["impressions", "clicks", "conversions", "revenue"])
def test_unknown_amounts_never_become_an_unknown_score(troubled: pd.DataFrame, column: str) -> None:
    daily = troubled.copy()
    daily.loc[::3, column] = np.nan
    found = detect(daily)
    assert np.isfinite(found[["score", "expected", "actual"]]).all(axis=None)


@pytest.mark.slow
def test_thousands_of_dead_campaigns_cost_little_and_change_nothing(
    troubled: pd.DataFrame,
) -> None:
    """10,000 campaigns of which all but five ended after a week or never ran."""
    first = troubled["date"].min()
    row = troubled.head(1)
    names = [f"dead {i}" for i in range(9_995)]
    dead = pd.concat([row] * 7, ignore_index=True).assign(date=pd.date_range(first, periods=7))
    all_dead = dead.drop(columns="campaign").merge(pd.Series(names, name="campaign"), how="cross")
    never = all_dead["campaign"].isin(names[::2])
    all_dead.loc[never, ["spend", "impressions", "clicks", "conversions", "revenue"]] = 0
    found = detect(pd.concat([troubled, all_dead], ignore_index=True))
    assert set(found["campaign"]) <= set(troubled["campaign"])
    assert set(found["type"]) == set(TYPES)


@pytest.mark.slow
def test_the_measuring_stick() -> None:
    """Floors below the measured level (docs/anomalies.md): only a real loss of quality fails."""
    truth = benchmark("campaign_truth")
    made = [truth.generate(seed) for seed in range(501, 505)]
    each = [truth.counts(one.labels, detect(one.daily)) for one in made]
    total = sum(each[1:], each[0]).sum()
    precision, recall = total["hits"] / total["events"], total["found"] / total["labels"]
    assert 2 * precision * recall / (precision + recall) >= 0.70
    assert total["false"] / sum(one.years for one in made) <= 0.6


def test_a_platform_that_tells_no_impressions_or_clicks_is_still_watched(
    troubled: pd.DataFrame,
) -> None:
    """What needs the missing column is not judged; what does not is judged as before."""
    whole = detect(troubled)
    found = detect(troubled.drop(columns=["impressions", "clicks"]))
    assert set(found["type"]) <= {"spend_spike", "zero_spend"}
    wanted = whole[whole["type"].isin({"spend_spike", "zero_spend"})]
    assert found[["campaign", "type", "start"]].to_numpy().tolist() == (
        wanted[["campaign", "type", "start"]].to_numpy().tolist()
    )
