"""From day to day: who leaves the vault is on the remove list, and the lists share no key."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mkt_assets.privacy import vault
from mkt_assets.privacy.match_keys import GOOGLE_ADS, match_key
from mkt_assets.privacy.pseudonyms import Key, pseudonym

Vault = Any  # the fixture's type lives in conftest
KEY, OTHER_KEY = Key("k1", bytes(range(32))), Key("k2", bytes(32))
FIRST = date(2025, 3, 1)
YES, NO = ("granted", "granted"), ("denied", "granted")


def at(day: int) -> datetime:
    return datetime(2025, 3, day, 9, tzinfo=UTC)


def of(who: str, address: str, key: Key = KEY) -> tuple[str, str]:
    return pseudonym(who, key), match_key("email", address, GOOGLE_ADS).value


def keys(safe: Vault) -> set[tuple[str, str]]:
    return {(user, key) for user, _, key in safe.stored_keys()}


A, B = of("a", "a@x.com"), of("b", "b@x.com")
BOTH = [("a", "a@x.com", None), ("b", "b@x.com", None)]


def test_who_withdraws_is_on_the_list_and_who_grants_again_leaves_it(safe: Vault) -> None:
    log = [("a", at(1), *YES), ("b", at(1), *YES)]
    safe.bring_up_to(date(2025, 3, 1), BOTH, log)
    log.append(("a", at(2), *NO))
    fates = safe.bring_up_to(date(2025, 3, 2), BOTH, log)
    assert (keys(safe), safe.removed()) == ({B}, {A: vault.WITHDRAWN})
    assert fates.dropped == {"no_ad_consent": 1}
    [line] = safe.rows(vault.REMOVE_LIST)
    assert (line["since"], line["expires_on"]) == (date(2025, 3, 2), date(2025, 4, 1))
    safe.bring_up_to(date(2025, 3, 3), BOTH, log)
    assert safe.rows(vault.REMOVE_LIST) == [line]
    log.append(("a", at(3), *YES))
    safe.bring_up_to(date(2025, 3, 4), BOTH, log)
    assert (keys(safe), safe.removed()) == ({A, B}, {})
    stored = {row["user_key"]: row["first_stored_on"] for row in safe.rows(vault.MATCH_KEYS)}
    assert stored == {A[0]: date(2025, 3, 4), B[0]: date(2025, 3, 1)}


def test_an_empty_log_is_nobody_s_consent(safe: Vault) -> None:
    safe.bring_up_to(FIRST, BOTH, [("a", at(1), *YES)])
    safe.bring_up_to(FIRST, BOTH, [])
    assert (keys(safe), safe.removed()) == (set(), {A: vault.WITHDRAWN})


def test_a_key_expires_with_its_grant_and_a_line_with_its_day(safe: Vault) -> None:
    log = [("a", at(1), *YES)]
    safe.bring_up_to(FIRST, BOTH, log, retention_days=5)
    safe.bring_up_to(date(2025, 3, 5), BOTH, log, retention_days=5)
    assert keys(safe) == {A}
    fates = safe.bring_up_to(date(2025, 3, 6), BOTH, log, retention_days=5)
    assert fates.dropped == {"grant_too_old": 1, "no_ad_consent": 1}
    assert (keys(safe), safe.removed()) == (set(), {A: vault.EXPIRED})
    safe.bring_up_to(date(2025, 3, 11), BOTH, log, retention_days=5)
    assert (keys(safe), safe.removed()) == (set(), {})


def test_a_grant_that_is_confirmed_keeps_its_key(safe: Vault) -> None:
    log = [("a", at(1), *YES), ("a", at(4), *YES)]
    safe.bring_up_to(FIRST, BOTH, log[:1], retention_days=5)
    safe.bring_up_to(date(2025, 3, 6), BOTH, log, retention_days=5)
    assert keys(safe) == {A}


@pytest.mark.parametrize("now", [[], [("a", "new@x.com", None)]])
def test_an_address_that_is_not_given_any_more_is_removed(safe: Vault, now: list[Any]) -> None:
    log = [("a", at(1), *YES)]
    safe.bring_up_to(FIRST, [("a", "a@x.com", None)], log)
    safe.bring_up_to(date(2025, 3, 2), now, log)
    assert safe.removed() == {A: vault.CHANGED}
    assert keys(safe) == {of(who, address) for who, address, _ in now}


def test_a_shared_address_is_lost_when_one_holder_withdraws(safe: Vault) -> None:
    shared = [("a", "ab@x.com", None), ("b", "AB@x.com", None)]
    log = [("a", at(1), *YES), ("b", at(1), *YES)]
    safe.bring_up_to(FIRST, shared, log)
    assert len(keys(safe)) == 2
    log.append(("a", at(2), *NO))
    fates = safe.bring_up_to(date(2025, 3, 2), shared, log)
    assert (keys(safe), safe.removed()) == (set(), {of("a", "ab@x.com"): vault.WITHDRAWN})
    assert fates.dropped == {"no_ad_consent": 1, "withdrawn_by_another_holder": 1}
    log.append(("b", at(3), *YES))
    safe.bring_up_to(date(2025, 3, 3), shared, log)
    assert (keys(safe), safe.removed()) == ({of("b", "ab@x.com")}, {})


def test_an_address_that_moves_to_another_person_stays(safe: Vault) -> None:
    log = [("a", at(1), *YES), ("b", at(1), *YES)]
    safe.bring_up_to(FIRST, [("a", "ab@x.com", None)], log)
    safe.bring_up_to(date(2025, 3, 2), [("b", "ab@x.com", None)], log)
    assert (keys(safe), safe.removed()) == ({of("b", "ab@x.com")}, {})


def test_another_pseudonym_key_loses_neither_people_nor_their_withdrawals(safe: Vault) -> None:
    log = [("a", at(1), *YES), ("b", at(1), *YES)]
    safe.bring_up_to(FIRST, BOTH, log)
    log.append(("b", at(2), *NO))
    safe.bring_up_to(date(2025, 3, 2), BOTH, log, key=OTHER_KEY)
    assert keys(safe) == {of("a", "a@x.com", OTHER_KEY)}
    assert safe.removed() == {B: vault.WITHDRAWN}
    assert [row["first_stored_on"] for row in safe.rows(vault.MATCH_KEYS)] == [FIRST]


def test_a_kill_between_the_two_files_loses_nobody(
    safe: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = [("a", at(1), *YES), ("b", at(1), *YES)]
    safe.bring_up_to(FIRST, BOTH, log)
    log.append(("a", at(2), *NO))
    write = vault.write

    def killed(lake: Any, table: str, *rest: Any) -> None:
        if table == vault.MATCH_KEYS:
            raise KeyboardInterrupt
        write(lake, table, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(vault, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            safe.bring_up_to(date(2025, 3, 2), BOTH, log)
    assert safe.removed() == {A: vault.WITHDRAWN}
    safe.bring_up_to(date(2025, 3, 3), BOTH, log)
    assert (keys(safe), safe.removed()) == ({B}, {A: vault.WITHDRAWN})
    assert [row["since"] for row in safe.rows(vault.REMOVE_LIST)] == [date(2025, 3, 2)]


WHO = st.sampled_from(["a", "b", "c"])
ADDRESSES = st.sampled_from(["one@x.com", "two@x.com", "three@x.com"])
ENTRIES = st.tuples(WHO, st.integers(1, 9), st.sampled_from([YES, NO]))
TURNS = st.lists(st.lists(st.tuples(WHO, ADDRESSES, st.none()), max_size=4), min_size=2, max_size=4)
RETENTION = 4
ONE = ("a", "one@x.com", None)


@pytest.mark.slow
@given(turns=TURNS, entries=st.lists(ENTRIES, max_size=8))
@example(turns=[[], [], [ONE], [ONE]], entries=[("a", 3, YES), ("a", 7, YES)])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whoever_leaves_is_on_the_remove_list(
    safe: Vault, turns: list[list[Any]], entries: list[Any]
) -> None:
    """The contacts change every second day, the log grows; the lists account for everybody."""
    shutil.rmtree(safe.lake.vault, ignore_errors=True)
    before: set[tuple[str, str]] = set()
    since: dict[tuple[str, str], date] = {}
    for turn, contacts in enumerate(turns):
        day = FIRST + timedelta(days=2 * turn + 1)
        log = [(who, at(n), *said) for who, n, said in entries if at(n).date() <= day]
        safe.bring_up_to(day, contacts, log, retention_days=RETENTION)
        now, leaving = keys(safe), safe.rows(vault.REMOVE_LIST)
        since = {pair: since.get(pair, day) for pair in now}
        listed = {line["match_key"] for line in leaving}
        assert safe.not_granted() == {}
        assert not listed & {key for _, key in now}
        for user, key in before - now:
            assert key in listed | {other for _, other in now}, user
        for row in safe.rows(vault.MATCH_KEYS):
            # whoever grants again while the key is stored has it stored for longer
            latest = max(at for who, at, *_ in log if pseudonym(who, KEY) == row["user_key"]).date()
            assert day < row["expires_on"] == latest + timedelta(days=RETENTION)
            assert row["first_stored_on"] == since[row["user_key"], row["match_key"]]
        assert all(day < line["expires_on"] for line in leaving)
        before = now
