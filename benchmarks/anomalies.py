"""The anomaly detector on campaigns with known anomalies: the table of docs/anomalies.md.

    python benchmarks/anomalies.py [--seeds 2000:2010]         what is found, what is a false alarm
    python benchmarks/anomalies.py --speed                     1,000 campaigns x 365 days, and more
    python benchmarks/anomalies.py --power                     can an 8 % decline of the CTR be seen

The data are benchmarks/campaign_truth.py's. Another generator and scorer may be given:

    --truth-tool FILE  called with: gen --seed S --events E --out FOLDER; writes data.csv, labels.csv
                       (and with: fixture --out FOLDER, for --fixture)
    --score-tool FILE  called with: --labels L --detections D --data F --json OUT; writes rows with
                       type, labels, events, precision, recall, fa_cy

Intervals are 95 % cluster bootstraps over seeds. Nothing is asserted: a benchmark prints.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from campaign_truth import DAILY_SD, TYPES, Truth, counts, generate

from mkt_assets.insights.anomalies import detect
from mkt_assets.insights.events import events_of
from mkt_assets.insights.outcomes import performance_drops
from mkt_assets.insights.rates import Expected

DRAWS = 2000
Detector = Callable[[pd.DataFrame], pd.DataFrame]


def outside(tool: Path, seed: int, events: float) -> Truth:
    """One seed of another generator."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(tool), "gen", "--seed", str(seed)]
        run = [*command, "--events", str(events), "--out", folder]
        subprocess.run(run, check=True, capture_output=True)
        return read(Path(folder))


def read(folder: Path) -> Truth:
    """What a generator wrote."""
    daily = pd.read_csv(folder / "data.csv", parse_dates=["date"])
    return Truth(daily, pd.read_csv(folder / "labels.csv", parse_dates=["start", "end"]))


def outside_counts(tool: Path, truth: Truth, found: pd.DataFrame) -> pd.DataFrame:
    """The counts of one seed by another scorer."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        files = {"labels": truth.labels, "detections": found, "data": truth.daily}
        command = [sys.executable, str(tool), "--json", str(place / "out.json")]
        for name, frame in files.items():
            frame.to_csv(place / f"{name}.csv", index=False)
            command += [f"--{name}", str(place / f"{name}.csv")]
        subprocess.run(command, check=True, capture_output=True)
        rows = pd.DataFrame(json.loads((place / "out.json").read_text())).set_index("type")
    rows = rows.loc[list(TYPES)].fillna(0.0)
    return pd.DataFrame(
        {
            "labels": rows["labels"],
            "found": (rows["recall"] * rows["labels"]).round(),
            "events": rows["events"],
            "hits": (rows["precision"] * rows["events"]).round(),
            "false": (rows["fa_cy"] * len(truth.daily) / 365.25).round(),
        }
    )


def f1(sums: pd.Series) -> float:
    """Of summed counts."""
    precision = sums["hits"] / sums["events"] if sums["events"] else 0.0
    recall = sums["found"] / sums["labels"] if sums["labels"] else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def interval(statistic: Callable[[list[int]], float], seeds: int) -> str:
    """95 % of a cluster bootstrap over seeds."""
    rng = np.random.default_rng(0)
    drawn = [statistic(list(rng.integers(seeds, size=seeds))) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{low:.3f} to {high:.3f}"


def table(name: str, each: list[pd.DataFrame], years: list[float]) -> None:
    """Print F1 by type, and false events per campaign-year."""
    stack = np.stack([frame.to_numpy("float64") for frame in each])
    columns = list(each[0].columns)

    def summed(chosen: list[int], rows: slice) -> pd.Series:
        return pd.Series(stack[chosen][:, rows].sum(axis=(0, 1)), index=columns)

    everyone = list(range(len(each)))
    parts = [(type_, slice(i, i + 1)) for i, type_ in enumerate(TYPES)] + [("all", slice(None))]
    print(f"\n{name}, {len(each)} seeds, {sum(years):.0f} campaign-years")
    print("| type | labels | events | precision | recall | F1 | 95 % interval | false a year |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for part, rows in parts:
        sums = summed(everyone, rows)
        precision = sums["hits"] / max(sums["events"], 1)
        recall = sums["found"] / max(sums["labels"], 1)
        spread = interval(lambda chosen, rows=rows: f1(summed(chosen, rows)), len(each))
        print(
            f"| {part} | {sums['labels']:.0f} | {sums['events']:.0f} | {precision:.3f} "
            f"| {recall:.3f} | {f1(sums):.3f} | {spread} | {sums['false'] / sum(years):.3f} |"
        )
    spread = interval(
        lambda chosen: summed(chosen, slice(None))["false"] / sum(years[i] for i in chosen),
        len(each),
    )
    print(f"false events a campaign-year: {spread}")


def global_z(daily: pd.DataFrame) -> pd.DataFrame:
    """Baseline: a day three standard deviations from its series' mean; sees the future."""
    return _by_score(daily, lambda x: (x - x.mean()) / x.std())


