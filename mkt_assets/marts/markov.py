"""Markov attribution: how much of the conversion probability goes when a touchpoint goes.

A first-order absorbing chain over touchpoints, in the marts channels (Anderl, Becker, von
Wangenheim, Schumann: Mapping the customer journey, IJRM 33, 2016). Numpy only; what stays out:
which journeys there are, and how a conversion is split (SQL).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mkt_assets.errors import MktError

#: states that are no touchpoints
START, CONVERSION, NULL = "(start)", "(conversion)", "(null)"
_STATES = frozenset({START, CONVERSION, NULL})

Journey = tuple[Sequence[str], float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Transitions:
    """How often ``source[i]`` was followed by ``target[i]``: 1-D arrays of one length.

    ``source`` is a touchpoint or START; ``target`` a touchpoint, CONVERSION or NULL. A pair may
    occur more than once. A touchpoint followed by itself changes nothing: where a chain goes once
    it leaves a state does not depend on how long it stayed.
    """

    source: NDArray[np.object_]
    target: NDArray[np.object_]
    count: Floats

    @classmethod
    def of(cls, journeys: Iterable[Journey]) -> Transitions:
        """The steps of journeys, each (touchpoints, converting count, non-converting count)."""
        steps: dict[tuple[str, str], float] = {}
        for touchpoints, converting, lost in journeys:
            path = [START, *touchpoints]
            pairs = [(pair, converting + lost) for pair in pairwise(path)]
            pairs += [((path[-1], CONVERSION), converting), ((path[-1], NULL), lost)]
            for pair, count in pairs:
                steps[pair] = steps.get(pair, 0.0) + count
        return cls(
            np.array([source for source, _ in steps], dtype=object),
            np.array([target for _, target in steps], dtype=object),
            np.array(list(steps.values()), dtype=np.float64),
        )


@dataclass(frozen=True)
class _Chain:
    """Transition probabilities: from START (n), between touchpoints (n, n), to CONVERSION (n)."""

    touchpoints: list[str]
    first: Floats
    between: Floats
    converts: Floats
    converts_at_once: float


def _chain(transitions: Transitions) -> _Chain:
    names = sorted({*transitions.source, *transitions.target} - _STATES)
    size = len(names)
    place = {name: at for at, name in enumerate(names)}
    place |= {START: size, CONVERSION: size + 1, NULL: size + 2}
    rows = np.array([place[name] for name in transitions.source], dtype=np.int64)
    columns = np.array([place[name] for name in transitions.target], dtype=np.int64)
    counts = np.zeros((size + 1, size + 3))
    np.add.at(counts, (rows, columns), transitions.count)
    np.fill_diagonal(counts, 0.0)
    totals = counts.sum(axis=1)
    stuck = [name for name in names if totals[place[name]] <= 0]
    if stuck:
        raise MktError(
            f"{len(stuck)} of {size} touchpoints lead nowhere: every journey must end in "
            "CONVERSION or NULL"
        )
    shares = counts / np.where(totals > 0, totals, 1.0)[:, None]
    return _Chain(
        names,
        shares[size, :size],
        shares[:size, :size],
        shares[:size, size + 1],
        float(shares[size, size + 1]),
    )


def conversion_probability(transitions: Transitions) -> float:
    """The chance that a journey converts; 0 without any journey."""
    chain = _chain(transitions)
    converts = np.linalg.solve(np.eye(len(chain.touchpoints)) - chain.between, chain.converts)
    return float(chain.first @ converts + chain.converts_at_once)


def removal_effects(transitions: Transitions) -> dict[str, float]:
    """The share of conversions that is lost with each touchpoint, from 0 to 1.

    Removing a touchpoint i sends all that would reach it to NULL, so what is lost are the journeys
    that ever visit i and convert thereafter. With the fundamental matrix ``N = (I - Q)^-1`` that is
    ``N[start, i] / N[i, i] * P(conversion from i)``: one inverse for all touchpoints.

    Returns:
        touchpoint -> effect, in the order of names; all 0 where no journey converts. Effects do not
        sum to 1: see ``effect_shares``.

    Raises:
        MktError: a touchpoint is followed by nothing.

    The matrix is as well conditioned as journeys are short: its error grows with the number of
    touches that a journey is expected to have, about 1e-15 times that.
    """
    chain = _chain(transitions)
    fundamental = np.linalg.inv(np.eye(len(chain.touchpoints)) - chain.between)
    converts = fundamental @ chain.converts
    whole = float(chain.first @ converts + chain.converts_at_once)
    if whole <= 0:
        return dict.fromkeys(chain.touchpoints, 0.0)
    visited = chain.first @ fundamental / np.diag(fundamental)
    effects = np.clip(visited * converts / whole, 0.0, 1.0)
    return dict(zip(chain.touchpoints, effects.tolist(), strict=True))


def effect_shares(effects: Mapping[str, float]) -> dict[str, float]:
    """Effects scaled to sum to 1, the textbook's split of all conversions; equal where all are 0.

    The marts split each conversion by the effects of its own path instead, so that credit stays
    with touchpoints that were there.
    """
    whole = sum(effects.values())
    if whole <= 0:
        return dict.fromkeys(effects, 1 / max(len(effects), 1))
    return {name: effect / whole for name, effect in effects.items()}
