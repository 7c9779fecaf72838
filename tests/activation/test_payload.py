"""The DSP payload: money to the cent, one key per content, and no way to slip something in."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mkt_assets.activation import payload as dsp
from mkt_assets.activation.creative import EVERYONE, build_library
from mkt_assets.audiences.segments import SEGMENTS, SMALLEST_AUDIENCE
from mkt_assets.errors import MktError

SIZES = pd.DataFrame(
    {
        "segment": list(SEGMENTS[:3]),
        "eligible_users": pd.array([120, None, 75], dtype="Int64"),
        "suppressed": [False, True, False],
    }
)
ALLOCATION = pd.DataFrame(
    {
        "channel": ["Search", "Social", "E-mail"],
        "current": [100.0, 50.0, 10.005],
        "proposed": [110.1, 44.9, 5.005],
        "lower": [50.0, 25.0, 5.0025],
        "upper": [150.0, 75.0, 15.0075],
    }
)
LIBRARY = build_library(ALLOCATION, pd.DataFrame({"segment": list(SEGMENTS)}), currency="EUR")


def built(**changes: Any) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "run_date": "2025-01-31",
        "allocation": ALLOCATION,
        "creatives": LIBRARY,
        "segment_sizes": SIZES,
        "lineage_ids": ["b", "a", "b"],
        "currency": "EUR",
        "policy_version": "1",
        "absent": {},
    }
    return dsp.build(**(parts | changes))


PAYLOAD = built()


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(dsp.schema())
    text = json.dumps(dsp.schema())
    objects = text.count('"type": "object"') + text.count('"type": ["object", "null"]')
    assert text.count('"additionalProperties": false') == objects


def test_what_is_in_it() -> None:
    assert [a["segment"] for a in PAYLOAD["audiences"]] == ["Champions", "Loyal buyers"]
    assert {c["segment"] for c in PAYLOAD["creatives"]} == {"Champions", "Loyal buyers"}
    assert {c["approval"] for c in PAYLOAD["creatives"]} == {"pending"}
    assert PAYLOAD["lineage_ids"] == ["a", "b"]
    assert PAYLOAD["budget"]["total"] == "160.01"


money = st.floats(0, 1e7, allow_nan=False)
lines = st.lists(st.tuples(money, st.floats(0, 1), st.floats(0.01, 1)), min_size=1, max_size=12)


@given(lines)
def test_lines_sum_to_the_total_inside_their_guardrails(
    drawn: list[tuple[float, float, float]],
) -> None:
    frame = pd.DataFrame(
        {
            "channel": [f"c{i:02d}" for i in range(len(drawn))],
            "current": [current for current, _, _ in drawn],
            "lower": [current * (1 - rail) for current, _, rail in drawn],
            "upper": [current * (1 + rail) for current, _, rail in drawn],
        }
    )
    places = [place for _, place, _ in drawn]
    frame["proposed"] = (frame["lower"] + (frame["upper"] - frame["lower"]) * places).clip(
        frame["lower"], frame["upper"]
    )
    budget = built(allocation=frame)["budget"]
    amounts = [Decimal(line["proposed"]) for line in budget["lines"]]
    assert sum(amounts) == Decimal(budget["total"])
    assert abs(float(budget["total"]) - frame["proposed"].sum()) < 0.006
    for line, row in zip(budget["lines"], frame.itertuples(), strict=True):
        assert abs(float(line["proposed"]) - row.proposed) < 0.011
        assert abs(float(line["lower"]) - row.lower) < 0.011


def test_whole_cents_stay_as_they_are() -> None:
    frame = ALLOCATION.assign(proposed=[110.1, 44.9, 0.3])
    frame["lower"] = [0.1 + 0.2, 0.0, 0.3]
    assert [line["proposed"] for line in built(allocation=frame)["budget"]["lines"]] == [
        "0.30",
        "110.10",
        "44.90",
    ]


@given(st.randoms(use_true_random=False))
def test_order_changes_no_byte(random: Any) -> None:
    def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
        order = list(range(len(frame)))
        random.shuffle(order)
        return frame.iloc[order]

    ids = ["a", "b"]
    random.shuffle(ids)
    other = built(
        allocation=shuffled(ALLOCATION),
        creatives=shuffled(LIBRARY),
        segment_sizes=shuffled(SIZES),
        lineage_ids=ids,
    )
    assert dsp.write_bytes(other) == dsp.write_bytes(PAYLOAD)


def test_the_key_survives_the_file() -> None:
    data = dsp.write_bytes(PAYLOAD)
    assert data.endswith(b"}\n")
    again = json.loads(data)
    assert dsp.idempotency_key(again) == PAYLOAD["idempotency_key"]
    dsp.validate(again)


@pytest.mark.parametrize(
    "change",
    [
        {"run_date": "2025-02-01"},
        {"currency": "USD"},
        {"policy_version": "2"},
        {"lineage_ids": ["a"]},
        {"segment_sizes": SIZES.assign(eligible_users=pd.array([121, None, 75], dtype="Int64"))},
        {"absent": {"experiments": "none"}},
    ],
)
def test_other_content_has_another_key(change: dict[str, Any]) -> None:
    assert built(**change)["idempotency_key"] != PAYLOAD["idempotency_key"]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for i, item in enumerate(value) for leaf in leaves(item, (*path, i))]
    return [path]


@given(st.sampled_from(leaves(PAYLOAD)), st.sampled_from(["9.99", "x", 7, None, "green", ""]))
def test_any_change_of_any_value_is_found(path: tuple[Any, ...], value: Any) -> None:
    changed = copy.deepcopy(PAYLOAD)
    place = changed
    for step in path[:-1]:
        place = place[step]
    if place[path[-1]] == value:
        return
    place[path[-1]] = value
    with pytest.raises(MktError):
        dsp.validate(changed)


def resealed(change: Any) -> list[str]:
    """What is found when somebody changes the content and makes a new key for it."""
    changed = copy.deepcopy(PAYLOAD)
    change(changed)
    changed["idempotency_key"] = dsp.idempotency_key(changed)
    return dsp.problems(changed)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda p: p["budget"].update(total="160.02"), "$.budget.lines"),
        (lambda p: p["budget"]["lines"][0].update(proposed="99.00"), "$.budget.lines[0]"),
        (lambda p: p["budget"]["lines"][1].update(upper=150.0), "$.budget.lines[1].upper"),
        (lambda p: p["budget"]["lines"][1].update(note="hi"), "$.budget.lines[1]"),
        (lambda p: p["audiences"][0].update(user_key="u1"), "$.audiences[0]"),
        (lambda p: p["audiences"][0].update(eligible_users=49), "$.audiences[0].eligible_users"),
        (lambda p: p["audiences"].reverse(), "$.audiences"),
        (lambda p: p["creatives"][0].update(compliance="amber"), "$.creatives[0].compliance"),
        (lambda p: p["creatives"][0].update(body="Results guaranteed"), "$.creatives[0]"),
        (lambda p: p["creatives"][0].update(segment="New buyers"), "$.creatives[0].segment"),
        (lambda p: p["lineage_ids"].clear(), "$.lineage_ids"),
        (lambda p: p["lineage_ids"].reverse(), "$.lineage_ids"),
        (lambda p: p.update(run_date="2025-02-30"), "$.run_date"),
        (lambda p: p.update(emails=["a@b.c"]), "$:"),
        (lambda p: p.pop("currency"), "$:"),
        (lambda p: p.update(budget=None), "$.budget"),
    ],
)
def test_a_new_seal_does_not_help(change: Any, path: str) -> None:
    assert any(found.startswith(path) for found in resealed(change)), resealed(change)


def test_amber_copy_stays_out_even_if_approved() -> None:
    amber = LIBRARY.assign(compliance="amber", approval="approved")
    assert built(creatives=amber)["creatives"] == []


@pytest.mark.parametrize("place", [("creatives", 0, "body"), ("run_id",), ("currency",)])
def test_a_refusal_quotes_nobody(place: tuple[Any, ...]) -> None:
    """By a rule as by the schema."""
    payload = built()
    *way, last = place
    there: Any = payload
    for step in way:
        there = there[step]
    there[last] = "ask " + "jane.doe." * 4 + "x@example.com"
    told = "; ".join(dsp.problems(payload))
    assert told
    assert "jane.doe" not in told


def test_a_lying_label_is_found() -> None:
    lying = LIBRARY.assign(body="The best there is.")
    with pytest.raises(MktError, match="amber"):
        built(creatives=lying)


def test_a_line_outside_its_guardrail_is_refused() -> None:
    with pytest.raises(MktError, match="Search is outside"):
        built(allocation=ALLOCATION.assign(proposed=[151.0, 44.9, 5.005]))


def test_ga4_alone_and_ads_alone() -> None:
    alone = built(allocation=None, absent={"ads": "no ad spend: set MKT_ADS_URI"})
    assert alone["budget"] is None
    everyone = build_library(ALLOCATION, None, currency="EUR")
    ads = built(segment_sizes=None, creatives=everyone, absent={"ga4": "no GA4 events"})
    assert ads["audiences"] == []
    assert {c["segment"] for c in ads["creatives"]} == {EVERYONE}


def test_no_budget_without_a_reason_is_refused() -> None:
    with pytest.raises(MktError, match=r"\$\.budget"):
        built(allocation=None)


def test_no_lineage_is_refused() -> None:
    with pytest.raises(MktError, match=r"\$\.lineage_ids"):
        built(lineage_ids=[])


def test_a_missing_amount_is_refused() -> None:
    with pytest.raises(MktError, match="must be a number"):
        built(allocation=ALLOCATION.assign(proposed=[float("nan"), 1.0, 2.0]))


def test_the_smallest_audience_is_the_same_in_both_places() -> None:
    audience = dsp.schema()["properties"]["audiences"]["items"]["properties"]["eligible_users"]
    assert audience["minimum"] == SMALLEST_AUDIENCE
