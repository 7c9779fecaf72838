"""A rate followed day by day: own level, own weekdays, and what all campaigns share that day.

The parts of a filter that sees each day once, in order; ``rates.expect`` turns the crank. Power
discounting of gamma levels is Smith and Miller's (1986), the mixing of memories by how well each
predicted is dynamic model averaging (Raftery and others, 2010), both cut against outliers.
"""

from __future__ import annotations

import numpy as np

from mkt_assets.insights.baseline import CUT_SD as SHARED_CUT_SD
from mkt_assets.insights.baseline import UNKNOWN_VAR, weighted_median
from mkt_assets.insights.grid import BoolArray, FloatArray

#: half-lives in days of the memories of a level: a month after a change, a season otherwise
HALF_LIVES = (30.0, 100.0)
#: what a memory has earned by good predictions halves in about a month
MERIT_KEPT = 0.98
#: information (in counts) and days that a level needs before it can judge a day
LEAST_INFORMATION = 8.0
LEAST_DAYS = 14
#: a week's weight in a weekday's effect halves in about half a year
WEEKDAY_KEPT = 0.98
#: so many expected events weigh as much as what all campaigns share on that weekday
WEEKDAY_PRIOR = 80.0
#: day-to-day drift of what all share (log), the size of a holiday's step, its chance on a day
DRIFT_SD, STEP_SD, STEP_CHANCE = 0.008, 0.25, 0.02
#: no day is the same for all campaigns: their mean of a day is no surer than this
DAY_SD = 0.03
#: a campaign vouches for what all share on a day only if it expects so many counts
SHARED_LEAST_COUNTS = 1.0
#: the deepest effect on all campaigns that a calendar explains (log)
SHARED_LOWEST = float(np.log(0.5))
#: overdispersion (variance beyond Poisson, relative to the squared mean): typical value and bounds
DISPERSION, DISPERSION_LOW, DISPERSION_HIGH = 0.04, 0.002, 0.5
#: a campaign's own dispersion leans on all campaigns' as if that were so many informative days
DISPERSION_PRIOR_DAYS = 20.0
DISPERSION_HALF_LIFE = 120.0
#: deviations beyond this many standard deviations are cut, so that an anomaly teaches little
CUT_SD = 2.5


def skew(mean: FloatArray, dispersion: FloatArray | float) -> FloatArray:
    """Third central moment of a negative binomial count over its variance and mean.

    Times (k^2 - 1) / 6 it moves the quantiles k standard deviations from the mean (Cornish and
    Fisher, 1938): cut without it, small counts would lose more above than below.
    """
    out: FloatArray = 1 / mean + 2 * dispersion
    return out


def cut_aside(sd: float) -> float:
    """By how much of the skew both quantiles ``sd`` standard deviations from the mean move."""
    return (sd**2 - 1) / 6


class Levels:
    """Each campaign's rate as discounted sums of counts and exposure, in several memories."""

    def __init__(self, campaigns: int) -> None:
        shape = (len(HALF_LIVES), campaigns)
        self.counts, self.exposure, self.merit = (np.zeros(shape) for _ in range(3))
        self.days = np.zeros(campaigns)
        self._kept = 0.5 ** (1 / np.array(HALF_LIVES))[:, None]

    def rate(self) -> tuple[FloatArray, FloatArray]:
        """The rate and its relative variance; NaN where too little has been seen."""
        known = (self.counts[-1] >= LEAST_INFORMATION) & (self.days >= LEAST_DAYS)
        share = np.exp(self.merit - self.merit.max(axis=0))
        share /= share.sum(axis=0)
        logs = np.log(self._each(known))
        mean = (share * logs).sum(axis=0)
        own = (share / np.maximum(self.counts, 1e-9)).sum(axis=0)
        apart = (share * (logs - mean) ** 2).sum(axis=0)
        return np.where(known, np.exp(mean), np.nan), np.where(known, own + apart, np.nan)

    def _each(self, known: BoolArray) -> FloatArray:
        some = known & (self.counts > 0)
        return np.where(some, self.counts, 1.0) / np.where(some, self.exposure, 1.0)

    def learn(self, day: Day) -> None:
        """Take one day in, each memory judged first by how well it foresaw the day."""
        mean = np.maximum(np.where(day.judged, day.exposure * self._each(day.judged), 1.0), 1e-6)
        spread = day.variance + 1 / np.maximum(self.counts, 1.0)
        variance = mean + spread * mean**2
        missed = np.minimum((day.seen - mean) ** 2 / variance, CUT_SD**2)
        merit = -0.5 * (np.log(variance) + missed)
        self.merit *= MERIT_KEPT
        self.merit += np.where(day.judged, merit - merit.mean(axis=0), 0.0)
        self.counts *= self._kept
        self.exposure *= self._kept
        self.counts += day.weight * day.cut
        self.exposure += day.weight * day.exposure
        self.days += day.known


