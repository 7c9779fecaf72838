"""Made-up campaigns with known anomalies, and a scorer of events; for benchmarks/anomalies.py.

A year of daily rows per campaign. Ordinary life is in it: weekday habits of each campaign's own,
shared sale and quiet days at random dates, budgets that step and caps that bind, rates that
wander, weekly and monthly pauses, missing days, refunds. What is labelled is only what was put in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

TYPES = ("spend_spike", "revenue_spike", "performance_drop", "ctr_decline", "zero_spend")
#: kind of campaign: median daily spend, cost of a thousand impressions, click rate, conversion
#: rate, basket
KINDS = {
    "search": (330.0, 30.0, 0.050, 0.060, 70.0),
    "social": (450.0, 9.0, 0.011, 0.020, 55.0),
    "video": (390.0, 6.0, 0.004, 0.012, 80.0),
    "newsletter": (60.0, 4.0, 0.030, 0.030, 45.0),
    "shopping": (270.0, 14.0, 0.022, 0.028, 65.0),
}
#: how much a day's conversion rate varies by itself (log)
DAILY_SD = 0.18
#: days of each event, at least and at most, and its size
LENGTHS = {
    "spend_spike": (1, 2),
    "revenue_spike": (1, 2),
    "performance_drop": (3, 10),
    "ctr_decline": (18, 40),
    "zero_spend": (1, 4),
}
SIZES = {
    "spend_spike": (1.8, 6.0),
    "revenue_spike": (1.8, 5.0),
    "performance_drop": (0.35, 0.85),
    "ctr_decline": (0.15, 0.5),
    "zero_spend": (1.0, 1.0),
}
#: no event lies in the first weeks, nor so near to another
QUIET_START, QUIET_BETWEEN = 42, 6
#: an event counts as found from so many days beside the label
TOLERANCE = {"ctr_decline": 7}
#: an event longer than this many times the label finds nothing: no blanket alarms
LONGEST = 3


@dataclass
class Truth:
    """Daily rows and labels (campaign, type, start, end, size).

    ``due``, where known, is per day and campaign the mean of conversions given the clicks, had
    there been no event: what only the generator knows.
    """

    daily: pd.DataFrame
    labels: pd.DataFrame
    due: pd.DataFrame | None = None

    @property
    def years(self) -> float:
        """Campaign-years of the rows."""
        return len(self.daily) / 365.25


def generate(seed: int, campaigns: int = 12, days: int = 365, events: float = 3.0) -> Truth:
    """Campaigns of one account with ``events`` labelled events per campaign-year."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2023-03-01", periods=days)
    season = _season(rng, days)
    frames, labels = [], []
    for number in range(campaigns):
        kind = list(KINDS)[int(rng.integers(len(KINDS)))]
        name = f"{kind}_{number:04d}"
        planned = _events(rng, days, events)
        frame = _campaign(rng, dates, KINDS[kind], season, planned)
        frame.insert(1, "channel", kind)
        frame.insert(2, "campaign", name)
        frames.append(frame)
        labels += [
            (name, type_, dates[first], dates[last], size) for type_, first, last, size in planned
        ]
    columns = ["campaign", "type", "start", "end", "size"]
    daily = pd.concat(frames).sort_values(["date", "campaign"], ignore_index=True)
    due = daily.pivot_table(index="date", columns="campaign", values="due")
    known = pd.DataFrame(labels, columns=columns)
    known = known.astype({"start": "datetime64[ns]", "end": "datetime64[ns]"})
    return Truth(daily.drop(columns="due"), known, due)


