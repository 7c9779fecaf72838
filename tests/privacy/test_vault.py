"""The vault's files: closed to others, replaced whole, forgetful and re-keyable at any point."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake
from mkt_assets.privacy import vault

Vault = Any  # the fixture's type lives in conftest
DAY = date(2025, 3, 10)
YES = ("granted", "granted")
NINE = datetime(2025, 3, 9, 9, tzinfo=UTC)
CONTACTS = [("a", "a@x.com", "+12025550142"), ("b", "b@x.com", None), ("c", "c@x.com", None)]


@pytest.fixture
def filled(safe: Vault) -> Vault:
    """Two people have keys, the third withdrew."""
    log = [(who, NINE, *YES) for who in "abc"]
    safe.bring_up_to(DAY, CONTACTS, log)
    safe.bring_up_to(
        DAY, CONTACTS, [*log, ("c", datetime(2025, 3, 10, tzinfo=UTC), "denied", None)]
    )
    return safe


def people(safe: Vault, table: str) -> list[str]:
    return sorted({row["user_key"] for row in safe.rows(table)})


def test_only_its_owner_may_enter(filled: Vault) -> None:
    modes = {path: path.stat().st_mode & 0o777 for path in filled.lake.vault.rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert filled.lake.vault.stat().st_mode & 0o777 == 0o700
    assert vault.open_places(filled.lake) == []


@pytest.mark.parametrize(
    ("place", "mode"),
    [(".", 0o755), ("match_keys", 0o710), ("match_keys/meta.parquet", 0o640)],
)
def test_what_others_may_enter_is_refused_by_every_function(
    filled: Vault, place: str, mode: int
) -> None:
    path = filled.lake.vault / place
    path.chmod(mode)
    calls = (
        lambda: vault.prepare(filled.lake),
        lambda: vault.counts(filled.lake),
        lambda: vault.rows_of(filled.lake, {"x"}),
        lambda: vault.forget(filled.lake, {"x"}),
        lambda: vault.rekey(filled.lake, {"x": "y"}, "k2"),
        lambda: vault.expire(filled.lake, DAY, 30),
    )
    for call in calls:
        with pytest.raises(MktError, match=f"mode {mode:04o}"):
            call()
    assert path.stat().st_mode & 0o777 == mode
    assert len(vault.open_places(filled.lake)) == 1


def test_nothing_stored_is_nothing_found(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert vault.forget(lake, {"x"}) == {}
    assert vault.rekey(lake, {"x": "y"}, "k2") == {}
    assert vault.expire(lake, DAY, 30) == {}
    found = vault.rows_of(lake, {"x"})
    assert list(found.columns) == ["destination", "kind", "match_key"]
    assert found.empty
    assert not lake.vault.exists()


def test_the_forgotten_are_in_no_file_and_the_others_stay(filled: Vault) -> None:
    [a, b] = people(filled, vault.MATCH_KEYS)
    [c] = people(filled, vault.REMOVE_LIST)
    handed_over = vault.rows_of(filled.lake, {a, b, c})
    assert sorted(handed_over["kind"]) == ["email"] * 6 + ["phone"] * 2
    of_b = sum(row["user_key"] == b for row in filled.rows(vault.MATCH_KEYS))
    assert vault.forget(filled.lake, {b, c, "nobody"}) == {
        "match_keys/google_ads": of_b,
        "match_keys/meta": of_b,
        "remove_list/google_ads": 1,
        "remove_list/meta": 1,
    }
    assert people(filled, vault.MATCH_KEYS) == [a]
    assert people(filled, vault.REMOVE_LIST) == []
    assert vault.rows_of(filled.lake, {b, c}).empty
    once = filled.bytes()
    assert sum(vault.forget(filled.lake, {b, c}).values()) == 0
    assert filled.bytes() == once


def test_rekeying_by_parts_ends_where_rekeying_at_once_does(filled: Vault) -> None:
    everyone = people(filled, vault.MATCH_KEYS) + people(filled, vault.REMOVE_LIST)
    mapping = {old: old[::-1] for old in everyone}
    before = filled.rows(vault.MATCH_KEYS)
    part = dict(list(mapping.items())[:1])
    told = vault.rekey(filled.lake, part, "k2")
    assert sum(told.values()) >= 2
    assert {row["key_id"] for row in filled.rows(vault.MATCH_KEYS)} == {"k1", "k2"}
    vault.rekey(filled.lake, mapping, "k2")
    assert sum(vault.rekey(filled.lake, mapping, "k2").values()) == 0
    after = filled.rows(vault.MATCH_KEYS)
    expected = [row | {"user_key": mapping[row["user_key"]], "key_id": "k2"} for row in before]
    assert sorted(after, key=str) == sorted(expected, key=str)
    assert {row["key_id"] for row in filled.rows(vault.REMOVE_LIST)} == {"k2"}


def test_rekeying_onto_a_row_that_is_there_keeps_one(filled: Vault) -> None:
    [a, _] = people(filled, vault.MATCH_KEYS)
    before = len(filled.rows(vault.MATCH_KEYS))
    rows = vault.read(filled.lake, vault.MATCH_KEYS, "meta")
    twin = rows.set_column(0, "user_key", [[a[::-1]] * len(rows)])
    vault.write(filled.lake, vault.MATCH_KEYS, "meta", pa.concat_tables([rows, twin]))
    vault.rekey(filled.lake, dict.fromkeys(people(filled, vault.MATCH_KEYS), a[::-1]), "k2")
    found = filled.rows(vault.MATCH_KEYS, "meta")
    assert len(found) == before
    assert {row["user_key"] for row in found} == {a[::-1]}


def test_retention_needs_no_contacts(filled: Vault) -> None:
    """Where contacts are not given any more, the vault still empties."""
    assert sum(vault.expire(filled.lake, DAY, 30).values()) == 0
    everyone = people(filled, vault.MATCH_KEYS) + people(filled, vault.REMOVE_LIST)
    gone = vault.expire(filled.lake, date(2025, 4, 8), 30)
    assert gone["match_keys/meta"] == 3
    assert filled.rows(vault.MATCH_KEYS) == []
    assert people(filled, vault.REMOVE_LIST) == sorted(everyone)
    assert sorted(set(filled.removed().values())) == [vault.EXPIRED, vault.WITHDRAWN]
    vault.expire(filled.lake, date(2025, 5, 8), 30)
    assert vault.counts(filled.lake) == {}


def test_counts_tell_kinds_and_reasons_but_no_key(filled: Vault) -> None:
    assert vault.counts(filled.lake) == {
        "match_keys/google_ads/email": 2,
        "match_keys/google_ads/phone": 1,
        "match_keys/meta/email": 2,
        "match_keys/meta/phone": 1,
        "remove_list/google_ads/withdrawn": 1,
        "remove_list/meta/withdrawn": 1,
    }


def test_what_a_kill_leaves_half_written_is_closed_too(
    filled: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def killed(_: Any, path: Path, **__: Any) -> None:
        seen.append(path.stat().st_mode & 0o777)
        raise KeyboardInterrupt

    monkeypatch.setattr(vault.pq, "write_table", killed)
    with pytest.raises(KeyboardInterrupt):
        vault.forget(filled.lake, set(people(filled, vault.MATCH_KEYS)))
    assert seen == [0o600]