class Day:
    """One day as it is learnt from: counts cut to what is plausible, weighted by information."""

    def __init__(  # noqa: PLR0913  the day's parts, by name
        self,
        *,
        seen: FloatArray,
        exposure: FloatArray,
        known: BoolArray,
        rate: FloatArray,
        rate_variance: FloatArray,
        variance: FloatArray,
    ) -> None:
        self.known, self.variance, self.rate_variance = known, variance, rate_variance
        self.seen = np.where(known, seen, 0.0)
        self.exposure = np.where(known, exposure, 0.0)
        mean = self.exposure * np.nan_to_num(rate)
        self.judged = known & (mean > 0)
        self.mean = np.where(self.judged, mean, 1.0)
        sd = np.sqrt(self.mean + (variance + np.nan_to_num(rate_variance)) * self.mean**2)
        aside = cut_aside(CUT_SD) * skew(self.mean, variance) * self.mean
        low, high = self.mean - CUT_SD * sd + aside, self.mean + CUT_SD * sd + aside
        self.cut = np.where(self.judged, np.clip(self.seen, low, high), self.seen)
        # before there is a rate the counts themselves must say how much a day can tell
        self.weight = 1 / (1 + np.where(self.judged, self.mean, self.seen) * variance)


class Weekdays:
    """Multiplicative weekday effects, each campaign's leaning on what all share."""

    def __init__(self, campaigns: int) -> None:
        self.seen, self.due = np.zeros((7, campaigns)), np.zeros((7, campaigns))

    def effect(self, day: int) -> tuple[FloatArray, FloatArray]:
        """The effect on a day and its relative variance."""
        seen, due = self.seen[day % 7], self.due[day % 7]
        shared = (seen.sum() + WEEKDAY_PRIOR) / (due.sum() + WEEKDAY_PRIOR)
        return (seen + WEEKDAY_PRIOR * shared) / (due + WEEKDAY_PRIOR), 1 / (due + WEEKDAY_PRIOR)

    def learn(self, number: int, day: Day, foreseen: float) -> None:
        """Take in a day; ``foreseen`` turns its mean into that without the day's shared effect.

        A weekday that is weak everywhere would else be taken for what all share on that day,
        each week anew, and never be learnt.
        """
        plain = day.mean / self.effect(number)[0] * foreseen
        self.seen[number % 7] *= WEEKDAY_KEPT
        self.due[number % 7] *= WEEKDAY_KEPT
        self.seen[number % 7] += np.where(day.judged, day.weight * day.cut, 0.0)
        self.due[number % 7] += np.where(day.judged, day.weight * plain, 0.0)


