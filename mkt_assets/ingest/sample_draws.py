"""How the sample source draws: seeded streams by day and stable numbers by key; no marketing here.

A day's rows depend on the seed, the day and the name of the stream only, never on which other days
are asked for. What belongs to a visitor for good (devices, consent) is hashed from its key instead,
so that any day can know it without generating the days before.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MICROS = 1_000_000
HOUR = 3600 * MICROS
DAY = 24 * HOUR

#: share of a day's visits that have begun by each full hour: quiet nights, busy evenings
_BEGUN_BY_HOUR = np.array(
    (
        *(0, 1.5, 2.4, 3, 3.4, 3.8, 4.6, 6.4, 9.6, 13.6, 18, 22.6, 27.8),
        *(33, 37.8, 42.6, 47.6, 53, 59, 66, 74, 82.4, 90, 96, 100),
    )
)


def stream(seed: int, day: date, name: str, part: int = 0) -> np.random.Generator:
    """The random numbers of one purpose on one day."""
    return np.random.default_rng([seed, day.toordinal(), zlib.crc32(name.encode()), part])


def unit(seed: int, name: str, *keys: Ints) -> Floats:
    """Uniform numbers in [0, 1) that are a function of the keys (splitmix64)."""
    salt = (seed * 0x9E3779B97F4A7C15 + zlib.crc32(name.encode())) & 0xFFFFFFFFFFFFFFFF
    state = np.full(len(keys[0]), salt, dtype=np.uint64)
    for key in keys:
        state = _mixed(state + key.astype(np.uint64))
    return np.asarray((state >> np.uint64(11)).astype(np.float64) / 2.0**53)


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(state ^ (state >> np.uint64(31)))


def pick(uniform: Floats, weights: Sequence[float]) -> Ints:
    """The index that each uniform number falls on, by weight."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    index = np.searchsorted(edges / edges[-1], uniform, side="right")
    return np.minimum(index, len(edges) - 1).astype(np.int64)


def time_of_day(uniform: Floats) -> Floats:
    """Shares of a day at which visits begin, by the daily rhythm."""
    return np.asarray(np.interp(uniform * 100, _BEGUN_BY_HOUR, np.arange(25)) / 24)


def day_bounds(day: date, timezone: str) -> tuple[int, int]:
    """First microsecond of ``day`` in ``timezone`` and of the day after, since 1970 in UTC."""
    zone = ZoneInfo(timezone)
    first, after = (
        round(datetime.combine(d, time(), zone).timestamp()) * MICROS
        for d in (day, day + timedelta(days=1))
    )
    return first, after
