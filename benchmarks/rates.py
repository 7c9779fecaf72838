"""How well ``detect_rates`` finds anomalies in hourly CPC and CPM series, on the Numenta scale.

    python benchmarks/rates.py [--dev 1 41] [--test 101 141]

Corpora of six made-up series each, with known anomalies; the score is the standard profile of the
Numenta Anomaly Benchmark, written here from its published formula (Lavin and Ahmad 2015). Nothing
is asserted: a benchmark prints, a test asserts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mkt_assets.insights.rate_series import detect_rates, one_alarm_each

FloatArray = npt.NDArray[np.float64]
Windows = list[tuple[int, int]]
Detector = Callable[[pd.DataFrame], FloatArray]

FILES, HOURS = 6, 1_620
PROBATION = 0.15
#: the standard profile: what a detection earns, what a false alarm and a missed window cost
A_TP, A_FP, A_FN = 1.0, 0.11, 1.0
#: all windows of a file together cover this share of it
WINDOW_SHARE = 0.10
KINDS = ("spike", "dip", "cluster", "shift", "burst")
BOOTSTRAPS = 2_000


@dataclass(frozen=True)
class Labelled:
    """One series and the row ranges (first, last) in which a detection counts."""

    series: pd.DataFrame
    windows: Windows


def corpus(seed: int) -> list[Labelled]:
    """Six series: each with its own price, cycle, noise law, gaps and one to four anomalies."""
    return [_file(np.random.default_rng([seed, index])) for index in range(FILES)]


def _file(rng: np.random.Generator) -> Labelled:
    hours = np.arange(HOURS)
    scale = rng.uniform(0.05, 0.25)
    log = _cycle(rng, hours) + _wander(rng) + _noise(rng, hours, scale)
    for at in rng.integers(0, HOURS, rng.integers(0, 9)):
        # ordinary hiccups that nobody labelled
        log[at] += rng.uniform(2.5, 5) * scale
    places = _places(rng, int(rng.integers(1, 5)))
    for at in places:
        _disturb(rng, log, int(at), scale)
    seen = _seen(rng)
    stamps = pd.Timestamp("2011-07-01 00:15:01") + pd.to_timedelta(hours, unit="h")
    series = pd.DataFrame({"ts": stamps, "value": np.exp(log + rng.uniform(-3, 0))})
    half = WINDOW_SHARE * HOURS / len(places) / 2
    kept = np.flatnonzero(seen)
    windows = []
    for at in places:
        # whoever labelled it did not hit the hour exactly
        middle = at + rng.integers(-4, 5)
        first, last = np.searchsorted(kept, [middle - half, middle + half])
        windows.append((int(first), min(int(last), len(kept) - 1)))
    return Labelled(series[seen].reset_index(drop=True), windows)


def _cycle(rng: np.random.Generator, hours: npt.NDArray[np.int64]) -> FloatArray:
    daily = rng.uniform(0.02, 0.4) * np.cos(2 * np.pi * (hours - rng.uniform(0, 24)) / 24)
    half = rng.uniform(0, 0.15) * np.cos(2 * np.pi * (hours - rng.uniform(0, 12)) / 12)
    weekend = rng.normal(0, 0.08) * (hours // 24 % 7 >= 5)
    out: FloatArray = daily + half + weekend
    return out


def _wander(rng: np.random.Generator) -> FloatArray:
    """A slow drift of the price: first-order autocorrelation of .99 an hour."""
    return _autoregress(rng.normal(0, rng.uniform(0.05, 0.25) * np.sqrt(1 - 0.99**2), HOURS), 0.99)


def _noise(rng: np.random.Generator, hours: npt.NDArray[np.int64], scale: float) -> FloatArray:
    """Student noise, autocorrelated, louder in the hours with few impressions."""
    degrees = rng.choice([3.0, 4.0, 6.0, 12.0])
    shocks = rng.standard_t(degrees, HOURS) * np.sqrt((degrees - 2) / degrees)
    rho = rng.uniform(0, 0.6)
    loud = np.exp(rng.uniform(0, 0.5) * np.cos(2 * np.pi * (hours - rng.uniform(0, 24)) / 24))
    return _autoregress(shocks * scale * np.sqrt(1 - rho**2), rho) * loud


def _autoregress(shocks: FloatArray, rho: float) -> FloatArray:
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -rho], shocks), "float64")


def _places(rng: np.random.Generator, count: int) -> npt.NDArray[np.int64]:
    """Anomalies after the probation period, their windows apart."""
    width = WINDOW_SHARE * HOURS / count
    while True:
        out = np.sort(rng.integers(int(0.2 * HOURS), int(0.95 * HOURS), count))
        if count == 1 or np.diff(out).min() > 1.5 * width:
            return out


def _disturb(rng: np.random.Generator, log: FloatArray, at: int, scale: float) -> None:
    kind = rng.choice(KINDS, p=(0.4, 0.1, 0.2, 0.2, 0.1))
    size = rng.uniform(4, 12) * scale
    if kind == "spike":
        log[at : at + rng.integers(1, 3)] += size
    elif kind == "dip":
        log[at : at + rng.integers(1, 5)] -= size
    elif kind == "cluster":
        length = int(rng.integers(4, 13))
        part = log[at : at + length]
        part += size * rng.uniform(0.3, 1, len(part))
    elif kind == "shift":
        log[at : at + rng.integers(24, 240)] += rng.choice([-1, 1]) * size / 2
    else:
        part = log[at : at + int(rng.integers(12, 36))]
        part += rng.normal(0, size / 2, len(part))


def _seen(rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which hours were recorded: single hours are missing, and now and then half a day."""
    seen = rng.random(HOURS) > 0.004
    for at in rng.integers(0, HOURS, rng.integers(0, 3)):
        seen[at : at + rng.integers(4, 30)] = False
    return seen