class Shared:
    """The log effect that all campaigns share on a day: drifts a little, now and then steps.

    One state of all, by which levels are learnt, and one for each campaign without itself, by
    which it is judged: a campaign cannot vouch for itself.
    """

    def __init__(self, campaigns: int) -> None:
        self._level = np.zeros(campaigns + 1)
        self._variance = np.full(campaigns + 1, UNKNOWN_VAR)

    @property
    def of_all(self) -> tuple[float, float]:
        """Effect and variance as all campaigns together show it."""
        return float(self._level[-1]), float(self._variance[-1])

    @property
    def of_others(self) -> tuple[FloatArray, FloatArray]:
        """For each campaign, effect and variance as the others show it."""
        return self._level[:-1].copy(), self._variance[:-1].copy()

    def see(
        self,
        ratio: FloatArray,
        variance: FloatArray,
        skewed: FloatArray,
        judges: BoolArray,
        step_chance: float = STEP_CHANCE,
    ) -> None:
        """Take in a day's counts relative to what was expected at yesterday's effect of all.

        ``skewed`` is each count's ``skew``. Here a small bias would add up day by day: levels,
        learnt by what all share, follow weeks later.
        """
        if judges.sum() < 2:  # noqa: PLR2004  nobody to share with
            self._variance = np.minimum(self._variance + DRIFT_SD**2, UNKNOWN_VAR)
            return
        weight = np.where(judges, 1 / np.where(judges, variance, 1.0), 0.0)
        # the median of a skewed law lies below its mean by a sixth of this skew
        residual = np.where(judges, ratio - 1 + skewed / 6, np.nan)
        middle = float(weighted_median(residual[None], weight[None])[0])
        reach = SHARED_CUT_SD * np.sqrt(np.where(judges, variance, 1.0))
        aside = cut_aside(SHARED_CUT_SD) * skewed
        beside = np.where(judges, ratio - 1, middle) - middle
        cut = middle + np.clip(beside, aside - reach, aside + reach)
        without = np.append(weight, 0.0)
        total = weight.sum() - without
        mean = ((weight * cut).sum() - np.append(weight * cut, 0.0)) / total
        # the log of a noisy mean is too low by half its variance
        seen = np.log1p(np.clip(mean, -0.9, None)) + 0.5 / total
        seen += self._level[-1] - self._level
        self._update(seen, 1 / total + DAY_SD**2, step_chance)

    def _update(self, seen: FloatArray, noise: FloatArray, step_chance: float) -> None:
        """Posterior under a mixture of drift and step, moment-matched to one normal law."""
        drift, step = self._variance + DRIFT_SD**2, self._variance + STEP_SD**2
        log_odds = (
            np.log(step_chance / (1 - step_chance))
            + 0.5 * np.log((drift + noise) / (step + noise))
            + 0.5 * seen**2 * (1 / (drift + noise) - 1 / (step + noise))
        )
        chance = 1 / (1 + np.exp(-np.clip(log_odds, -500, 500)))
        gain0, gain1 = drift / (drift + noise), step / (step + noise)
        mean = seen * ((1 - chance) * gain0 + chance * gain1)
        second = (1 - chance) * (gain0 * noise + (gain0 * seen) ** 2)
        second += chance * (gain1 * noise + (gain1 * seen) ** 2)
        self._level = self._level + mean
        self._variance = second - mean**2


class Dispersion:
    """Variance beyond Poisson from the days before, each campaign leaning on all of them."""

    def __init__(self, campaigns: int) -> None:
        self._found, self._total = np.zeros(campaigns), np.zeros(campaigns)
        self._kept = 0.5 ** (1 / DISPERSION_HALF_LIFE)

    def value(self) -> FloatArray:
        """Relative variance of a day's counts beyond Poisson."""
        prior = DISPERSION_PRIOR_DAYS / DISPERSION**2 / 4
        pooled = (self._found.sum() + prior * DISPERSION) / (self._total.sum() + prior)
        own = (self._found + prior * pooled) / (self._total + prior)
        clipped: FloatArray = np.clip(own, DISPERSION_LOW, DISPERSION_HIGH)
        return clipped

    def learn(self, day: Day, shared_variance: float) -> None:
        """Take in a day's squared deviation, as far as Poisson noise lets it inform."""
        mean = day.mean
        typical = mean + DISPERSION * mean**2
        square = np.minimum((day.seen - mean) ** 2, CUT_SD**2 * typical)
        weight = np.where(day.judged, (mean**2 / typical) ** 2, 0.0)
        explained = np.nan_to_num(day.rate_variance) + shared_variance
        self._found *= self._kept
        self._total *= self._kept
        self._found += weight * ((square - mean) / mean**2 - explained)
        self._total += weight
