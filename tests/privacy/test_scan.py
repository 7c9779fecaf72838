"""The scan finds a canary wherever a table, a document or a file can hold one, and names it not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.contracts import REGISTRY, forms_of, lake_columns
from mkt_assets.contracts.forms import FORMS
from mkt_assets.privacy.scan import Scanned, scan_tables
from mkt_assets.privacy.scan_texts import Named, named_in_json, named_in_page, scan_named

EMAIL, PHONE = "jane.doe@example.com", "+49 151 23456789"
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def scanned(con: Any, query: str, **forms: str) -> list[tuple[str, str, int]]:
    named = {name.replace("__", "[]."): form for name, form in forms.items()}
    found = scan_tables(con, [Scanned(f"({query})", "here", named)])
    assert all(f.place == "here" for f in found)
    return [(f.column, f.kind, f.count) for f in found]


@pytest.mark.parametrize(
    ("value", "column"),
    [
        ("'{}'", "c"),
        ("['a', '{}']", "c[]"),
        ("[['{}'], ['b']]", "c[][]"),
        ("{{'f': '{}', 'n': 1}}", "c.f"),
        ("[{{'f': 'x', 'g': {{'h': ['{}']}}}}]", "c[].g.h[]"),
        ("map {{'{}': 1}}", "c[key]"),
        ("map {{'k': ['{}']}}", "c[][]"),
        ("'{}'::blob", "c"),
        ("to_json({{'f': '{}'}})", "c"),
        ("['{}']::varchar[1]", "c[]"),
    ],
)
def test_text_is_found_however_deep_it_lies(con: Any, value: str, column: str) -> None:
    query = f"select {value.format(EMAIL)} as c union all select null union all select null"
    assert scanned(con, query) == [(column, "email", 1)]


def test_rows_are_counted_by_column_and_kind(con: Any) -> None:
    query = f"select unnest(['{EMAIL}', '{EMAIL}', 'x {PHONE}', 'fine', null]) as a, '{HASH}' as b"
    assert scanned(con, query) == [("a", "email", 2), ("a", "phone", 1), ("b", "token", 5)]


def test_what_is_judged_harmless_in_one_column_hides_nothing_in_another(con: Any) -> None:
    """Numbers as long as a card's that no network issues, more than are judged of one column."""
    numbers = "select '9' || lpad(i::varchar, 15, '0') as a"
    query = f"{numbers}, if(i = 1, '{EMAIL}', 'fine') as b from range(6000) as t(i)"
    assert scanned(con, query) == [("b", "email", 1)]


def test_a_column_with_an_odd_name_is_scanned_too(con: Any) -> None:
    assert scanned(con, f'select \'{EMAIL}\' as "say ""it""."') == [('say "it".', "email", 1)]


def test_an_empty_table_and_one_without_text_are_clean(con: Any) -> None:
    assert scanned(con, "select 'x' as a where false") == []
    assert scanned(con, "select 1 as a, date '2025-01-01' as b") == []


def test_a_key_is_held_against_its_form_and_not_exempt(con: Any) -> None:
    query = f"select unnest(['{HASH}', '{HASH[:32]}', '{EMAIL}', null]) as k"
    assert scanned(con, query, k="pseudonym") == [("k", "not of its form (pseudonym)", 2)]
    assert scanned(con, f"select ['{HASH}'] as k", k="sha256") == []
    assert scanned(con, f"select ['ln_{HASH[:32]}', 'ln_1'] as k", k="lineage") == [
        ("k[]", "not of its form (lineage)", 1)
    ]


def test_codes_are_searched_for_what_is_no_code(con: Any) -> None:
    query = "select unnest(['4006381333931', '012345678905', 'T-1']) as c"
    assert scanned(con, query, c="code") == []
    assert scanned(con, query) == [("c", "phone", 1)]
    assert scanned(con, f"select '{EMAIL}' as c", c="code") == [("c", "email", 1)]
    nested = f"select [{{'item_id': '012345678905', 'item_name': '{EMAIL}'}}] as items"
    assert scanned(con, nested, items__item_id="code") == [("items[].item_name", "email", 1)]


def test_an_order_number_may_be_what_stands_in_for_one(con: Any) -> None:
    stand_ins = f"['txn_{HASH[:32]}', '[redacted]-{HASH[:16]}', 'T1']"
    assert scanned(con, f"select unnest({stand_ins}) as c", c="order") == []
    assert scanned(con, f"select '{HASH}' as c", c="order") == [("c", "token", 1)]


def test_numbers_inside_of_json_are_no_text(con: Any) -> None:
    value = json.dumps({"revenue": 123456.1234567891})
    assert scanned(con, f"select '{value}' as c", c="json") == []
    assert scanned(con, f"select '{value}' as c") == [("c", "client_id", 1)]
    value = json.dumps({"revenue": 1, "name": [EMAIL]})
    assert scanned(con, f"select '{value}' as c", c="json") == [("c", "email", 1)]