def trailing_mad(daily: pd.DataFrame) -> pd.DataFrame:
    """Baseline: four robust standard deviations from the median of the four weeks before."""

    def score(x: pd.DataFrame) -> pd.DataFrame:
        before = x.shift(1).rolling(28, min_periods=14)
        middle = before.median()
        return (x - middle) / (1.4826 * (x.shift(1) - middle).abs().rolling(28, 14).median()) * 0.75

    return _by_score(daily, score)


def _by_score(daily: pd.DataFrame, score: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    wide = {
        name: daily.pivot_table(index="date", columns="campaign", values=name)
        for name in ("spend", "revenue", "conversions", "clicks", "impressions")
    }
    conversion = wide["conversions"].div(wide["clicks"].where(wide["clicks"] > 0))
    weekly = wide["clicks"].rolling(7).sum().div(wide["impressions"].rolling(7).sum())
    flags = {
        "spend_spike": score(wide["spend"]) > 3,
        "revenue_spike": score(wide["revenue"]) > 3,
        "performance_drop": score(conversion) < -3,
        "ctr_decline": score(weekly) < -3,
        "zero_spend": (wide["spend"] == 0) & (wide["spend"].shift(7) > 0),
    }
    rows = []
    for type_, flag in flags.items():
        for campaign in flag:
            days = flag.index[flag[campaign]]
            group = (days.to_series().diff() > pd.Timedelta(days=3)).cumsum()
            rows += [
                (campaign, type_, part.iloc[0], part.iloc[-1], 1.0)
                for _, part in days.to_series().groupby(group)
            ]
    return pd.DataFrame(rows, columns=["campaign", "type", "start", "end", "score"])


DETECTORS: dict[str, Detector] = {
    "detect": detect,
    "global z-score": global_z,
    "trailing median and MAD": trailing_mad,
}


def oracle(truth: Truth) -> pd.DataFrame:
    """Performance drops of a detector that is told every day's mean and noise; none of the rest."""
    if truth.due is None:
        return pd.DataFrame(columns=["campaign", "type", "start", "end", "score"])
    seen = truth.daily.pivot_table(index="date", columns="campaign", values="conversions")
    shape = seen.shape
    mean = truth.due.to_numpy()
    model = Expected(
        mean, seen.to_numpy("float64"), np.full(shape, DAILY_SD**2), np.zeros(shape), mean
    )
    day, campaign = seen.index, seen.columns
    rows = [
        (campaign[event.campaign], event.type, day[event.start], day[event.end], event.score)
        for event in events_of(performance_drops(model, np.zeros(shape, dtype=bool)))
    ]
    return pd.DataFrame(rows, columns=["campaign", "type", "start", "end", "score"])


def accuracy(given: argparse.Namespace) -> None:
    """The tables with events and without."""
    first, last = (int(part) for part in given.seeds.split(":"))
    detectors = {name: lambda truth, of=of: of(truth.daily) for name, of in DETECTORS.items()}
    if not given.truth_tool:
        detectors["oracle (drops only)"] = oracle
    for label, events in (("with events", given.events), ("without events", 0.0)):
        truths = [
            outside(given.truth_tool, seed, events)
            if given.truth_tool
            else generate(seed, events=events)
            for seed in range(first, last)
        ]
        for name, detector in detectors.items():
            each = []
            for truth in truths:
                found = detector(truth)
                tool = given.score_tool
                each.append(
                    outside_counts(tool, truth, found) if tool else counts(truth.labels, found)
                )
            table(f"{name}, {label}", each, [truth.years for truth in truths])


def fixture(given: argparse.Namespace) -> None:
    """The documented quarter of an outside generator: what is found, what is not labelled."""
    with tempfile.TemporaryDirectory() as folder:
        run = [sys.executable, str(given.truth_tool), "fixture", "--out", folder]
        subprocess.run(run, check=True, capture_output=True)
        truth = read(Path(folder))
    found = detect(truth.daily)
    print(truth.labels[["campaign", "type", "start", "end"]].to_string(index=False))
    print(
        found[["campaign", "type", "start", "end", "detected_on", "score"]].to_string(index=False)
    )
    result = counts(truth.labels, found)
    print(
        f"found {result['found'].sum()} of {result['labels'].sum()}, false {result['false'].sum()}"
    )


def speed() -> None:
    """Time and memory for more and more campaigns; each size in a process of its own."""
    print(
        "| campaigns x 365 days | seconds | CPU s | CPU ms a series (5 a campaign) | MB at peak |"
    )
    print("| --- | --- | --- | --- | --- |")
    for size in (250, 500, 1000, 2000):
        run = [sys.executable, __file__, "--speed-of", str(size)]
        print(subprocess.run(run, check=True, capture_output=True, text=True).stdout, end="")


def speed_of(size: int) -> None:
    """One line of the table."""
    base = generate(1, campaigns=125).daily
    copies = [base.assign(campaign=base["campaign"] + f"_{i}") for i in range(size // 125)]
    daily = pd.concat(copies, ignore_index=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, worked = time.perf_counter(), time.process_time()
    detect(daily)
    seconds, cpu = time.perf_counter() - start, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"| {size:,} | {seconds:.1f} | {cpu:.1f} | {1000 * cpu / size / 5:.2f} "
        f"| {peak / 1024:.0f}, of which the detector {(peak - before) / 1024:.0f} |"
    )


def power(runs: int) -> None:
    """How often declines are found: a campaign of 22,000 impressions a day and a CTR of 1.2 %.

    17 days before, 28 days of decline, peers without one; daily rate noise of 4 %, lag-1
    correlation .4, as in the quarter of the issue.
    """
    rng = np.random.default_rng(0)
    print("| loss at the end | found | z that a fit with known noise expects |")
    print("| --- | --- | --- |")
    for loss in (0.0, 0.08, 0.12, 0.16, 0.20, 0.25, 0.30, 0.40):
        hits = 0
        for _ in range(runs):
            found = detect(_decline(rng, loss))
            hits += bool(((found["type"] == "ctr_decline") & (found["campaign"] == "c0")).any())
        print(f"| {loss:.0%} | {hits / runs:.2f} | {-np.log1p(-loss) / _error():.1f} |")


def _decline(
    rng: np.random.Generator, loss: float, level: int = 17, ramp: int = 28
) -> pd.DataFrame:
    days = level + ramp
    frames = []
    for number in range(6):
        noise = np.zeros(days)
        for day in range(1, days):
            noise[day] = 0.4 * noise[day - 1] + rng.normal(0, 0.04 * np.sqrt(1 - 0.16))
        worn = np.append(np.zeros(level), np.arange(1, ramp + 1) / ramp) * loss * (number == 0)
        shown = rng.poisson(22_000, days)
        clicks = rng.binomial(shown, 0.012 * np.exp(noise) * (1 - worn))
        frames.append(
            pd.DataFrame(
                {
                    "date": pd.date_range("2025-01-15", periods=days),
                    "channel": "social",
                    "campaign": f"c{number}",
                    "spend": 220.0,
                    "impressions": shown,
                    "clicks": clicks,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _error(level: int = 17, ramp: int = 28) -> float:
    """Standard error of the fitted loss if noise and correlation were known."""
    variance = 0.04**2 * (1 + 0.4) / (1 - 0.4) + 1 / (22_000 * 0.012)
    x = np.append(np.zeros(level), np.arange(1, ramp + 1) / ramp)
    return float(np.sqrt(variance / ((x - x.mean()) ** 2).sum()))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="2000:2010", help="first:last, last left out")
    parser.add_argument("--events", type=float, default=3.0, help="per campaign-year")
    parser.add_argument("--truth-tool", type=Path)
    parser.add_argument("--score-tool", type=Path)
    parser.add_argument("--fixture", action="store_true", help="needs --truth-tool")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--speed-of", type=int)
    parser.add_argument("--power", action="store_true")
    parser.add_argument("--runs", type=int, default=100, help="of --power, for each loss")
    given = parser.parse_args()
    if given.speed_of:
        speed_of(given.speed_of)
    elif given.speed:
        speed()
    elif given.power:
        power(given.runs)
    elif given.fixture:
        fixture(given)
    else:
        accuracy(given)


if __name__ == "__main__":
    main()
