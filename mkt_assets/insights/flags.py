"""What a detector hands over: verdicts per day and campaign, before they become events."""

from __future__ import annotations

from dataclasses import dataclass

from mkt_assets.insights.grid import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Flags:
    """Verdicts of one type as (days, campaigns) matrices.

    ``at[t, c]``: on day t the evidence suffices; it speaks of the days ``start`` to ``last``
    (indices, ``last`` <= t), with ``score`` in standard deviations. ``expected`` and ``actual``
    are per day; with ``exposure`` they are counts whose ratio to it is the metric.
    """

    type: str
    metric: str
    at: BoolArray
    start: IntArray
    last: IntArray
    score: FloatArray
    expected: FloatArray
    actual: FloatArray
    #: an event goes on while flags are no more than this many quiet days apart
    gap: int
    exposure: FloatArray | None = None
