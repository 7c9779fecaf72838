"""Forecasts: the laws of an interval, what histories are accepted, and what is refused."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import InputError
from mkt_assets.forecast import revenue


def series(days: int, seed: int = 1, level: float = 1000.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ds = pd.date_range("2025-01-01", periods=days)
    weekend = np.where(ds.day_of_week >= 5, 0.7, 1.0)
    return pd.DataFrame({"ds": ds, "y": level * weekend * np.exp(rng.normal(0, 0.1, days))})


def assert_lawful(out: pd.DataFrame) -> None:
    numbers = out[["lo95", "lo80", "yhat", "hi80", "hi95"]].to_numpy()
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()
    assert (np.diff(numbers, axis=1) >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("days", [7, 8, 13, 27, 28, 29, 35, 41, 60, 120])
def test_every_length_of_history_gives_a_lawful_fan(days: int) -> None:
    out = revenue.forecast(series(days))
    assert list(out.columns) == ["ds", "yhat", "lo80", "hi80", "lo95", "hi95"]
    assert list(out["ds"]) == list(pd.date_range("2025-01-01", periods=days + 14)[-14:])
    assert_lawful(out)


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(st.floats(-50, 1e7) | st.just(float("nan")), min_size=14, max_size=27),
    horizon=st.integers(1, 40),
)
def test_short_histories_of_any_kind_give_a_lawful_fan(values: list[float], horizon: int) -> None:
    history = pd.DataFrame({"ds": pd.date_range("2025-03-01", periods=len(values)), "y": values})
    if history["y"].notna().sum() < revenue.MIN_DAYS:
        with pytest.raises(InputError, match="too few"):
            revenue.forecast(history, horizon)
        return
    out = revenue.forecast(history, horizon)
    assert len(out) == horizon
    assert_lawful(out)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zero", "constant", "weekdays only", "ends at zero", "refunds"])
def test_awkward_series_give_a_lawful_fan(kind: str) -> None:
    history = series(70)
    weekend = history["ds"].dt.day_of_week >= 5
    changed = {
        "zero": history["y"] * 0,
        "constant": history["y"] * 0 + 5,
        "weekdays only": history["y"].mask(weekend, 0),
        "ends at zero": history["y"].where(history.index < 50, 0),
        "refunds": history["y"].where(history.index % 9 > 0, -200),
    }[kind]
    out = revenue.forecast(history.assign(y=changed))
    assert_lawful(out)
    if kind == "constant":
        assert np.allclose(out["yhat"], 5, rtol=0.02)


@pytest.mark.slow
def test_the_same_input_gives_the_same_numbers_in_any_order_of_rows() -> None:
    history = series(60)
    shuffled = history.sample(frac=1, random_state=3)
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state must stay untouched
    pd.testing.assert_frame_equal(revenue.forecast(history), revenue.forecast(shuffled))
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


@pytest.mark.slow
def test_gaps_are_gaps_and_not_zeros() -> None:
    history = series(90)
    gaps = history.drop(index=[20, 21, 40, 66, 80])
    assert revenue.forecast(gaps)["yhat"].mean() == pytest.approx(
        revenue.forecast(history)["yhat"].mean(), rel=0.03
    )


def test_the_forecast_starts_after_the_last_known_day() -> None:
    history = series(40)
    history.loc[37:, "y"] = np.nan
    assert revenue.forecast(history)["ds"].iloc[0] == history["ds"].iloc[37]


@pytest.mark.slow
def test_money_in_another_unit_gives_the_same_fan() -> None:
    history = series(80)
    small, large = (revenue.forecast(history.assign(y=history["y"] * k)) for k in (1, 1000))
    columns = ["yhat", "lo80", "hi80", "lo95", "hi95"]
    assert np.allclose(small[columns] * 1000, large[columns], rtol=1e-3)


def test_a_few_errors_on_one_side_leave_room_on_both() -> None:
    history = series(30)
    out = revenue.forecast(history.assign(y=history["y"].where(history.index < 23, 10.0)))
    assert (out["hi80"] > out["yhat"]).all()
    assert (out["lo80"] < out["yhat"]).all()


def test_other_levels_are_named_after_themselves() -> None:
    out = revenue.forecast(series(50), horizon=3, levels=(50, 90))
    assert list(out.columns) == ["ds", "yhat", "lo50", "hi50", "lo90", "hi90"]


@pytest.mark.slow
def test_four_days_in_five_fall_inside_the_80_percent_interval() -> None:
    inside80, inside95 = [], []
    for seed in range(12):
        history = series(134, seed=seed)
        out = revenue.forecast(history.iloc[:120])
        actual = history["y"].iloc[120:].to_numpy()
        inside80.append(((actual >= out["lo80"]) & (actual <= out["hi80"])).mean())
        inside95.append(((actual >= out["lo95"]) & (actual <= out["hi95"])).mean())
    assert 0.72 <= np.mean(inside80) <= 0.9
    assert 0.9 <= np.mean(inside95) <= 1.0


def test_prophet_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    level = logging.getLogger("cmdstanpy").level
    revenue.forecast(series(40))
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("cmdstanpy").level in (level, logging.DEBUG)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.drop(columns="y"), "column y"),
        (lambda h: h.head(6), "6 known days"),
        (lambda h: pd.concat([h, h.tail(1)]), "given twice"),
        (lambda h: h.assign(ds=h["ds"].astype(str).replace("2025-01-03", "soon")), "row 3.*'soon'"),
        (lambda h: h.assign(y=h["y"].astype(object).mask(h.index == 4, "many")), "row 5.*'many'"),
        (lambda h: h.assign(y=h["y"].mask(h.index == 2, np.inf)), "row 3"),
    ],
)
def test_a_history_that_makes_no_sense_is_refused_by_place(change, message: str) -> None:
    with pytest.raises(InputError, match=message):
        revenue.forecast(change(series(30)))


@pytest.mark.parametrize("request_", [{"horizon": 0}, {"levels": (0,)}, {"levels": (100,)}])
def test_a_request_that_makes_no_sense_is_refused(request_: dict[str, object]) -> None:
    with pytest.raises(InputError):
        revenue.forecast(series(30), **request_)


def daily(days: int = 60) -> pd.DataFrame:
    frames = [
        series(days, seed=i, level=100.0 * i)
        .rename(columns={"ds": "date", "y": "revenue"})
        .assign(channel=name)
        for i, name in enumerate(("Search", "Social"), start=1)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.mark.slow
def test_all_series_are_forecast_from_the_same_day_and_the_tables_keep_their_contract() -> None:
    rows = daily()
    rows = rows[~((rows["channel"] == "Social") & (rows["date"] > "2025-02-26"))]  # three days late
    table, scores = revenue.forecast_all(rows)
    for frame, name in ((table, "revenue_forecast"), (scores, "forecast_accuracy")):
        contract = REGISTRY[f"forecast/{name}"]
        assert list(frame.columns) == [column.name for column in contract.columns]
        assert not frame.duplicated(list(contract.key)).any()
    assert set(table["series"]) == {"total", "Search", "Social"}
    assert (table.groupby("series")["ds"].min() == pd.Timestamp("2025-03-02")).all()
    assert (table.groupby("series").size() == 14).all()
    assert set(table["made_on"]) == {pd.Timestamp("2025-03-01")}


@pytest.mark.slow
def test_an_ended_or_too_new_channel_is_left_out_and_a_first_week_gives_empty_tables() -> None:
    rows = daily(90)
    ended = rows[~((rows["channel"] == "Social") & (rows["date"] > "2025-02-15"))]
    assert set(revenue.forecast_all(ended)[0]["series"]) == {"total", "Search"}
    table, scores = revenue.forecast_all(rows[rows["date"] < "2025-01-05"])
    assert table.empty
    assert scores.empty
    assert list(table.columns) == [c.name for c in REGISTRY["forecast/revenue_forecast"].columns]


def test_a_channel_whose_revenue_is_unknown_has_no_forecast_and_does_not_spoil_the_total() -> None:
    rows = daily(40)
    unknown = rows.assign(revenue=rows["revenue"].mask(rows["channel"] == "Social"))
    table, _ = revenue.forecast_all(unknown)
    assert set(table["series"]) == {"total", "Search"}
    means = table.groupby("series")["yhat"].mean()
    assert means["total"] == pytest.approx(means["Search"])