def weights(rows: int, windows: Windows) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """What an alarm on each row is worth, and the window that it lies in (-1: none).

    Rows of the probation period are worth nothing and belong to window -2.
    """
    worth, inside = np.full(rows, -A_FP), np.full(rows, -1)
    at = np.arange(rows)
    for first, last in windows:
        after = at > last
        past = np.minimum((at - last) / max(last - first, 1), 3.0)
        worth[after] = np.where(past < 3, A_FP * _sigmoid(past), -A_FP)[after]
    for number, (first, last) in enumerate(windows):
        span = slice(first, last + 1)
        inside[span] = number
        worth[span] = A_TP * _sigmoid(-(last - at[span] + 1) / (last - first + 1)) / _sigmoid(-1.0)
    probation = at < int(PROBATION * rows)
    worth[probation], inside[probation] = 0.0, -2
    return worth, inside


def _sigmoid(y: FloatArray | float) -> FloatArray:
    return np.asarray(2 / (1 + np.exp(5 * np.asarray(y, "float64"))) - 1)


def nab(found: list[FloatArray], truth: list[Labelled]) -> tuple[FloatArray, FloatArray]:
    """Thresholds, falling, and the normalised corpus score at each (0 null, 100 perfect)."""
    rows, gains, keys = [], [], []
    total = 0
    for scores, labelled in zip(found, truth, strict=True):
        worth, inside = weights(len(scores), labelled.windows)
        rows.append(scores)
        gains.append(worth)
        keys.append(np.where(inside >= 0, inside + total, inside))
        total += len(labelled.windows)
    score, worth, key = (np.concatenate(part) for part in (rows, gains, keys))
    order = np.argsort(-score, kind="stable")
    best = np.full(total, -A_FN)
    raw, at_threshold = float(best.sum()), np.empty(len(order))
    for place, row in enumerate(order):
        window = key[row]
        if window == -1:
            raw += worth[row]
        elif window >= 0 and worth[row] > best[window]:
            raw += worth[row] - best[window]
            best[window] = worth[row]
        at_threshold[place] = raw
    ordered = score[order]
    last = np.append(np.diff(ordered) < 0, True)
    perfect, null = A_TP * total, -A_FN * total
    return ordered[last], 100 * (at_threshold[last] - null) / (perfect - null)