def _events(
    rng: np.random.Generator, days: int, yearly: float
) -> list[tuple[str, int, int, float]]:
    out: list[tuple[str, int, int, float]] = []
    taken = np.zeros(days, dtype=bool)
    for _ in range(rng.poisson(yearly * days / 365)):
        type_ = TYPES[int(rng.integers(len(TYPES)))]
        length = int(rng.integers(LENGTHS[type_][0], LENGTHS[type_][1] + 1))
        size = float(np.exp(rng.uniform(*np.log(SIZES[type_]))))
        for _attempt in range(30):
            first = int(rng.integers(min(QUIET_START, days // 3), max(days - length, 1) + 1))
            last = first + length - 1
            near = slice(max(first - QUIET_BETWEEN, 0), last + QUIET_BETWEEN + 1)
            if last < days and not taken[near].any():
                taken[first : last + 1] = True
                out.append((type_, first, last, size))
                break
    return out


def _season(rng: np.random.Generator, days: int) -> np.ndarray:
    """What all campaigns share: a slow wave, some sales and some quiet days, at random dates."""
    wave = 0.12 * np.sin(2 * np.pi * (np.arange(days) / 365 + rng.random()))
    for _ in range(rng.poisson(8 * days / 365)):
        first, length = int(rng.integers(days)), int(rng.integers(1, 12))
        wave[first : first + length] += rng.choice([-0.35, -0.15, 0.15, 0.25, 0.45])
    return wave


def _wander(rng: np.random.Generator, days: int, sd: float, kept: float) -> np.ndarray:
    """An autocorrelated log series with a heavy-tailed step (Student t with 5 degrees)."""
    steps = rng.standard_t(5, days) * sd * np.sqrt((1 - kept**2) * 3 / 5)
    out = np.zeros(days)
    for day in range(1, days):
        out[day] = kept * out[day - 1] + steps[day]
    return out


def _campaign(
    rng: np.random.Generator,
    dates: pd.DatetimeIndex,
    kind: tuple[float, ...],
    season: np.ndarray,
    events: list[tuple[str, int, int, float]],
) -> pd.DataFrame:
    days = len(dates)
    level = [value * np.exp(rng.normal(0, 0.9 if i == 0 else 0.2)) for i, value in enumerate(kind)]
    spend_level, cpm, ctr, cvr, basket = level
    weekday = dates.day_of_week.to_numpy()
    factor = {name: np.ones(days) for name in ("spend", "ctr", "cvr", "basket")}
    for type_, first, last, size in events:
        _put_in(rng, factor, type_, slice(first, last + 1), size)
    habit = rng.normal(0, 0.12, 7)[weekday], rng.normal(0, 0.15, 7)[weekday]
    plan = np.log(spend_level) + 0.4 * season + habit[0] + _steps(rng, days)
    spend = np.exp(plan + _wander(rng, days, 0.10, 0.5))
    if rng.random() < 0.3:  # a daily cap binds now and then
        spend = np.minimum(spend, np.exp(plan) * 1.08)
    spend = spend * factor["spend"] * _running(rng, dates)
    shown = rng.negative_binomial(80, 80 / (80 + spend / cpm * 1000 * np.exp(-0.3 * season)))
    click_rate = ctr * factor["ctr"] * np.exp(_wander(rng, days, 0.05, 0.4))
    clicks = rng.binomial(shown, np.clip(click_rate, 0, 0.9))
    drift = _wander(rng, days, 0.08, 0.98)
    rate = cvr * factor["cvr"] * np.exp(season + habit[1] + drift)
    bought = rng.poisson(clicks * rate * rng.lognormal(-(DAILY_SD**2) / 2, DAILY_SD, days))
    value = np.array([rng.lognormal(np.log(basket) - 0.18, 0.6, n).sum() for n in bought])
    out = pd.DataFrame(
        {
            "date": dates,
            "spend": spend.round(2),
            "impressions": shown,
            "clicks": clicks,
            "conversions": np.minimum(bought, clicks),
            "revenue": (value * factor["basket"]).round(2),
        }
    )
    refund = rng.random(days) < 0.002
    out.loc[refund, "revenue"] = -out.loc[refund, "revenue"] / 2
    out["due"] = clicks * rate / factor["cvr"]
    return out[rng.random(days) > 0.004]


def _put_in(
    rng: np.random.Generator, factor: dict[str, np.ndarray], type_: str, at: slice, size: float
) -> None:
    length = at.stop - at.start
    if type_ == "spend_spike":
        factor["spend"][at] *= size
        factor["cvr"][at] *= size**-0.6  # the added money buys little
    elif type_ == "zero_spend":
        factor["spend"][at] = 0
    elif type_ == "revenue_spike":
        factor["cvr" if rng.random() < 0.5 else "basket"][at] *= size
    elif type_ == "performance_drop":
        factor["cvr"][at] *= 1 - size
    else:  # wears out fast at first, then slower
        factor["ctr"][at] *= 1 - size * (np.arange(1, length + 1) / length) ** 0.8


def _steps(rng: np.random.Generator, days: int) -> np.ndarray:
    """Planned budget changes: no anomaly."""
    out = np.zeros(days)
    for _ in range(rng.poisson(days / 365)):
        out[int(rng.integers(days)) :] += rng.choice([-0.5, -0.25, 0.25, 0.45])
    return out


def _running(rng: np.random.Generator, dates: pd.DatetimeIndex) -> np.ndarray:
    """Some campaigns pause at week-ends, some on the first days of each month: no anomaly."""
    draw = rng.random()
    if draw < 0.10:
        return np.where(dates.day_of_week >= 5, 0.0, 1.0)
    if draw < 0.15:
        return np.where(dates.day <= 2, 0.0, 1.0)
    return np.ones(len(dates))


def counts(labels: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Per type: labels, found labels, events, events that hit, events that touch no label at all."""
    rows = {}
    for type_ in TYPES:
        mine, events = labels[labels["type"] == type_], found[found["type"] == type_]
        hits = [
            [_hits(event, label) for label in mine.itertuples() if label.campaign == event.campaign]
            for event in events.itertuples()
        ]
        seen = [
            any(_hits(e, label) for e in events.itertuples() if e.campaign == label.campaign)
            for label in mine.itertuples()
        ]
        alone = [
            not any(hit) and not _touches(event, labels)
            for hit, event in zip(hits, events.itertuples(), strict=True)
        ]
        rows[type_] = (len(mine), sum(seen), len(events), sum(map(any, hits)), sum(alone))
    names = ["labels", "found", "events", "hits", "false"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=names)


def _hits(event, label) -> bool:
    margin = pd.Timedelta(days=TOLERANCE.get(label.type, 1))
    near = event.start <= label.end + margin and event.end >= label.start - margin
    longest = LONGEST * ((label.end - label.start + 2 * margin).days + 1)
    return near and (event.end - event.start).days + 1 <= longest


def _touches(event, labels: pd.DataFrame) -> bool:
    day = pd.Timedelta(days=1)
    same = labels[labels["campaign"] == event.campaign]
    return bool(((event.start <= same["end"] + day) & (event.end >= same["start"] - day)).any())
