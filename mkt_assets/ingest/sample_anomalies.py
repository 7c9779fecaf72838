"""What goes wrong in the sample, known beforehand: three faults in each calendar month.

A month's faults follow from the seed and the month, so any range of days holds the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from mkt_assets.ingest.sample_draws import stream

#: positions in CAMPAIGNS: a drop needs enough purchases to show, a spike or a gap steady spend
_DROPPABLE = (0, 1, 4)
_STEADY = (0, 1, 2, 3, 4, 6, 7, 8, 9)
#: where in a month a fault may begin: the first day and how many days to choose from; the longest
#: fault (5 days) ends before the next part begins, and all end before the 29th
_PARTS = ((3, 4), (12, 4), (20, 4))


@dataclass(frozen=True)
class Anomaly:
    """A planted fault; ``campaign`` is the position in CAMPAIGNS, ``end`` is inclusive.

    ``magnitude`` is the factor on spend of a spike and the share lost otherwise.
    """

    campaign: int
    metric: str
    type: str
    start: date
    end: date
    magnitude: float


def month_anomalies(year: int, month: int, seed: int) -> tuple[Anomaly, ...]:
    """The three faults of a calendar month, each on a campaign of its own."""
    rng = stream(seed, date(year, month, 1), "anomalies")
    dropped = int(rng.choice(_DROPPABLE))
    spiked, paused = (int(c) for c in rng.permutation([c for c in _STEADY if c != dropped])[:2])
    faults = (
        (spiked, "spend", "spend_spike", 1, rng.uniform(3.0, 4.5)),
        (
            dropped,
            "conversions",
            "performance_drop",
            int(rng.integers(4, 6)),
            rng.uniform(0.8, 0.95),
        ),
        (paused, "spend", "zero_spend", 2, 1.0),
    )
    parts = rng.permutation(len(_PARTS))
    planted = []
    for (campaign, metric, kind, days, magnitude), part in zip(faults, parts, strict=True):
        first, choices = _PARTS[part]
        start = date(year, month, first + int(rng.integers(choices)))
        end = start + timedelta(days=days - 1)
        planted.append(Anomaly(campaign, metric, kind, start, end, round(float(magnitude), 2)))
    return tuple(sorted(planted, key=lambda anomaly: anomaly.start))


def anomalies_between(start: date, end: date, seed: int) -> Iterator[Anomaly]:
    """The faults that touch the days ``start`` to ``end`` (inclusive), by their first day."""
    month = start.replace(day=1)
    while month <= end:
        for anomaly in month_anomalies(month.year, month.month, seed):
            if anomaly.start <= end and anomaly.end >= start:
                yield anomaly
        month = (month + timedelta(days=31)).replace(day=1)
