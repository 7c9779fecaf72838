"""Daily counts of three invented A/B tests: without effect, with one, and with a broken split."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from mkt_assets.ingest.sample_campaigns import demand
from mkt_assets.ingest.sample_draws import stream


@dataclass(frozen=True)
class Trial:
    """A test within a month: its first day, length, true effect and true share of arm A."""

    name: str
    first_day: int
    days: int
    lift: float
    share_a: float


TRIALS = (
    Trial("A/A check", 1, 21, 0.0, 0.5),
    Trial("Free shipping banner", 1, 28, 0.30, 0.5),
    # the variant's redirect loses visitors
    Trial("One-page checkout", 8, 14, 0.0, 0.54),
)
EXPECTED_SHARE = 0.5
CONVERSION_RATE = 0.06
#: new visitors in a test on a day, as a share of the day's events
_USERS_PER_EVENT = 0.2
_ORDER_MEAN, _ORDER_SPREAD = 4.1, 0.6

SCHEMA = pa.schema(
    [
        ("test", pa.string()),
        ("day", pa.date32()),
        ("arm", pa.string()),
        ("expected_share", pa.float64()),
        ("users", pa.int64()),
        ("conversions", pa.int64()),
        ("revenue", pa.float64()),
        ("revenue_sq", pa.float64()),
    ]
)


def month_of_tests(upto: date) -> date:
    """The first day of the newest month whose tests had all ended before ``upto``."""
    first = upto.replace(day=1)
    if upto.day > max(trial.first_day + trial.days - 1 for trial in TRIALS):
        return first
    return (first - timedelta(days=1)).replace(day=1)


def experiments(upto: date, *, seed: int, events_per_day: int) -> pa.Table:
    """The three tests of the newest finished month, a row for each test, day and arm."""
    month = month_of_tests(upto)
    rows: list[dict[str, object]] = []
    for trial in TRIALS:
        for offset in range(trial.days):
            day = month + timedelta(days=trial.first_day - 1 + offset)
            rows += _day_of(trial, day, seed, events_per_day)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _day_of(trial: Trial, day: date, seed: int, events_per_day: int) -> list[dict[str, object]]:
    rng = stream(seed, day, f"test {trial.name}")
    users = int(rng.poisson(events_per_day * _USERS_PER_EVENT * demand(day)))
    in_a = int(rng.binomial(users, trial.share_a))
    rows: list[dict[str, object]] = []
    for arm, exposed, lift in (("A", in_a, 0.0), ("B", users - in_a, trial.lift)):
        converted = int(rng.binomial(exposed, CONVERSION_RATE * (1 + lift)))
        orders = np.round(rng.lognormal(_ORDER_MEAN, _ORDER_SPREAD, converted), 2)
        rows.append(
            {
                "test": f"{trial.name} {day:%Y-%m}",
                "day": day,
                "arm": arm,
                "expected_share": EXPECTED_SHARE,
                "users": exposed,
                "conversions": converted,
                "revenue": round(float(orders.sum()), 2),
                "revenue_sq": round(float((orders**2).sum()), 4),
            }
        )
    return rows