@pytest.mark.slow
@given(texts=st.lists(st.text(max_size=12), max_size=8))
@settings(max_examples=40, deadline=None)
def test_any_text_can_be_scanned(con: Any, texts: list[str]) -> None:
    """One canary among any texts is found once, and nothing breaks."""
    told = [text.replace("\x00", "") for text in texts]
    con.execute("create or replace temp table t as select unnest(?::varchar[]) as c", [told])
    before = scanned(con, "from t")
    con.execute("insert into t values (?)", [f"see {EMAIL}"])
    assert [f for f in scanned(con, "from t") if f not in before] == [("c", "email", 1)]


def test_a_finding_never_tells_the_value(con: Any) -> None:
    found = scan_tables(con, [Scanned(f"(select '{EMAIL}' as c)", "here", {})])
    found += scan_named([Named(f"of {EMAIL}", f"{PHONE}")], "there")
    assert len(found) == 2
    assert "jane" not in " ".join(f.as_line() for f in found)
    assert "151" not in " ".join(f.as_line() for f in found)


def named(value: Any, *, is_tools: bool = False) -> list[tuple[str, str]]:
    texts = named_in_json(json.dumps(value), is_tools=is_tools)
    return [(f.column, f.kind) for f in scan_named(texts, "here")]


def test_json_is_searched_in_values_and_keys() -> None:
    assert named({"a": [{"b": EMAIL}], "c": 1}) == [("b", "email")]
    assert named({EMAIL: 1}) == [("(keys)", "email")]
    assert named([PHONE]) == [("", "phone")]


def test_keys_in_json_are_held_against_their_forms() -> None:
    assert named({"idempotency_key": HASH, "lineage_ids": [f"ln_{HASH[:32]}"]}) == []
    assert named({"idempotency_key": EMAIL}) == [("idempotency_key", "not of its form (sha256)")]
    assert named({"other": HASH}) == [("other", "token")]
    assert named({"said": f"lineage ln_{HASH[:32]} is not in the ledger"}) == []


def test_of_a_tools_file_only_our_own_words_are_read_as_prose() -> None:
    entry = {"label": "preview", "entry_data": {"__class__": "MarkdownMetadata", "md_str": HASH}}
    event = {"data_version": HASH, "metadata_entries": [entry], "message": f"call {PHONE}"}
    assert named(event, is_tools=True) == [("message", "phone"), ("preview", "token")]
    check = {"metadata": {"who": {"__class__": "TextMetadataValue", "text": EMAIL}}}
    assert named(check, is_tools=True) == [("who", "email")]
    assert named({"data_version": EMAIL}, is_tools=True) == [("data_version", "email")]


def test_a_picture_is_no_text_and_what_stands_beside_it_is() -> None:
    picture = f"![chart](data:image/png;base64,{'iVBORw0KGgo' * 20}==)"
    assert named({"chart": picture}) == []
    assert named({"chart": f"{picture} {EMAIL}"}) == [("chart", "email")]


def test_a_page_is_read_without_its_geometry() -> None:
    page = (
        '<svg viewBox="0 0 300 200 3000"><path d="M300 200 3000L1 2"/></svg>'
        f'<a href="mailto:{EMAIL}">call {PHONE}</a><!-- {HASH} --><p>100 &lt; 200</p>'
    )
    found = [(f.column, f.kind) for f in scan_named(named_in_page(page), "here")]
    assert found == [("comment", "token"), ("href", "email"), ("text", "phone")]


def test_every_key_of_the_contracts_has_a_form() -> None:
    assert forms_of("events")["user_key"] == "pseudonym"
    assert forms_of("events")["items[].item_id"] == "code"
    assert forms_of("fct_sessions")["session_key"] == "md5"
    assert forms_of("publication")["lineage_ids"] == "lineage"
    # the warehouse keeps the tables between sources and marts, and `mkt scan` reads them
    assert forms_of("int_conversion_paths")["user_key"] == "pseudonym"
    assert forms_of("unheard_of") == {}
    assert set(FORMS).isdisjoint({"code", "order", "json"})


def test_a_pseudonym_is_marked_as_one_for_people_too() -> None:
    marked = {c.name for c in lake_columns("events") if c.privacy == "pseudonym"}
    assert marked == {"user_key", "login_key"}
    keys = {(t.name, c.name) for t in REGISTRY.values() for c in t.columns if c.form == "pseudonym"}
    private = {
        (t.name, c.name) for t in REGISTRY.values() for c in t.columns if c.privacy != "none"
    }
    assert keys == private == {("audience_segments", "user_key")}
