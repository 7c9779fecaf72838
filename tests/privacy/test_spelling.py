"""The plain spelling: alike in SQL and Python, stable, and honest names are no random runs."""

from __future__ import annotations

import base64
import random

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.privacy import pii
from mkt_assets.privacy.spelling import (
    RANDOM,
    plain,
    plain_sql,
    without_entities,
    without_entities_sql,
)

PIECES = st.sampled_from(
    [
        *(
            "%40",
            "%2540",
            "%2E",
            "%25",
            "40",
            "&#",
            "&amp;",
            "&#64;",
            "&#x40",
            "&commat;",
            ";",
            "&",
        ),
        *("\\u0040", "\\x40", "%26%2364%3B", "%C2%A0", "%EF%BC%A0", "\uff20", "\uff05", "\u0664"),
        *("\u200b", "\u3002", " ", "  ", "\t", "\n", "-", "_", "/", "+", "a", "B", "7", "amp-"),
        "Drmhze6EPcv0fN_81Bj-nA5kQx7wYtZ2uLs9GoVpIeM",
        "q83vEjRWeJCrze8SNFZ4kKvN+xI0VniQq83v/hI0VniQ",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=9).map("".join)
WORD = st.one_of(
    st.from_regex("[a-z]{1,9}[0-9]{0,4}", fullmatch=True),
    st.from_regex("[A-Z][a-z]{0,9}", fullmatch=True),
    st.from_regex("[A-Z]{1,6}[0-9]{0,4}", fullmatch=True),
    st.from_regex("[0-9]{1,4}[a-z]{0,4}", fullmatch=True),
)


@given(texts=st.lists(TEXTS, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_sql_and_python_spell_alike(texts: list[str]) -> None:
    texts = [text.replace("\x00", "") for text in texts]
    sql = f"select {plain_sql('t')}, {without_entities_sql('t')} from (select unnest($1) as t)"
    told = duckdb.execute(sql.replace("$1", "?::varchar[]"), [texts]).fetchall()
    assert told == [(plain(text), without_entities(text)) for text in texts]


@given(text=TEXTS)
@settings(max_examples=300, deadline=None)
def test_a_plain_text_stays(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@pytest.mark.slow
@given(words=st.lists(WORD, min_size=1, max_size=20), joint=st.sampled_from(["-", "_"]))
@settings(max_examples=300, deadline=None)
def test_words_joined_by_signs_are_no_random_run(words: list[str], joint: str) -> None:
    assert RANDOM not in plain(joint.join(words))


# a shorter run may look like a name by chance
@pytest.mark.parametrize(("size", "share"), [(24, 0.998), (32, 0.999), (64, 0.999)])
def test_random_tokens_are_found(size: int, share: float) -> None:
    draw = random.Random(size)
    tokens = [base64.urlsafe_b64encode(draw.randbytes(size)).decode() for _ in range(5000)]
    found = sum(pii.REDACTED in pii.redact(token.rstrip("=")) for token in tokens)
    assert found / len(tokens) > share


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("jane%2540example%2Ecom", "jane@example.com"),
        ("\uff14\u0661\u200b1", "411"),
        ("a\t b%C2%A0c", "a b c"),
        ("?plus=1&period=2", "?plus=1&period=2"),
    ],
)
def test_escapes_and_other_scripts_become_plain(text: str, spelled: str) -> None:
    assert plain(text) == spelled
