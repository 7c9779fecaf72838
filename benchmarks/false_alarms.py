"""How often the checks beside past weeks cry wolf, and what they find, on generated series.

    python benchmarks/false_alarms.py [--series 20] [--seed 1]

Each series is two years of a made-up property: weekdays, a slow trend, noise that is wider than
counting alone (log-normal for counts, beta for shares), eight holidays a year at a third to two
thirds of a day, and four sales at twice a day. Days are judged as a run judges them, each by the
days before it. The first year warms up. Nothing is asserted: a benchmark prints.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from datetime import date, timedelta

import numpy as np

from mkt_assets.quality.history import count_band, share_band

FIRST = date(2023, 1, 1)
DAYS = 730
WARM = 365
#: days of the year, the same in both years
HOLIDAYS = (1, 100, 121, 145, 180, 276, 300, 359)
SALES = (50, 170, 330, 331)
#: what is done to a day -> its factor
FAULTS = {"a tenth of the rows": 0.1, "a fifth": 0.2, "half": 0.5, "given three times": 3.0}
SHIFTS = (-0.1, -0.2, 0.1)


def days_of_two_years() -> list[date]:
    """Every day of the series."""
    return [FIRST + timedelta(days=n) for n in range(DAYS)]


def expected(rng: np.random.Generator, level: float) -> np.ndarray:
    """The mean of each day, holidays and sales apart."""
    week = rng.uniform(0.6, 1.4, 7)
    trend = np.exp(rng.uniform(-0.5, 0.5) * np.arange(DAYS) / 365)
    return level * week[(np.arange(DAYS) + FIRST.weekday()) % 7] * trend


def occasions(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The factor of each day, and whether it is a holiday or a sale."""
    factor = np.ones(DAYS)
    for of_year in HOLIDAYS:
        quiet = rng.uniform(1 / 3, 2 / 3)
        factor[[of_year, of_year + 365]] = quiet
    for of_year in SALES:
        factor[[of_year, of_year + 365]] = 2.0
    return factor, factor != 1


def count_series(rng: np.random.Generator, series: int, level: float, noise: float) -> None:
    """Print one line: alarms on plain days and occasions, and faults found."""
    seen: dict[str, list[bool]] = defaultdict(list)
    for _ in range(series):
        factor, is_occasion = occasions(rng)
        mean = expected(rng, level) * factor * np.exp(rng.normal(0, noise, DAYS))
        counts = rng.poisson(mean)
        days = days_of_two_years()
        history = dict(zip(days, map(float, counts), strict=True))
        for place in range(WARM, DAYS):
            band = count_band(history, days[place])
            value = history[days[place]]
            seen["occasion" if is_occasion[place] else "plain"].append(not band.holds(value))
            if not is_occasion[place]:
                for fault, by in FAULTS.items():
                    seen[fault].append(not band.holds(round(value * by)))
    print_line(f"{level:,.0f} rows a day, noise {noise:.0%}", seen, FAULTS)


def share_series(rng: np.random.Generator, series: int, of: int, spread: float) -> None:
    """Print one line: alarms on days without and with a shift of the share."""
    seen: dict[str, list[bool]] = defaultdict(list)
    names = {f"{shift * 100:+.0f} points": shift for shift in SHIFTS}
    for _ in range(series):
        share = rng.uniform(0.4, 0.85)
        drift = np.clip(share + np.cumsum(rng.normal(0, 0.001, DAYS)), 0.25, 0.89)
        strength = drift * (1 - drift) / spread**2
        whole = rng.poisson(of, DAYS)
        days = days_of_two_years()
        told = dict(zip(days, map(float, whole), strict=True))
        daily = rng.beta(drift * strength, (1 - drift) * strength)
        part = dict(zip(days, map(float, rng.binomial(whole, daily)), strict=True))
        for place in range(WARM, DAYS):
            day = days[place]
            band = share_band(part, told, day, told[day])
            if band is None:
                continue
            seen["plain"].append(not band.holds(part[day] / told[day]))
            for name, shift in names.items():
                moved = rng.binomial(whole[place], np.clip(daily[place] + shift, 0.01, 0.99))
                seen[name].append(not band.holds(moved / told[day]))
    print_line(f"{of:,} events a day, spread {spread:.0%}", seen, names)


def print_line(label: str, seen: dict[str, list[bool]], found: dict[str, float]) -> None:
    """One row of a table."""
    plain = np.mean(seen["plain"])
    cells = [f"{plain:.2%}", f"{plain * 365:.1f}"]
    if seen["occasion"]:
        cells.append(f"{np.mean(seen['occasion']):.1%}")
    cells += [f"{np.mean(seen[name]):.0%}" for name in found]
    print(f"| {label} | {' | '.join(cells)} |")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    head = " | ".join(FAULTS)
    print(f"| rows | alarms on plain days | a year | on holidays and sales | found: {head} |")
    print("| --- |" + " ---: |" * (3 + len(FAULTS)))
    for level in (10, 100, 10_000):
        for noise in (0.1, 0.25, 0.4):
            count_series(rng, given.series, level, noise)
    shifts = " | ".join(f"{shift * 100:+.0f} points" for shift in SHIFTS)
    print(f"\n| consent | alarms on plain days | a year | found: {shifts} |")
    print("| --- |" + " ---: |" * (2 + len(SHIFTS)))
    for of in (100, 1000, 100_000):
        for spread in (0.01, 0.03, 0.05):
            share_series(rng, given.series, of, spread)


if __name__ == "__main__":
    main()
