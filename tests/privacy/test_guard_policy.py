"""The policy exactly: an oracle in plain Python beside the guard, on random events and logs."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.privacy.policy import POLICY_V1, Policy
from mkt_assets.privacy.pseudonyms import Key, pseudonym

Workplace = Any  # the fixture's type lives in conftest
NOON = int(datetime(2025, 3, 10, 12, tzinfo=UTC).timestamp() * 1e6)
HOUR = 3_600_000_000
KEY = Key("k1", bytes(range(32)))
UPSTREAM = "upstream: the shop's banner asked everyone"


def at(timestamp: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=timestamp)


WORDS = {"Yes": "granted", "No": "denied", "Unset": "unset", None: "unset"}
TIMES = [NOON + hours * HOUR for hours in (-2, -1, 0, 1)]
PEOPLE = ["1.1", "2.2", "3.3"]
LOGGED = st.sampled_from(["granted", "denied", None])


Case = tuple[list[dict[str, Any]], list[tuple[Any, ...]]]


@st.composite
def events_and_log(draw: st.DrawFn) -> Case:
    word = st.sampled_from(list(WORDS))
    rows = [
        {
            "user_pseudo_id": draw(st.sampled_from([*PEOPLE, None, ""])),
            "event_timestamp": draw(st.sampled_from(TIMES)),
            "privacy_info": draw(
                st.none()
                | st.fixed_dictionaries(
                    {
                        "analytics_storage": word,
                        "ads_storage": word,
                        "uses_transient_token": st.sampled_from(["No", "No", "Yes"]),
                    }
                )
            ),
        }
        for _ in range(draw(st.integers(0, 10)))
    ]
    moments = draw(
        st.lists(
            st.tuples(st.sampled_from(PEOPLE), st.sampled_from(TIMES)), unique=True, max_size=8
        )
    )
    log = [(who, at(when), *(draw(LOGGED) for _ in range(4))) for who, when in moments]
    return rows, log


def side_by_side(cases: list[Case]) -> Case:
    """Cases of people of their own in one partition and one log: a guard costs the same for all."""
    rows: list[dict[str, Any]] = []
    log: list[tuple[Any, ...]] = []
    for case, (events, entries) in enumerate(cases):
        for event in events:
            who = event["user_pseudo_id"] and f"{case}.{event['user_pseudo_id']}"
            named = {"user_pseudo_id": who, "event_bundle_sequence_id": len(rows)}
            rows.append(event | named)
        log += [(f"{case}.{who}", *said) for who, *said in entries]
    return rows, log


#: the first policy, one that asks for more, and two for which unset is a grant
POLICIES = [
    POLICY_V1,
    Policy("2", ("analytics_storage", "ad_storage")),
    Policy("3", unset_means="granted"),
    Policy("4", ("ad_user_data", "ad_storage"), unset_means="granted"),
]


def oracle(
    row: dict[str, Any], log: list[tuple[Any, ...]], *, upstream: bool, policy: Policy
) -> tuple[str, dict[str, str]]:
    """What must become of a row, and its signals: the policy as a person would read it."""
    info = row["privacy_info"] or {}
    before = sorted(
        (entry[1:] for entry in log if entry[0] == row["user_pseudo_id"]), key=lambda e: e[0]
    )
    before = [entry for entry in before if entry[0] <= at(row["event_timestamp"])]

    def latest(column: int) -> str | None:
        """An entry changes the signals that it names, and no other."""
        return next((e[column] for e in reversed(before) if e[column] is not None), None)

    said = {
        "analytics_storage": (WORDS[info.get("analytics_storage")], latest(2)),
        "ad_storage": (WORDS[info.get("ads_storage")], latest(1)),
        "ad_user_data": ("unset", latest(3)),
        "ad_personalization": ("unset", latest(4)),
    }
    signals = {
        signal: "denied" if "denied" in words else "granted" if "granted" in words else "unset"
        for signal, words in said.items()
    }
    if upstream and signals["analytics_storage"] == "unset":
        signals["analytics_storage"] = "granted"
    if not row["user_pseudo_id"] or info.get("uses_transient_token") == "Yes":
        return "cookieless", signals
    asked = {signals[need] for need in policy.analysis_needs}
    if "denied" in asked:
        return "consent_denied", signals
    if "unset" in asked and policy.unset_means == "not_granted":
        return "consent_unset", signals
    return "kept", signals


@pytest.mark.slow
@pytest.mark.parametrize("upstream", [False, True])
@given(cases=st.lists(events_and_log(), min_size=1, max_size=8), policy=st.sampled_from(POLICIES))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_the_policy_allows_is_kept_and_nothing_else(
    workplace: Workplace, upstream: bool, policy: Policy, cases: list[Case]
) -> None:
    rows, log = side_by_side(cases)
    workplace.log(log)
    basis = {"consent_basis": UPSTREAM} if upstream else {}
    fates = workplace.guard([workplace.event(**row) for row in rows], policy=policy, **basis)
    judged = [oracle(row, log, upstream=upstream, policy=policy) for row in rows]

    told = Counter(fate for fate, _ in judged)
    assert (fates.rows_in, fates.kept, fates.cookieless) == (
        len(rows),
        told["kept"],
        told["cookieless"],
    )
    assert fates.dropped == {f: n for f, n in sorted(told.items()) if f.startswith("consent_")}

    names = (
        "user_key, event_timestamp, analytics_storage, ad_storage, ad_user_data, ad_personalization"
    )
    kept = Counter(tuple(row.values()) for row in workplace.kept(names))
    allowed = Counter(
        (pseudonym(row["user_pseudo_id"], KEY), row["event_timestamp"], *signals.values())
        for row, (fate, signals) in zip(rows, judged, strict=True)
        if fate == "kept"
    )
    assert kept == allowed


def test_a_policy_may_ask_for_more(workplace: Workplace) -> None:
    policy = Policy(version="2", analysis_needs=("analytics_storage", "ad_storage"))
    info = {"analytics_storage": "Yes", "ads_storage": "Yes"}
    rows = [workplace.event(), workplace.event(privacy_info=info)]
    assert workplace.guard(rows, policy=policy).dropped == {"consent_unset": 1}
    assert workplace.guard(rows, policy=POLICY_V1).dropped == {}


def test_an_explicit_no_beats_the_statement_about_upstream(workplace: Workplace) -> None:
    rows = [
        workplace.event(privacy_info=None),
        workplace.event(privacy_info={"analytics_storage": "No"}, user_pseudo_id="9"),
    ]
    fates = workplace.guard(rows, consent_basis=UPSTREAM)
    assert (fates.kept, fates.dropped) == (1, {"consent_denied": 1})
    (row,) = workplace.kept()
    assert (row["analytics_storage"], row["ad_user_data"]) == ("granted", "unset")
