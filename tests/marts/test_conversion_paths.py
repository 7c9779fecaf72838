"""The path table and the Markov chain's journeys: the SQL against the definitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.marts.markov import CONVERSION, NULL, START, Transitions

Told = dict[str, Any]
Steps = dict[date, Counter[tuple[str, str]]]

BEGIN = datetime(2025, 1, 1)  # noqa: DTZ001  the marts hold UTC without a zone
LOOKBACK, FIT = timedelta(days=30), 30
SESSION = {
    "session_key": "varchar",
    "session_date": "date",
    "started_at": "timestamp",
    "user_key": "varchar",
    "session_source": "varchar",
    "session_medium": "varchar",
    "session_campaign": "varchar",
    "channel_group": "varchar",
    "lineage_ids": "varchar[]",
}
PURCHASE = {
    "transaction_id": "varchar",
    "purchased_at": "timestamp",
    "purchase_date": "date",
    "user_key": "varchar",
    "session_key": "varchar",
    "revenue": "decimal(18,4)",
    "lineage_ids": "varchar[]",
}


on_sql = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@dataclass(frozen=True)
class Visit:
    """A session; ``bought`` minutes after its start there is a purchase, where it is one."""

    key: str
    user: str
    at: datetime
    channel: str
    bought: int | None = None


def _visits(told: list[tuple[str, int, str, int | None]]) -> list[Visit]:
    return [
        Visit(f"s{number:02}", user, BEGIN + timedelta(hours=hours), channel, bought)
        for number, (user, hours, channel, bought) in enumerate(told)
    ]


VISITS = st.lists(
    st.tuples(
        st.sampled_from("uv"),
        st.integers(0, 70 * 24),
        st.sampled_from("abc"),
        st.sampled_from((None, None, 0, 5)),
    ),
    max_size=14,
).map(_visits)


@dataclass
class Built:
    """The path table and the journeys' steps that come of visits."""

    con: duckdb.DuckDBPyConnection

    def paths(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for purchase, session in self.con.execute(
            "select transaction_id, session_key from int_conversion_paths"
            " order by transaction_id, touch_number"
        ).fetchall():
            found.setdefault(purchase, []).append(session)
        return found

    def steps(self) -> Steps:
        """From channel to channel, by day."""
        found: Steps = {}
        for day, source, target, count in self.con.execute(
            "from int_journey_transitions"
        ).fetchall():
            found.setdefault(day, Counter())[source, target] += count
        return found


@pytest.fixture
def built(build: Callable[..., Any], rows: Callable[..., str]) -> Callable[..., Built]:
    """Sessions and purchases through both models."""

    def run(visits: list[Visit]) -> Built:
        sessions = [
            {
                "session_key": v.key,
                "session_date": v.at.date(),
                "started_at": v.at,
                "user_key": v.user,
                "session_source": "x",
                "session_medium": "y",
                # a campaign is no state of the chain
                "session_campaign": v.key,
                "channel_group": v.channel,
                "lineage_ids": [f"l-{v.key}"],
            }
            for v in visits
        ]
        purchases = [
            {
                "transaction_id": f"T-{v.key}",
                "purchased_at": v.at + timedelta(minutes=v.bought),
                "purchase_date": v.at.date(),
                "user_key": v.user,
                "session_key": v.key,
                "revenue": 1,
                "lineage_ids": [f"l-{v.key}"],
            }
            for v in visits
            if v.bought is not None
        ]
        tables = {
            "fct_sessions": rows(SESSION, sessions),
            "int_purchases": rows(PURCHASE, purchases),
        }
        return Built(build(tables, "int_conversion_paths", "int_journey_transitions"))

    return run


def _day(at: datetime) -> date:
    return at.date()


def _bought_at(visit: Visit) -> datetime:
    assert visit.bought is not None
    return visit.at + timedelta(minutes=visit.bought)


def _path(purchase: Visit, visits: list[Visit]) -> list[Visit]:
    """By definition: the user's sessions of the 30 days before, its own among them."""
    at = _bought_at(purchase)
    touches = [v for v in visits if v.user == purchase.user and at - LOOKBACK <= v.at <= at]
    return sorted(touches, key=lambda v: (v.at, v.key))


def _known(day: date, visits: list[Visit]) -> Transitions:
    """By definition: the journeys that are known at the end of ``day``, of the last 30 days."""
    window = [v for v in visits if day - timedelta(days=FIT) < _day(v.at) <= day]
    bought = [v for v in visits if v.bought is not None and _day(v.at) <= day]
    journeys = [(_path(v, visits), 1.0, 0.0) for v in window if v.bought is not None]
    for user in {v.user for v in window}:
        last = max((_bought_at(v) for v in bought if v.user == user), default=datetime.min)  # noqa: DTZ901
        rest = [v for v in window if v.user == user and v.at > last]
        if rest:
            journeys.append((sorted(rest, key=lambda v: (v.at, v.key)), 0.0, 1.0))
    return Transitions.of(([v.channel for v in path], *counts) for path, *counts in journeys)


@on_sql
@given(VISITS)
def test_a_path_is_the_sessions_of_thirty_days_and_is_not_cut(
    built: Callable[..., Built], visits: list[Visit]
) -> None:
    expected = {
        f"T-{v.key}": [touch.key for touch in _path(v, visits)]
        for v in visits
        if v.bought is not None
    }
    assert built(visits).paths() == expected


@on_sql
@given(VISITS)
def test_a_day_s_chain_is_counted_from_the_journeys_known_by_its_end(
    built: Callable[..., Built], visits: list[Visit]
) -> None:
    expected = {}
    for day in {_day(v.at) for v in visits if v.bought is not None}:
        known = _known(day, visits)
        steps = zip(known.source, known.target, known.count, strict=True)
        expected[day] = Counter({(s, t): int(n) for s, t, n in steps if s != t and n})
    assert built(visits).steps() == expected


@pytest.mark.slow
@on_sql
@given(VISITS, st.integers(0, 70))
def test_what_comes_later_changes_nothing_of_a_day(
    built: Callable[..., Built], visits: list[Visit], days: int
) -> None:
    today = _day(BEGIN) + timedelta(days=days)
    then = built([v for v in visits if _day(v.at) <= today])
    now = built(visits)
    assert then.steps() == {day: steps for day, steps in now.steps().items() if day <= today}
    assert then.paths().items() <= now.paths().items()


def test_every_state_is_entered_as_often_as_it_is_left(built: Callable[..., Built]) -> None:
    told = [("uvw"[n % 3], 7 * n, "abc"[n % 2], 3 if n % 5 == 0 else None) for n in range(60)]
    for steps in built(_visits(told)).steps().values():
        for channel in "abc":
            entered = sum(n for (_, target), n in steps.items() if target == channel)
            left = sum(n for (source, _), n in steps.items() if source == channel)
            assert entered == left
        ends = sum(n for (_, target), n in steps.items() if target in (CONVERSION, NULL))
        assert ends == sum(n for (source, _), n in steps.items() if source == START)
