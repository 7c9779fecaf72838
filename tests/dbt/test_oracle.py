"""The oracle itself, on cases worked out by hand: what it says is what the marts are held to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_attribution import MODELS, path, shares
from oracle_purchases import purchases
from oracle_sessions import Session, Source, sessions

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
EVENT: dict[str, Any] = {"user_key": "u", "stream_id": "web", "event_name": "page_view"}


def at(day: float, number: int = 1, **other: Any) -> dict[str, Any]:
    """An event so many days after noon of the first, in a session of its own number."""
    moment = NOON + timedelta(days=day)
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    told = {"event_timestamp": micros, "event_date": moment.date(), "ga_session_id": number}
    return EVENT | told | {"event_key": f"{micros}{number}", "lineage_id": "l"} | other


def tagged(source: str, medium: str | None = None) -> dict[str, Any]:
    return {"param_source": source, "param_medium": medium}


def made(*events: dict[str, Any]) -> list[Session]:
    found = sessions(events, key_events=["purchase"], categories={"google": "search"})
    return sorted(found.values(), key=lambda session: session.started_at)


def test_a_session_s_source_is_the_first_that_is_one() -> None:
    events = [
        at(0, event_name="session_start", **tagged("wrong", "wrong")),
        at(0.01, **tagged("(direct)", "(none)")),
        at(0.02, **tagged("news", "email")),
        at(0.03, **tagged("google", "cpc")),
    ]
    assert made(*events)[0].source == Source("news", "email", "(not set)")
    late = events[3] | {"session_source": "google", "session_medium": "cpc"}
    assert made(*events[:3], late)[0].source == Source("google", "cpc", "(not set)")
    assert made(at(0))[0].source == Source("(direct)", "(none)", "(direct)")


@pytest.mark.parametrize(
    ("kind", "source", "medium"),
    [("wbraid", "google", "cpc"), ("srsltid", "google", "organic"), ("msclkid", "bing", "cpc")],
)
def test_a_click_id_overrides_guesses_only(kind: str, source: str, medium: str) -> None:
    for guess in (tagged("bing", "organic"), tagged("shop.example", "Referral"), {}):
        (session,) = made(at(0, click_id_type=kind, param_campaign="(organic)", **guess))
        assert session.source == Source(source, medium, "(not set)")
        (session,) = made(at(0, click_id_type=kind, param_campaign="(UK) shoes (broad)", **guess))
        assert session.source.campaign == "(UK) shoes (broad)"
    (session,) = made(at(0, click_id_type=kind, **tagged("news", "email")))
    assert session.source == Source("news", "email", "(not set)")


@pytest.mark.parametrize(("days", "found"), [(29, True), (30, True), (30.001, False), (31, False)])
def test_the_look_back_ends_after_30_days(days: float, found: bool) -> None:
    events = at(0, **tagged("google", "organic")), at(days, 2)
    last = made(*events)[-1]
    assert last.source.is_direct
    assert last.last_non_direct.source == ("google" if found else "(direct)")
    assert last.last_non_direct_channel_group == ("Organic Search" if found else "Direct")


def test_what_was_looked_back_for_is_not_handed_on() -> None:
    found = made(at(0, **tagged("google", "organic")), at(20, 2), at(40, 3))
    assert [s.last_non_direct.source for s in found] == ["google", "google", "(direct)"]


def test_of_several_the_latest_earlier_source_counts_and_only_the_user_s_own() -> None:
    events = [at(0, **tagged("google")), at(1, 2, **tagged("news")), at(2, 3)]
    events += [at(3, 4, **tagged("later")), at(1.5, 5, user_key="v", **tagged("other"))]
    assert made(*events)[3].last_non_direct.source == "news"


def test_ten_seconds_are_not_more_than_ten_seconds() -> None:
    for msec, engaged in ((10_000, False), (10_001, True)):
        (session,) = made(at(0, engagement_time_msec=msec))
        assert session.is_engaged is engaged
    assert made(at(0, session_engaged=True))[0].is_engaged
    assert made(at(0), at(0.01))[0].is_engaged


def bought(day: float, order: str | None, **other: Any) -> dict[str, Any]:
    return at(day, 9, event_name="purchase", transaction_id=order, **other)


def test_a_transaction_is_one_purchase_and_a_blank_one_for_each_user_and_time() -> None:
    events = [bought(1, "T", purchase_revenue="9"), bought(0, " T ", purchase_revenue="5")]
    events += [bought(0, blank, user_key=user) for user in "uv" for blank in (None, "(not set)")]
    found = purchases(events)
    assert len(found) == 3
    assert (found["T",].revenue, found["T",].purchase_date) == (5, date(2024, 3, 1))
    assert [p.duplicate_events for p in found.values()] == [1, 1, 1]


def test_credits_of_one_worked_path() -> None:
    visits = [at(0, 1, **tagged("a")), at(7, 2, **tagged("b")), at(14, 3), bought(14, "T")]
    (purchase,) = purchases(visits).values()
    touches = made(*visits[:3], at(-17, 4, **tagged("too early")), at(15, 5, **tagged("after")))
    assert [touch.key[2] for touch in path(purchase, touches)] == [1, 2, 3]
    expected = {
        "first_touch": [1, 0, 0],
        "last_touch": [0, 0, 1],
        "last_non_direct": [0, 1, 0],
        "linear": [1 / 3, 1 / 3, 1 / 3],
        "position_based": [0.4, 0.2, 0.4],
        "time_decay": [1 / 7, 2 / 7, 4 / 7],
    }
    for model, parts in expected.items():
        assert [part for _, part in shares(model, purchase, touches)] == pytest.approx(parts)
    assert shares("linear", purchase, []) == []


@given(days=st.lists(st.integers(-40, 3), min_size=1, max_size=9), model=st.sampled_from([*MODELS]))
def test_every_model_gives_a_purchase_away_once(days: list[int], model: str) -> None:
    touches = made(*(at(day, number) for number, day in enumerate(days)))
    (purchase,) = purchases([bought(0, "T")]).values()
    parts = [part for _, part in shares(model, purchase, touches)]
    assert all(part >= 0 for part in parts)
    assert sum(parts) == pytest.approx(1 if parts else 0)
