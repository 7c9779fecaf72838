"""Keys that never show and pseudonyms that agree between Python and SQL."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
import traceback
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.errors import MktError
from mkt_assets.privacy.pseudonyms import (
    Key,
    KeyRing,
    canonical,
    load_or_create,
    make_pseudonyms,
    pseudonym,
)
from mkt_assets.privacy.quiet import quietly

SECRET = "5e" * 32
TEXTS = st.text(max_size=40)


def in_sql(values: list[str], key: Key) -> dict[str, str]:
    with duckdb.connect() as con:
        con.register("given", pa.table({"raw": pa.array(values, pa.string())}))
        make_pseudonyms(con, identifiers="select raw from given", key=key, table="made")
        return dict(con.execute("select raw, pseudonym from made").fetchall())


@given(values=st.lists(TEXTS, max_size=8), secret=st.binary(min_size=32, max_size=130))
@settings(max_examples=40, deadline=None)
def test_sql_and_python_agree(values: list[str], secret: bytes) -> None:
    key = Key("k", secret)
    made = in_sql(values, key)
    assert made == {value: pseudonym(value, key) for value in values if canonical(value)}


@given(value=TEXTS, secret=st.binary(min_size=32, max_size=130))
def test_it_is_hmac_sha256_of_the_canonical_value(value: str, secret: bytes) -> None:
    expected = hmac.new(secret, canonical(value).encode(), hashlib.sha256).hexdigest()
    assert pseudonym(value, Key("k", secret)) == expected


def test_the_published_vector_of_rfc_4231() -> None:
    key = Key("k", b"\x0b" * 20)
    expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    assert pseudonym("Hi There", key) == expected
    assert in_sql(["Hi There"], key) == {"Hi There": expected}


@pytest.mark.slow
@given(value=TEXTS)
def test_a_hash_is_not_hashed_again(value: str) -> None:
    key = Key("k", b"s" * 32)
    once = pseudonym(value, key)
    assert pseudonym(once, key) == once
    assert pseudonym(once.upper(), key) == once
    assert in_sql([once.upper()], key) == {once.upper(): once}


@given(value=TEXTS)
def test_canonical_is_stable(value: str) -> None:
    assert canonical(canonical(value)) == canonical(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (" Jane.Doe@Example.com ", "jane.doe@example.com"),
        ("\uff4aane@example.com", "jane@example.com"),
        ("\u00a0abc\t", "abc"),
        ("cafe\u0301", "caf\u00e9"),
    ],
)
def test_spellings_of_one_person_are_one(one: str, other: str) -> None:
    key = Key("k", b"s" * 32)
    assert pseudonym(one, key) == pseudonym(other, key)
    assert len(set(in_sql([one, other], key).values())) == 1


def test_only_addresses_are_lower_cased() -> None:
    assert canonical("ABC") != canonical("abc")


def test_no_key_is_left_in_the_connection() -> None:
    with duckdb.connect() as con:
        make_pseudonyms(con, identifiers="select 'x' as raw", key=Key("k", b"s" * 32), table="made")
        assert con.execute("select table_name from duckdb_tables()").fetchall() == [("made",)]


def test_the_first_key_is_active() -> None:
    ring = KeyRing.from_json(json.dumps({"new": SECRET, "old": "ab" * 40}))
    assert ring.active.id == "new"
    assert ring.key("old").secret == bytes.fromhex("ab" * 40)
    with pytest.raises(MktError, match="'gone'"):
        ring.key("gone")


@pytest.mark.parametrize(
    "text",
    [
        "",
        SECRET,
        f'{{"k1": "{SECRET}"',
        f'["{SECRET}"]',
        f'"{SECRET}"',
        "{}",
        json.dumps({"k1": SECRET[:-2]}),
        json.dumps({"k1": SECRET[:-1]}),
        json.dumps({"k1": SECRET + "zz"}),
        json.dumps({"k1": {"secret": SECRET}}),
        json.dumps({"k1": 5}),
        json.dumps({SECRET: "k1"}),
        json.dumps({"": SECRET}),
        f'{{"k1": "{SECRET}", "k1": "{"6f" * 32}"}}',
    ],
)
def test_malformed_keys_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(MktError) as caught:
        KeyRing.from_json(text)
    # frames are left out: they show this file's own lines
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    told = "".join(str(error) for error in chain if error)
    assert SECRET[:16] not in told
    assert "6f6f" not in told


def test_a_key_does_not_show_itself() -> None:
    ring = KeyRing.from_json(json.dumps({"k1": SECRET}))
    assert SECRET[:8] not in repr(ring)
    assert repr(ring.active.secret) not in repr(ring)


def test_a_key_file_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "sample.json"
    old = os.umask(0)
    try:
        ring = load_or_create(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create(path) == ring
    assert list(path.parent.iterdir()) == [path]
    assert load_or_create(tmp_path / "other.json") != ring


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "sample.json"
    load_or_create(path)
    path.chmod(mode)
    with pytest.raises(MktError, match="chmod 600"):
        load_or_create(path)


def test_a_failed_query_tells_neither_values_nor_statement() -> None:
    with duckdb.connect() as con, pytest.raises(MktError) as caught:
        quietly(con, "select cast(? as integer), 'jane'", ["jane@example.com"])
    shown = "".join(traceback.format_exception_only(caught.value))
    assert "jane" not in shown
    assert "ConversionException" in shown
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
