"""Does the 95 % interval of a trend's slope hold the true slope in 95 % of cases?

    python benchmarks/trends.py [--campaigns 1000] [--seed 0]
    python benchmarks/trends.py --season [--accounts 1000]     how often a season is told for nothing

Daily spend with a known slope, a weekday cycle and first-order autocorrelated noise; share of
intervals of ``trends.compute`` that hold the slope, with a 95 % interval of that share, and beside
it plain least squares. Nothing is asserted: a benchmark prints, a test asserts.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.stats import linregress, t

from mkt_assets.insights.seasons import YEAR_DAYS, season_story
from mkt_assets.insights.stories import Context
from mkt_assets.insights.trends import compute

DAYS = (30, 60, 180, 365)
AUTOCORRELATIONS = (0.0, 0.3, 0.6)
LEVEL, SLOPE, NOISE = 1_000.0, 1.0, 50.0
WEEKDAYS = np.array([0.0, 20.0, 10.0, 0.0, 30.0, -40.0, -20.0])
#: before the first day that is kept, so that the noise has forgotten its start
WARM_UP = 100
#: a year, the four weeks before, and some more
SEASON_DAYS = 420


def series(days: int, campaigns: int, rho: float, rng: np.random.Generator) -> pd.DataFrame:
    """Spend of ``campaigns`` campaigns with the same slope and noise of its own for each."""
    shocks = rng.normal(0, NOISE * np.sqrt(1 - rho**2), (days + WARM_UP, campaigns))
    noise = lfilter([1.0], [1.0, -rho], shocks, axis=0)[WARM_UP:]
    at = np.arange(days)
    spend = LEVEL + SLOPE * at[:, None] + WEEKDAYS[at % 7][:, None] + noise
    dates = pd.date_range("2025-01-06", periods=days)
    wide = pd.DataFrame(spend, index=dates, columns=[f"c{n:05d}" for n in range(campaigns)])
    long = wide.rename_axis("date").reset_index().melt("date", var_name="campaign")
    return long.rename(columns={"value": "spend"}).assign(channel="search")


def least_squares(daily: pd.DataFrame) -> float:
    """Share of plain least-squares intervals that hold the slope."""
    held = []
    for _, one in daily.groupby("campaign"):
        fit = linregress(np.arange(len(one)), one["spend"])
        reach = t.ppf(0.975, len(one) - 2) * fit.stderr
        held.append(abs(fit.slope - SLOPE) <= reach)
    return float(np.mean(held))


def told_seasons(accounts: int, change: float, rho: float, noise: float, seed: int) -> float:
    """Share of accounts of which a season is told; revenue a year ago changed by ``change``."""
    rng = np.random.default_rng([seed, round(100 * rho), round(100 * noise)])
    shocks = rng.normal(0, noise * np.sqrt(1 - rho**2), (SEASON_DAYS + WARM_UP, accounts))
    wander = lfilter([1.0], [1.0, -rho], shocks, axis=0)[WARM_UP:]
    at = np.arange(SEASON_DAYS)
    weekday = 1 + WEEKDAYS[at % 7] / 100
    turned = 1 + change * (at >= SEASON_DAYS - YEAR_DAYS)
    revenue = LEVEL * (weekday * turned)[:, None] * np.exp(wander)
    dates = pd.date_range("2024-01-01", periods=SEASON_DAYS)
    frame = pd.DataFrame({"date": dates, "campaign": "all", "channel": "search", "spend": 1.0})
    stories = (season_story(Context(frame.assign(revenue=one), "USD")) for one in revenue.T)
    return float(np.mean([bool(story) for story in stories]))


def seasons(accounts: int, seed: int) -> None:
    """Print how often a season is told, without one and with one."""
    print("| noise of a day | autocorrelation | no season | 95 % | 15 % | 30 % | 60 % |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for noise in (0.1, 0.2):
        for rho in (0.0, 0.5, 0.9):
            none, *some = (
                told_seasons(accounts, change, rho, noise, seed) for change in (0, 0.15, 0.3, 0.6)
            )
            half = 1.96 * np.sqrt(max(none * (1 - none), 1 / accounts) / accounts)
            shares = " | ".join(f"{share:.1%}" for share in some)
            spread = f"{max(none - half, 0):.1%} to {none + half:.1%}"
            print(f"| {noise:.0%} | {rho:.1f} | {none:.1%} | {spread} | {shares} |", flush=True)


def main() -> None:
    """Print the coverage for each length and autocorrelation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--season", action="store_true")
    parser.add_argument("--accounts", type=int, default=1_000, help="of --season")
    given = parser.parse_args()
    if given.season:
        seasons(given.accounts, given.seed)
        return
    print("| days | autocorrelation | coverage of 95 % | its 95 % interval | least squares |")
    print("| --- | --- | --- | --- | --- |")
    for days in DAYS:
        for rho in AUTOCORRELATIONS:
            rng = np.random.default_rng([given.seed, days, round(10 * rho)])
            daily = series(days, given.campaigns, rho, rng)
            found = compute(daily, window=days)
            spend = found[found["metric"] == "spend"]
            held = float(spend["slope_lo"].le(SLOPE).mul(spend["slope_hi"].ge(SLOPE)).mean())
            half = 1.96 * np.sqrt(held * (1 - held) / len(spend))
            print(
                f"| {days} | {rho:.1f} | {held:.1%} | {held - half:.1%} to {held + half:.1%} "
                f"| {least_squares(daily):.1%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
