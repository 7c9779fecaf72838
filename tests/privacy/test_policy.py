"""The written policy: SQL and Python agree on every combination, and unset is never granted."""

from __future__ import annotations

from itertools import product

import duckdb
import pytest

from mkt_assets.errors import MktError
from mkt_assets.privacy.policy import (
    DENIED,
    GRANTED,
    POLICY_V1,
    SIGNALS,
    UNSET,
    Policy,
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


@pytest.mark.parametrize("needs", [("analytics_storage",), ("analytics_storage", "ad_storage")])
def test_refusal_is_the_same_in_sql_and_python(needs: tuple[str, ...]) -> None:
    policy = Policy(version="t", analysis_needs=needs)
    for states in product(STATES, repeat=len(SIGNALS)):
        signals = dict(zip(SIGNALS, states, strict=True))
        columns = ", ".join(f"'{state}' as {signal}" for signal, state in signals.items())
        sql = f"select {policy.refusal_sql()} from (select {columns})"
        assert duckdb.execute(sql).fetchall()[0][0] == policy.refusal(signals)
        if policy.refusal(signals) is None:
            assert all(signals[need] == GRANTED for need in needs)


def test_advertising_needs_both_signals_granted() -> None:
    both = {"ad_user_data": GRANTED, "ad_personalization": GRANTED}
    assert POLICY_V1.allows_activation(both)
    for need, state in product(both, (DENIED, UNSET)):
        assert not POLICY_V1.allows_activation(both | {need: state})
    assert not POLICY_V1.allows_activation({})


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
    with pytest.raises(MktError):
        Policy(version="")


def test_the_statement_names_every_signal_it_asks_for() -> None:
    told = POLICY_V1.statement()
    assert all(n in told for n in (*POLICY_V1.analysis_needs, *POLICY_V1.activation_needs))