def at_threshold(found: list[FloatArray], truth: list[Labelled], threshold: float) -> float:
    """The normalised score with a threshold that was chosen elsewhere."""
    levels, scores = nab(found, truth)
    reached = levels >= threshold
    return float(scores[reached][-1]) if reached.any() else 0.0


def choose_threshold(runs: list[tuple[list[FloatArray], list[Labelled]]]) -> float:
    """The one threshold that serves all these corpora best."""
    levels = np.unique(np.concatenate([nab(*run)[0] for run in runs]))
    levels = levels[:: max(1, len(levels) // 4_000)]
    return float(levels[int(np.argmax(sum(_curve(run, levels) for run in runs)))])


def _curve(run: tuple[list[FloatArray], list[Labelled]], levels: FloatArray) -> FloatArray:
    own, scores = nab(*run)
    place = len(own) - np.searchsorted(own[::-1], levels, side="left")
    return np.concatenate([[0.0], scores])[place]


def ours(series: pd.DataFrame) -> FloatArray:
    """The detector under test."""
    return detect_rates(series)["score"].to_numpy("float64")


def windowed_gaussian(series: pd.DataFrame) -> FloatArray:
    """A normal law of all values so far; the score is one minus the tail probability."""
    from scipy.special import erf

    value = series["value"]
    past = value.expanding(2)
    z = ((value - past.mean().shift()) / past.std().shift()).abs().fillna(0)
    return np.asarray(erf(z / np.sqrt(2)), "float64")


def trailing_z(series: pd.DataFrame) -> FloatArray:
    """Distance from the mean of the last week in its standard deviations."""
    value = series["value"]
    past = value.rolling(168, min_periods=24)
    z = ((value - past.mean().shift()) / past.std().shift()).abs().fillna(0)
    return np.asarray(z / (z + 3), "float64")


def sharpened(detector: Detector) -> Detector:
    """A baseline with our refractory time, so that the comparison is about the score itself."""
    return lambda series: one_alarm_each(detector(series), series["ts"].to_numpy("datetime64[ns]"))


DETECTORS: dict[str, Detector] = {
    "detect_rates": ours,
    "windowed Gaussian": windowed_gaussian,
    "windowed Gaussian, one alarm each": sharpened(windowed_gaussian),
    "trailing z-score, 168 h": trailing_z,
    "trailing z-score, one alarm each": sharpened(trailing_z),
}


def interval(values: list[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over corpora."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (BOOTSTRAPS, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Choose each threshold on the dev corpora, print the scores on the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", type=int, nargs=2, default=(1, 41))
    parser.add_argument("--test", type=int, nargs=2, default=(101, 141))
    given = parser.parse_args()
    dev = [corpus(seed) for seed in range(*given.dev)]
    test = [corpus(seed) for seed in range(*given.test)]
    print("| detector | threshold from dev | 95 % interval | dev itself | best single threshold |")
    print("| --- | --- | --- | --- | --- |")
    for name, detector in DETECTORS.items():
        on_dev = [([detector(file.series) for file in files], files) for files in dev]
        on_test = [([detector(file.series) for file in files], files) for files in test]
        threshold = choose_threshold(on_dev)
        scores = [at_threshold(*run, threshold) for run in on_test]
        low, high = interval(scores)
        known = np.mean([at_threshold(*run, threshold) for run in on_dev])
        best = np.mean([nab(*run)[1].max() for run in on_test])
        print(
            f"| {name} ({threshold:.3f}) | {np.mean(scores):.1f} | {low:.1f} to {high:.1f} "
            f"| {known:.1f} | {best:.1f} |"
        )


if __name__ == "__main__":
    main()
