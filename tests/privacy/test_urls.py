"""Addresses keep their page and their campaign, and nothing else."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.privacy.spelling import without_entities_sql
from mkt_assets.privacy.urls import (
    CAMPAIGN_PARAMETERS,
    CLICK_IDS,
    clean_url,
    clean_url_sql,
    click_ids_sql,
)


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://a.example/b", "https://a.example/b"),
        ("https://a.example/b?email=jane%40x.example&name=Jane+Doe", "https://a.example/b"),
        ("https://a.example/b#jane", "https://a.example/b"),
        ("https://jane:secret@a.example/b", "https://a.example/b"),
        ("https://jane:p@ss@a.example/b?x=1", "https://a.example/b"),
        ("//jane@a.example/b", "//a.example/b"),
        ("https://a.example/b;jsessionid=AB12/c?x", "https://a.example/b/c"),
        ("https://a.example/b%3Fname%3DJane", "https://a.example/b"),
        ("https://a.example/b%253Fname%253DJane", "https://a.example/b"),
        ("https://a.example/b%23name%3DJane", "https://a.example/b"),
        (
            "https://a.example/b?name=Jane&utm_source=news&gclid=X&utm_medium=email#utm_id=9",
            "https://a.example/b?utm_source=news&utm_medium=email",
        ),
        ("https://a.example/b?utm_jane=1&xutm_source=2", "https://a.example/b"),
        (
            "https://a.example/b?a=b?utm_source=c;utm_id=d",
            "https://a.example/b?utm_source=c&utm_id=d",
        ),
        ("https://a.example/utm_source=x", "https://a.example/utm_source=x"),
        ("", ""),
    ],
)
def test_cleaning(url: str, clean: str) -> None:
    assert clean_url(url) == clean
    assert in_sql([url]) == [clean]


PIECES = st.sampled_from(
    [
        *("https://", "//", "/", "\\", "a.example", "jane", "@", "?", "&", ";", "#", "="),
        *("%3F", "%2523", "utm_source=", "utm_jane=", "gclid=", "x", "\n", "\u00e9"),
    ]
)


@given(urls=st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=10))
@settings(max_examples=80, deadline=None)
def test_sql_and_python_agree(urls: list[str]) -> None:
    assert in_sql(urls) == [clean_url(url) for url in urls]


@given(url=st.lists(PIECES, max_size=12).map("".join))
def test_only_campaign_parameters_are_left(url: str) -> None:
    address, _, query = clean_url(url).partition("?")
    assert not set(address) & set("?#;")
    names = [parameter.partition("=")[0] for parameter in query.split("&") if query]
    assert set(names) <= set(CAMPAIGN_PARAMETERS)


@pytest.mark.parametrize("kind", CLICK_IDS)
def test_click_ids_are_named_never_told(kind: str) -> None:
    found = click_ids(
        [f"https://a.example/?x=1&{kind}=SECRET", f"https://a.example/?{kind.upper()}=S"]
    )
    assert found == [[kind], [kind]]
    empty, in_path, in_fragment = (f"?{kind}=", f"a/{kind}=x", f"?x=1#?{kind}=x")
    assert not any(click_ids([f"https://a.example/{u}" for u in (empty, in_path, in_fragment)]))


def test_all_click_ids_of_an_address_are_found() -> None:
    assert click_ids(["https://a.example/?msclkid=1&gclid=2;gbraid=3"]) == [
        ["msclkid", "gclid", "gbraid"]
    ]


def in_sql(urls: list[str]) -> list[str]:
    spelled = f"select {without_entities_sql('u')} as u from (select unnest(?::varchar[]) as u)"
    sql = f"select {clean_url_sql('u')} from ({spelled})"
    return [clean for (clean,) in duckdb.execute(sql, [urls]).fetchall()]


def click_ids(urls: list[str]) -> list[list[str] | None]:
    sql = f"select {click_ids_sql('u')} from (select unnest(?::varchar[]) as u)"
    return [found for (found,) in duckdb.execute(sql, [urls]).fetchall()]
