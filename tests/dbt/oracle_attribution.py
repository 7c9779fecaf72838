"""Paths to purchase and the rule-based credits, as plain Python, from the issue's definitions.

A path is the user's sessions that began at or before the purchase and at most 30 days before it, in
order. Shapley's value is worked out coalition by coalition. What stays out: Markov, whose laws are
tested where it is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import combinations
from math import factorial

from oracle_purchases import Purchase
from oracle_sessions import Session

WINDOW = timedelta(days=30)
HALF_LIFE = timedelta(days=7)
ENDS, MIDDLE = 0.4, 0.2


def path(purchase: Purchase, sessions: Iterable[Session]) -> list[Session]:
    """The touches before a purchase; sessions of one instant by their key."""
    end = purchase.purchased_at
    touches = [
        session
        for session in sessions
        if session.key[0] == purchase.user_key and end - WINDOW <= session.started_at <= end
    ]
    return sorted(touches, key=lambda touch: (touch.started_at, str(touch.key)))


def first(touches: list[Session], _: datetime) -> list[float]:
    return [float(place == 0) for place in range(len(touches))]


def last(touches: list[Session], _: datetime) -> list[float]:
    return first(touches, _)[::-1]


def last_non_direct(touches: list[Session], at: datetime) -> list[float]:
    """The last touch that is not direct; a path of nothing but direct is credited as it is."""
    named = [place for place, touch in enumerate(touches) if not touch.source.is_direct]
    if not named:
        return last(touches, at)
    return [float(place == named[-1]) for place in range(len(touches))]


def linear(touches: list[Session], _: datetime) -> list[float]:
    return [1 / len(touches)] * len(touches)


def position(touches: list[Session], at: datetime) -> list[float]:
    """40/20/40; of two touches each has half."""
    if len(touches) < 3:
        return linear(touches, at)
    middle = [MIDDLE / (len(touches) - 2)] * (len(touches) - 2)
    return [ENDS, *middle, ENDS]


def time_decay(touches: list[Session], at: datetime) -> list[float]:
    weights = [2 ** -((at - touch.started_at) / HALF_LIFE) for touch in touches]
    return [weight / sum(weights) for weight in weights]


MODELS: dict[str, Callable[[list[Session], datetime], list[float]]] = {
    "first_touch": first,
    "last_touch": last,
    "last_non_direct": last_non_direct,
    "linear": linear,
    "position_based": position,
    "time_decay": time_decay,
}


def shares(
    model: str, purchase: Purchase, sessions: Iterable[Session]
) -> list[tuple[Session, float]]:
    """Each touch of a purchase with its share; none where no session is known before it."""
    touches = path(purchase, sessions)
    if not touches:
        return []
    return list(zip(touches, MODELS[model](touches, purchase.purchased_at), strict=True))


def game_of_channels(paths: Iterable[frozenset[str]]) -> dict[str, float]:
    """Shapley's value of each channel, where a coalition is worth the paths that lie inside it."""
    found = list(paths)
    players = sorted(frozenset().union(*found))
    size = len(players)

    def worth(coalition: frozenset[str]) -> int:
        return sum(channels <= coalition for channels in found)

    coalitions = [frozenset(c) for n in range(size + 1) for c in combinations(players, n)]
    worths = {coalition: worth(coalition) for coalition in coalitions}
    return {
        player: sum(
            factorial(len(others))
            * factorial(size - len(others) - 1)
            / factorial(size)
            * (worths[others | {player}] - worths[others])
            for others in coalitions
            if player not in others
        )
        for player in players
    }
