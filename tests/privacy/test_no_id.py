"""Words for "no id" make nobody a visitor, and an id is not mistaken for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.privacy.no_id import WORDS

Workplace = Any  # the fixture's type lives in conftest
ZEROS = ["0", "0.0", "000", "-", "--", "00000000-0000-0000-0000-000000000000"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "word",
    [*sorted(WORDS), *ZEROS, "Unknown", "N/A", "\\N", "<NULL>", "NaN", " NULL ", " undefined"],
)
def test_nobody_is_a_visitor_or_a_member(workplace: Workplace, word: str) -> None:
    fates = workplace.guard(
        [workplace.event(user_pseudo_id=word), workplace.event(event_name="b", user_id=word)]
    )
    assert (fates.kept, fates.cookieless) == (1, 1)
    assert workplace.kept("login_key") == [{"login_key": None}]


@pytest.mark.slow
@given(st.text(st.sampled_from("019.-abcnullf/"), min_size=1, max_size=12))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_else_is_given_is_an_id(workplace: Workplace, word: str) -> None:
    is_nobody = word.lower() in WORDS or not word.strip("0.-")
    fates = workplace.guard([workplace.event(user_pseudo_id=word)])
    assert (fates.kept, fates.cookieless) == (not is_nobody, is_nobody)


def test_the_list_is_documented() -> None:
    docs = Path(__file__).parents[2] / "docs" / "privacy-policy-and-lineage.md"
    told = docs.read_text(encoding="utf-8").lower()
    assert [word for word in sorted(WORDS) if word and f"`{word}`" not in told] == []
