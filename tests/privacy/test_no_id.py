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
#: as exports write them
SPELLED = ["Unknown", "N/A", "\\N", "<NULL>", "NaN", " NULL ", " undefined"]


def test_nobody_is_a_visitor_or_a_member(workplace: Workplace) -> None:
    words = [*sorted(WORDS), *ZEROS, *SPELLED]
    moments = [workplace.NOON + n for n in range(len(words))]
    visitors, members = (
        [
            workplace.event(event_timestamp=moment, **{who: word})
            for moment, word in zip(moments, words, strict=True)
        ]
        for who in ("user_pseudo_id", "user_id")
    )
    fates = workplace.guard([*visitors, *members])
    assert (fates.kept, fates.cookieless) == (len(words), len(words))
    kept = workplace.kept("event_timestamp, login_key")
    logins = {words[row["event_timestamp"] - workplace.NOON]: row["login_key"] for row in kept}
    assert logins == dict.fromkeys(words)


@pytest.mark.slow
@given(st.lists(st.text(st.sampled_from("019.-abcnullf/"), min_size=1, max_size=12), min_size=1))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_else_is_given_is_an_id(workplace: Workplace, words: list[str]) -> None:
    somebody = {
        n for n, word in enumerate(words) if word.lower() not in WORDS and word.strip("0.-")
    }
    events = [
        workplace.event(user_pseudo_id=word, event_timestamp=workplace.NOON + n)
        for n, word in enumerate(words)
    ]
    fates = workplace.guard(events)
    kept = {row["event_timestamp"] - workplace.NOON for row in workplace.kept("event_timestamp")}
    assert kept == somebody
    assert (fates.kept, fates.cookieless) == (len(somebody), len(words) - len(somebody))


def test_the_list_is_documented() -> None:
    docs = Path(__file__).parents[2] / "docs" / "privacy-policy-and-lineage.md"
    told = docs.read_text(encoding="utf-8").lower()
    assert [word for word in sorted(WORDS) if word and f"`{word}`" not in told] == []
