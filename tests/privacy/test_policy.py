"""The written policy: SQL and Python agree on every combination, and unset is never granted."""

from __future__ import annotations

from itertools import product
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkt_assets.errors import MktError
from mkt_assets.privacy.policy import (
    ADVERTISING,
    DENIED,
    GRANTED,
    POLICY_V1,
    SIGNALS,
    UNSET,
    Policy,
    UnsetMeans,
    combined,
    combined_sql,
    is_upstream,
    privacy_info_sql,
)

STATES = (GRANTED, DENIED, UNSET)


@pytest.mark.parametrize(("event", "log"), list(product(STATES, STATES)))
def test_a_denial_in_either_wins_and_one_grant_is_enough(event: str, log: str) -> None:
    told = duckdb.execute(
        f"select {combined_sql('event', 'log')} from (select ? as event, ? as log)", [event, log]
    ).fetchall()[0][0]
    assert told == combined(event, log)
    assert (told == DENIED) == (DENIED in (event, log))
    assert told != GRANTED or GRANTED in (event, log)


def test_a_missing_log_entry_counts_as_unset() -> None:
    sql = f"select {combined_sql('event', 'null::varchar')} from (values (?)) as t(event)"
    assert [duckdb.execute(sql, [s]).fetchall()[0][0] for s in STATES] == list(STATES)


@pytest.mark.parametrize("unset_means", ["not_granted", "granted"])
@pytest.mark.parametrize("needs", [("analytics_storage",), ("analytics_storage", "ad_storage")])
def test_refusal_is_the_same_in_sql_and_python(
    needs: tuple[str, ...], unset_means: UnsetMeans
) -> None:
    policy = Policy(version="t", analysis_needs=needs, unset_means=unset_means)
    for states in product(STATES, repeat=len(SIGNALS)):
        signals = dict(zip(SIGNALS, states, strict=True))
        columns = ", ".join(f"'{state}' as {signal}" for signal, state in signals.items())
        sql = f"select {policy.refusal_sql()} from (select {columns})"
        assert duckdb.execute(sql).fetchall()[0][0] == policy.refusal(signals)
        passing = {GRANTED, UNSET} if unset_means == "granted" else {GRANTED}
        allowed = all(signals[need] in passing for need in needs)
        assert (policy.refusal(signals) is None) == allowed


@pytest.mark.parametrize("unset_means", ["not_granted", "granted"])
def test_advertising_needs_every_signal_granted_whatever_unset_means(
    unset_means: UnsetMeans,
) -> None:
    policy = Policy(version="t", unset_means=unset_means)
    both = {"ad_user_data": GRANTED, "ad_personalization": GRANTED}
    assert policy.allows_activation(both)
    for need, state in product(both, (DENIED, UNSET)):
        assert not policy.allows_activation(both | {need: state})
    assert not policy.allows_activation({})


SETS = st.lists(st.sampled_from(SIGNALS), min_size=1, max_size=6).map(tuple)
#: advertising always needs the two signals that are about it, and may need more
ADS = st.lists(st.sampled_from(SIGNALS), max_size=4).map(lambda more: (*ADVERTISING, *more))
RULES = st.tuples(SETS, ADS, st.sampled_from(["not_granted", "granted"]))


@given(one=RULES, other=RULES)
def test_equal_stamps_mean_equal_rules(one: Any, other: Any) -> None:
    same = [set(part) for part in one[:2]] == [set(part) for part in other[:2]]
    same = same and one[2] == other[2]
    assert (Policy("2", *one).stamp == Policy("2", *other).stamp) == same
    assert Policy("2", *one).stamp != Policy("3", *one).stamp


@pytest.mark.parametrize("needs", [("ad_storage",), ADVERTISING[:1], ADVERTISING[1:]])
def test_less_than_both_ad_signals_is_no_policy(needs: tuple[str, ...]) -> None:
    with pytest.raises(MktError, match="advertising always needs"):
        Policy(version="2", activation_needs=needs)


@given(rules=RULES)
def test_version_1_is_its_own_rules_or_nothing(rules: Any) -> None:
    first = (set(POLICY_V1.analysis_needs), set(POLICY_V1.activation_needs), POLICY_V1.unset_means)
    if (set(rules[0]), set(rules[1]), rules[2]) == first:
        assert Policy("1", *rules).stamp == "1"
    else:
        with pytest.raises(MktError, match="MKT_POLICY_VERSION"):
            Policy("1", *rules)


def test_the_stamp_of_version_1_is_what_ledgers_hold() -> None:
    assert POLICY_V1.stamp == "1"


@pytest.mark.parametrize(
    ("word", "signal"),
    [
        ("Yes", GRANTED),
        (" yes ", GRANTED),
        ("No", DENIED),
        ("Unset", UNSET),
        ("", UNSET),
        (None, UNSET),
        ("perhaps", None),
        ("1", None),
    ],
)
def test_words_of_privacy_info(word: str | None, signal: str | None) -> None:
    sql = f"select {privacy_info_sql('word')} from (select ?::varchar as word)"
    assert duckdb.execute(sql, [word]).fetchall() == [(signal,)]


def test_a_consent_basis_must_fit_the_inputs() -> None:
    assert is_upstream("upstream: collected by the shop's banner", has_log=False)
    assert not is_upstream("privacy_info", has_log=False)
    assert not is_upstream("privacy_info+consent_log", has_log=True)
    for basis, has_log in (
        ("upstream: ", False),
        ("trust me", False),
        ("privacy_info", True),
        ("consent_log", False),
    ):
        with pytest.raises(MktError, match="consent"):
            is_upstream(basis, has_log=has_log)


def test_a_policy_names_known_signals_only() -> None:
    with pytest.raises(MktError, match="marketing"):
        Policy(version="2", analysis_needs=("marketing",))
    for version in ("", "a b", "x" * 33):
        with pytest.raises(MktError, match="version"):
            Policy(version=version)
    with pytest.raises(MktError, match="not_granted"):
        Policy(version="2", unset_means="maybe")  # type: ignore[arg-type]


@given(rules=RULES)
def test_the_statement_names_the_stamp_and_every_signal_it_asks_for(rules: Any) -> None:
    policy = Policy("2", *rules)
    told = policy.statement()
    assert all(n in told for n in (*policy.analysis_needs, *policy.activation_needs))
    assert f"Policy {policy.stamp}." in told
    assert ("counts as granted" in told) == (policy.unset_means == "granted")
    assert "for advertising, a signal that was never set is never granted" in told
