"""Event parameters under the guard: exact, or set aside by name; new ones are counted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.privacy import event_findings, event_slices, event_words
from mkt_assets.privacy.event_parameters import finding_sql, number_sql
from mkt_assets.privacy.pii import findings

Workplace = Any  # the fixture's type lives in conftest
NOW = datetime(2025, 3, 11, 6, tzinfo=UTC)
FIELDS = ("string_value", "int_value", "float_value", "double_value")
VALUE = "struct(string_value varchar, int_value bigint, float_value double, double_value double)"


def params(**values: Any) -> list[dict[str, Any]]:
    """Event parameters; a value is given as (field, value)."""
    return [
        {"key": key, "value": dict([value]) if isinstance(value, tuple) else value}
        for key, value in values.items()
    ]


def text(value: str) -> tuple[str, str]:
    return ("string_value", value)


def real(value: float) -> tuple[str, float]:
    return ("double_value", value)


def whole(value: int) -> tuple[str, int]:
    return ("int_value", value)


FAULTS = {
    "engagement in words": (params(engagement_time_msec=text("soon")), "engagement_time_msec"),
    "half a millisecond": (params(engagement_time_msec=real(15000.5)), "engagement_time_msec"),
    "no number at all": (params(engagement_time_msec=real(float("nan"))), "engagement_time_msec"),
    "a word for engaged": (params(session_engaged=text("yes")), "session_engaged"),
    "a number for engaged": (params(session_engaged=whole(2)), "session_engaged"),
    "a session's number in words": (params(ga_session_number=text("first")), "ga_session_number"),
}


def test_a_parameter_of_another_type_sets_its_event_aside_by_name(workplace: Workplace) -> None:
    bad = [
        workplace.event(event_params=event_params, source_row=row, event_name="scroll")
        for row, (event_params, _) in enumerate(FAULTS.values(), start=2)
    ]
    reasons = [f"wrong_type_{name}" for _, name in FAULTS.values()]
    fates = workplace.guard([workplace.event(), *bad])
    assert (fates.kept, fates.quarantined) == (1, Counter(reasons))
    aside = workplace.read(workplace.quarantine, "source_row, reason")
    assert {row["source_row"]: row["reason"] for row in aside} == dict(enumerate(reasons, start=2))


NO_SESSION_IDS = [
    text("abc"),
    text("1735700001.5"),
    real(1735700001.5),
    text("1735700001abc"),
    text("1_735"),
    text("0x1F"),
    text("1e9"),
    text("NaN"),
    real(float("inf")),
    real(1e17),
    whole(10_000_000_000),
    text("4111111111111111"),
    ("float_value", 0.5),
]


def test_a_session_id_that_is_none_sets_its_event_aside(workplace: Workplace) -> None:
    bad = [
        workplace.event(event_params=params(ga_session_id=value), event_name=f"scroll_{n}")
        for n, value in enumerate(NO_SESSION_IDS)
    ]
    fates = workplace.guard([workplace.event(), *bad])
    assert fates.quarantined == {"bad_session_id": len(bad)}
    assert workplace.kept("ga_session_id") == [{"ga_session_id": 17}]


def kept_of_each(workplace: Workplace, name: str, values: list[Any]) -> list[Any]:
    """What is kept of each value of a parameter; one call for all costs what one value does."""
    rows = [
        workplace.event(event_timestamp=workplace.NOON + n, event_params=params(**{name: value}))
        for n, value in enumerate(values)
    ]
    fates = workplace.guard(rows)
    assert (fates.kept, fates.reasons) == (len(rows), {})
    kept = workplace.kept(f"event_timestamp, {name}")
    return [row[name] for row in sorted(kept, key=lambda row: row["event_timestamp"])]


SESSION_IDS = [
    (text("1735700001"), 1735700001),
    (text(" 1735700001 "), 1735700001),
    (text("1735700001.0"), 1735700001),
    (real(1735700001.0), 1735700001),
    (("float_value", 17.0), 17),
    (whole(9_999_999_999), 9_999_999_999),
    (text(""), None),
    (text("(not set)"), None),
    ({}, None),
    (None, None),
]


def test_a_session_id_told_in_another_way_is_the_same(workplace: Workplace) -> None:
    values, sessions = map(list, zip(*SESSION_IDS, strict=True))
    assert kept_of_each(workplace, "ga_session_id", values) == sessions


ENGAGED = [
    (text("1"), True),
    (text("0"), False),
    (whole(1), True),
    (whole(0), False),
    (text("true"), True),
    (text("False"), False),
    (real(1.0), True),
    (real(0.0), False),
    (text(""), None),
    (text("(not set)"), None),
    ({}, None),
]


def test_engaged_comes_in_many_forms(workplace: Workplace) -> None:
    values, engaged = map(list, zip(*ENGAGED, strict=True))
    assert kept_of_each(workplace, "session_engaged", values) == engaged


def test_whole_doubles_are_numbers_and_texts_may_be_numbers(workplace: Workplace) -> None:
    told = params(
        engagement_time_msec=real(15000.0), source=whole(123), medium=real(1.5),
        campaign=("float_value", 2.5),
    )  # fmt: skip
    workplace.guard([workplace.event(event_params=told)])
    columns = "engagement_time_msec, param_source, param_medium, param_campaign"
    assert workplace.kept(columns) == [
        {
            "engagement_time_msec": 15000,
            "param_source": "123",
            "param_medium": "1.5",
            "param_campaign": "2.5",
        }
    ]


values = st.one_of(
    st.tuples(st.just("string_value"), st.from_regex("[ +-]?[0-9]{0,21}[.e]?[0-9]{0,3}[a ]?")),
    st.tuples(st.just("string_value"), st.text(max_size=5)),
    st.tuples(st.just("int_value"), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.sampled_from(["double_value", "float_value"]), st.floats()),
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    told=st.lists(values, min_size=1, max_size=40),
    name=st.sampled_from(["ga_session_id", "engagement_time_msec"]),
)
def test_a_number_is_exact_or_found_never_another(
    workplace: Workplace, told: list[tuple[str, Any]], name: str
) -> None:
    """The law: what passes as a number is equal to what was sent."""
    param = f'struct_pack("key" := \'{name}\', "value" := sent)'
    judged = workplace.con.execute(
        f"select {number_sql('param.value')}, {finding_sql('param')} "
        f"from (select {param} as param from (select unnest($values::{VALUE}[]) as sent))",
        {"values": [dict.fromkeys(FIELDS) | dict([value]) for value in told]},
    ).fetchall()
    for (field, sent), (number, found) in zip(told, judged, strict=True):
        if found is None and number is None:
            assert str(sent).strip(" ") in ("", "(not set)")
        elif found is None:
            assert sent == number if field == "int_value" else float(sent) == number


def test_a_fault_counts_only_where_consent_allows_to_read_it(workplace: Workplace) -> None:
    bad = params(ga_session_id=text("abc"))
    refused = workplace.event(event_params=bad, privacy_info={"analytics_storage": "No"})
    nobody = workplace.event(event_params=bad, user_pseudo_id=None)
    fates = workplace.guard([refused, nobody])
    assert fates.reasons == {"consent_denied": 1, "cookieless": 1}


def test_of_several_faults_one_is_told_whatever_their_order(workplace: Workplace) -> None:
    faults = params(session_engaged=text("yes"), engagement_time_msec=text("soon"))
    for some in (faults, faults[::-1]):
        fates = workplace.guard([workplace.event(event_params=some)])
        assert fates.quarantined == {"wrong_type_engagement_time_msec": 1}


@pytest.mark.slow
@pytest.mark.parametrize("size", [3, 10**6])
@pytest.mark.parametrize("min_rows", [0, 10**9])
def test_faults_and_new_parameters_are_the_same_in_slices(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, size: int, min_rows: int
) -> None:
    monkeypatch.setattr(event_slices, "SLICE_ROWS", size)
    monkeypatch.setattr(event_words, "MIN_ROWS", min_rows)
    other = "drops/second.ndjson"
    events = [
        workplace.event(
            event_timestamp=workplace.NOON + n,
            event_params=params(
                ga_session_id=text("abc") if n % 5 == 0 else whole(n),
                page_title=text(f"faulty {n}" if n % 5 == 0 else "Shoes"),
                ga_session_number=whole(10**9),
                loyalty_tier=text("x"),
            ),
            source_file=other if n % 2 else "drops/events_20250310.ndjson",
        )
        for n in range(20)
    ]
    lineage = {"drops/events_20250310.ndjson": "ln_one", other: "ln_two"}
    fates = workplace.guard(events, lineage_of=lineage)
    assert (fates.kept, fates.quarantined) == (16, {"bad_session_id": 4})
    # of kept rows alone: what is set aside is not read any further
    assert fates.new_parameters == {"loyalty_tier": 16}
    assert fates.redactions == {"ga_session_number": 16}
    assert {part.new_parameters["loyalty_tier"] for part in fates.per_source.values()} == {8}
    assert {row["page_title"] for row in workplace.kept("page_title")} == {"Shoes"}
    assert workplace.con.execute("select table_name from duckdb_tables()").fetchall() == []


def test_only_really_new_parameters_are_counted_and_only_names_are_told(
    workplace: Workplace,
) -> None:
    known = dict.fromkeys(
        ("page_title", "entrances", "percent_scrolled", "term", "value", "gclid", "link_url",
         "firebase_screen_class", "coupon", "batch_page_id"),
        text("x"),
    )  # fmt: skip
    unspeakable = ("jane@example.com", "+49 151 23456789", "", "n" * 41, "2nd_visit")
    new = {"loyalty_tier": text("jane@example.com"), "brandNew": whole(1)}
    rows = [
        workplace.event(event_params=params(**known, **new)),
        workplace.event(event_params=params(loyalty_tier=text("y")), event_name="scroll"),
        workplace.event(event_params=params(**dict.fromkeys(unspeakable, text("x")))),
        workplace.event(event_params=[{"key": None, "value": dict([text("x")])}]),
    ]
    fates = workplace.guard(rows)
    assert fates.kept == len(rows)
    others = len(unspeakable) + 1
    assert fates.new_parameters == {"loyalty_tier": 2, "brandNew": 1, event_findings.OTHER: others}
    assert findings(repr(fates)) == []


@pytest.mark.slow
def test_the_sample_has_nothing_that_is_new_and_no_fault(house: Any) -> None:
    for day in house.DAYS:
        (line,) = pq.read_table(house.lake.partition("lineage_ledger", day, "events")).to_pylist()
        assert line["new_parameters"] == "{}"
        assert line["rows_quarantined"] == 0


def test_a_tag_that_makes_up_names_fills_no_ledger(workplace: Workplace) -> None:
    made_up = {f"name_{number:03d}": whole(1) for number in range(80)}
    fates = workplace.guard(
        [
            workplace.event(event_params=params(**made_up)),
            workplace.event(event_params=params(name_079=whole(1)), event_name="scroll"),
        ]
    )
    named = event_findings.MOST_NAMES
    assert len(fates.new_parameters) == named + 1
    assert fates.new_parameters["name_079"] == 2
    assert fates.new_parameters[event_findings.OTHER] == 80 - named


def test_an_event_of_the_future_waits(workplace: Workplace) -> None:
    too_early = [timedelta(hours=1), timedelta(hours=30), timedelta(minutes=5, microseconds=1)]
    moments = [NOW + ahead for ahead in (*too_early, timedelta(minutes=5), timedelta())]
    since = datetime(1970, 1, 1, tzinfo=UTC)
    stamps = [(moment - since) // timedelta(microseconds=1) for moment in moments]
    late = [workplace.event(event_timestamp=stamp) for stamp in stamps]
    rows = [workplace.event(), *late]
    assert workplace.guard(rows, now=NOW).quarantined == {"in_the_future": len(too_early)}
    kept = {row["event_timestamp"] for row in workplace.kept("event_timestamp")}
    assert kept == {workplace.NOON, *stamps[len(too_early) :]}
    # the same rows again once their time has come
    again = workplace.guard(now=max(moments))
    assert (again.kept, again.reasons) == (len(rows), {})
