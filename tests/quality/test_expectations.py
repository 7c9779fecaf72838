"""Great Expectations holds tables to their suites: each fault is told with its rows and keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from mkt_assets.errors import MktError
from mkt_assets.quality.expectations import flat_columns, import_meanwhile, judge, type_name
from mkt_assets.quality.outcomes import Outcome
from mkt_assets.quality.suites import Expected, Suite, suites
from mkt_assets.quality.trailing import trailing_suite
from mkt_assets.settings import load_settings

# Great Expectations alone takes seconds to import
pytestmark = pytest.mark.slow

SUITE = next(s for s in suites(load_settings()) if s.table == "marts/kpi_channel_daily")
TYPES = {name: type_name(kind) for name, kind in SUITE.types.items()}
DAYS = [pd.Timestamp("2025-06-02"), pd.Timestamp("2025-06-03")]


def good() -> pd.DataFrame:
    rows = [{"date": day, "channel": c} for day in DAYS for c in ("Search", "Social")]
    frame = pd.DataFrame(rows)
    for name in flat_columns(TYPES):
        if name not in frame:
            frame[name] = 0.5
    return frame.assign(currency="EUR", is_final=True)


def judged(frame: pd.DataFrame, types: dict[str, str] | None = None) -> list[Outcome]:
    def parents(_: str) -> Sequence[Any]:
        return DAYS

    told = {SUITE.table: types or TYPES}
    return judge([SUITE], {SUITE.table: frame}, told, parents)


def broken(outcomes: list[Outcome]) -> dict[str, Outcome]:
    return {o.rule: o for o in outcomes if not o.holds}


def test_a_good_table_keeps_every_rule() -> None:
    outcomes = judged(good())
    assert broken(outcomes) == {}
    assert [o.rule for o in outcomes[1:]] == [e.says for e in SUITE.expected]
    assert outcomes[1].tested == 4


def test_an_empty_table_keeps_every_rule() -> None:
    assert broken(judged(good().head(0))) == {}


def test_a_doubled_key_is_named_once() -> None:
    twice = pd.concat([good(), good().head(1)], ignore_index=True)
    (found,) = broken(judged(twice)).values()
    assert found.kind == "uniqueness"
    assert found.blocking
    assert found.broken == 2
    assert found.samples == ("2025-06-02, Search",)


def test_a_missing_value_is_named_with_its_column() -> None:
    frame = good()
    # a platform need not report clicks, but says what it cost
    frame.loc[1, "clicks"] = None
    frame.loc[2, "mark_spent"] = None
    (found,) = broken(judged(frame)).values()
    assert found.kind == "completeness"
    assert found.samples == ("2025-06-03, Search: mark_spent",)


def test_a_value_out_of_bounds_is_counted_and_named() -> None:
    frame = good()
    frame.loc[[0, 3], "ctr"] = 1.5
    (found,) = broken(judged(frame)).values()
    assert found.rule == "ctr is between 0 and 1"
    assert (found.broken, found.tested) == (2, 4)
    assert found.samples == ("2025-06-02, Search", "2025-06-03, Social")


def test_negative_revenue_warns_and_does_not_stop() -> None:
    frame = good()
    frame.loc[0, ["revenue", "aov", "roas"]] = -1.0
    found = broken(judged(frame))
    assert found
    assert not any(o.blocking for o in found.values())


def test_a_reference_to_nothing_is_named() -> None:
    frame = good()
    frame.loc[0, "date"] = pd.Timestamp("2025-06-09")
    (found,) = broken(judged(frame)).values()
    assert found.kind == "reference"
    assert found.samples == ("2025-06-09, Search",)


def test_a_missing_column_is_told_and_the_rest_is_still_judged() -> None:
    frame = good().drop(columns=["ctr"]).assign(more=1)
    frame.loc[0, "clicks"] = -1.0
    types = {name: kind for name, kind in TYPES.items() if name != "ctr"} | {"more": "BIGINT"}
    found = broken(judged(frame, types))
    schema = found.pop("the columns and their types are those of the contract")
    assert schema.blocking
    assert schema.samples == (
        "column ctr is missing",
        "column more is not in the contract",
    )
    assert list(found) == ["clicks is at least 0"]


def test_a_column_of_another_type_is_told() -> None:
    (found,) = broken(judged(good(), TYPES | {"clicks": "VARCHAR"})).values()
    assert found.samples == ("column clicks is VARCHAR, the contract says BIGINT",)


def test_words_where_numbers_belong_are_told_by_the_type_alone() -> None:
    frame = good().assign(clicks="many")
    (found,) = broken(judged(frame, TYPES | {"clicks": "VARCHAR"})).values()
    assert found.samples == ("column clicks is VARCHAR, the contract says BIGINT",)


def test_bounds_and_orders_hold_where_a_value_is_at_its_bound_or_missing() -> None:
    frame = good()
    frame.loc[0, ["ctr", "clicks"]] = [0.0, 0.0]
    frame.loc[1, "ctr"] = 1.0
    frame.loc[2, "ctr"] = None
    assert broken(judged(frame)) == {}
    frame.loc[1, "ctr"] = 1.0000001
    frame.loc[0, "ctr"] = -1e-9
    (found,) = broken(judged(frame)).values()
    assert (found.rule, found.broken) == ("ctr is between 0 and 1", 2)


def test_large_tables_are_held_in_several_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = good()
    frame.loc[3, ["ctr", "clicks"]] = [1.5, -1.0]
    together = judged(frame)
    monkeypatch.setattr("mkt_assets.quality.comparisons._ROWS_TOGETHER", 9)
    assert judged(frame) == together


def test_dates_are_held_in_order_too() -> None:
    suite = next(s for s in suites(load_settings()) if s.table == "insights/anomalies")
    orders = tuple(e for e in suite.expected if e.kind == "order")
    dated = Suite("a/b", ("n",), {}, (), orders)
    late = pd.Timestamp("2025-06-09")
    frame = pd.DataFrame({"n": [1, 2, 3], "start": DAYS[0], "end": DAYS[1], "detected_on": DAYS[1]})
    frame.loc[1, "start"] = late
    frame.loc[2, "detected_on"] = pd.NaT
    found = judge([dated], {"a/b": frame}, {"a/b": {}}, lambda _: [])
    assert [o.samples for o in found if o.kind == "order"] == [("2",), ("2",)]


def test_times_of_two_precisions_are_held_in_order() -> None:
    rule = Expected(
        "a is not above b",
        "order",
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {"column_A": "b", "column_B": "a", "or_equal": True},
    )
    days = pd.Series(["2025-06-02", "2025-06-03", "2025-06-04"])
    frame = pd.DataFrame({"n": [1, 2, 3], "a": days.astype("datetime64[s]")})
    frame["b"] = days.astype("datetime64[ns]")
    suite = Suite("a/b", ("n",), {}, (), (rule,))
    (kept,) = judge([suite], {"a/b": frame}, {"a/b": {}}, lambda _: [])[1:]
    assert kept.holds
    frame.loc[1, "a"] = pd.Timestamp("2025-06-09")
    (late,) = judge([suite], {"a/b": frame}, {"a/b": {}}, lambda _: [])[1:]
    assert late.samples == ("2",)


def test_rows_are_counted_by_place_whatever_they_are_called() -> None:
    frame = good()
    frame.loc[2, ["mark_spent", "ctr"]] = [None, 1.5]
    called = broken(judged(frame.set_axis([5, 5, 7, 0])))
    assert called == broken(judged(frame))
    assert {o.samples[0].split(":")[0] for o in called.values()} == {"2025-06-03, Search"}


def test_a_day_out_of_line_with_the_weeks_before_warns_with_its_numbers() -> None:
    suite = trailing_suite("kpi_daily")
    columns = ["date", "metric", "value", "expected", "lower", "upper"]
    rows = [
        (DAYS[0], "clicks", 100.0, 110.0, 50.0, 220.0),
        (DAYS[1], "clicks", 3.0, 110.0, 50.0, 220.0),
        (DAYS[1], "ctr", 0.9, 0.05, 0.02, 0.1),
    ]
    frame = pd.DataFrame(rows, columns=columns)
    below, above = judge([suite], {suite.name: frame}, {}, lambda _: [])
    assert not below.blocking
    assert below.samples == ("2025-06-03, clicks: value 3, expected 110, lower 50, upper 220",)
    assert above.samples == ("2025-06-03, ctr: value 0.9, expected 0.05, lower 0.02, upper 0.1",)


@pytest.mark.parametrize("given", [["word", "another"], ["5", "0"]])
def test_a_rule_that_cannot_be_evaluated_is_neither_kept_nor_broken(given: list[str]) -> None:
    odd = Expected("x", "range", "ExpectColumnValuesToBeBetween", {"column": "n", "max_value": 1})
    suite = Suite("a/b", ("n",), {"n": "VARCHAR"}, (), (odd,))
    frame = pd.DataFrame({"n": given})
    with pytest.raises(MktError, match="could not be evaluated"):
        judge([suite], {"a/b": frame}, {"a/b": {"n": "VARCHAR"}}, lambda _: [])


def test_judging_waits_for_an_import_under_way() -> None:
    import_meanwhile()
    assert broken(judged(good())) == {}
