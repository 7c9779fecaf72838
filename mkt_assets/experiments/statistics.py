"""The tests and intervals of two arms, from sums alone; each with its source.

What stays out: tables, decisions, and anything about how often one looks.
"""

from __future__ import annotations

import math

#: two-sided level of every test and 1 - level of every interval
ALPHA = 0.05
_POWER = 0.8


def split_p(n_a: float, n_b: float, share_b: float) -> float:
    """Chi-square test, 1 degree of freedom, that the split is as planned; NaN without users."""
    from scipy.special import chdtrc

    total = n_a + n_b
    if total == 0:
        return math.nan
    off = n_b - total * share_b
    return float(chdtrc(1, off * off / (total * share_b * (1 - share_b))))


def proportion_p(x_a: float, n_a: float, x_b: float, n_b: float) -> float:
    """Two-sided score test of equal rates (Pearson's chi-square without continuity correction).

    NaN where nobody or everybody converted: then the data cannot speak.
    """
    from scipy.special import ndtr

    pooled = (x_a + x_b) / (n_a + n_b)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    if error == 0:
        return math.nan
    return float(2 * ndtr(-abs(x_b / n_b - x_a / n_a) / error))


def difference_interval(x_a: float, n_a: float, x_b: float, n_b: float) -> tuple[float, float]:
    """95 % interval of rate B minus rate A: Newcombe's hybrid score interval.

    Method 10 of Newcombe, Statistics in Medicine 17 (1998): the Wilson limits of the two rates
    combined. Never leaves [-1, 1], and holds its level with few conversions, where the plain one
    does not.
    """
    rate_a, rate_b = x_a / n_a, x_b / n_b
    low_a, high_a = _wilson(x_a, n_a)
    low_b, high_b = _wilson(x_b, n_b)
    diff = rate_b - rate_a
    return (
        diff - math.hypot(rate_b - low_b, high_a - rate_a),
        diff + math.hypot(high_b - rate_b, rate_a - low_a),
    )


def _wilson(x: float, n: float) -> tuple[float, float]:
    """Wilson's score interval of one rate (JASA 22, 1927)."""
    z = _quantile(1 - ALPHA / 2)
    rate, square = x / n, z * z
    middle = (rate + square / (2 * n)) / (1 + square / n)
    half = z * math.sqrt(rate * (1 - rate) / n + square / (4 * n * n)) / (1 + square / n)
    # rounding must not put the rate outside its own interval
    return min(middle - half, rate), max(middle + half, rate)


def smallest_effect(rate: float, n_a: float, n_b: float) -> float:
    """The absolute difference that a two-sided 5 % test finds with 80 % power near ``rate``.

    The usual normal approximation (Fleiss, Statistical Methods for Rates and Proportions); NaN
    where nobody or everybody converted.
    """
    error = math.sqrt(rate * (1 - rate) * (1 / n_a + 1 / n_b))
    if error == 0:
        return math.nan
    return (_quantile(1 - ALPHA / 2) + _quantile(_POWER)) * error


def proportion_power(rate_a: float, rate_b: float, n_a: float, n_b: float) -> float:
    """Power of the two-sided 5 % score test if these were the true rates; NaN at rates 0 and 1."""
    from scipy.special import ndtr

    if not 0 < rate_a < 1 or not 0 < rate_b < 1:
        return math.nan
    pooled = (rate_a * n_a + rate_b * n_b) / (n_a + n_b)
    under_null = math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    actual = math.sqrt(rate_a * (1 - rate_a) / n_a + rate_b * (1 - rate_b) / n_b)
    reach = _quantile(1 - ALPHA / 2) * under_null
    shift = abs(rate_b - rate_a)
    return float(ndtr((shift - reach) / actual) + ndtr((-shift - reach) / actual))


def welch(
    a: tuple[float, float, float], b: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Welch's t-test (Biometrika 34, 1947) of mean B - A from (sum, sum of squares, n) of each.

    Returns:
        Two-sided p and the 95 % interval of the difference; all NaN where a sum is unknown, an arm
        has fewer than two users, or nothing varies. Revenue is skewed: with few buyers in an arm
        the level is approximate.
    """
    from scipy.special import stdtr, stdtrit

    (mean_a, error_a), (mean_b, error_b) = (_mean_and_squared_error(*arm) for arm in (a, b))
    squared = error_a + error_b
    if not squared > 0:
        return math.nan, math.nan, math.nan
    freedom = squared**2 / (error_a**2 / (a[2] - 1) + error_b**2 / (b[2] - 1))
    error, diff = math.sqrt(squared), mean_b - mean_a
    half = float(stdtrit(freedom, 1 - ALPHA / 2)) * error
    return float(2 * stdtr(freedom, -abs(diff) / error)), diff - half, diff + half


def _mean_and_squared_error(total: float, squares: float, n: float) -> tuple[float, float]:
    if n <= 1:
        return math.nan, math.nan
    mean = total / n
    spread = (squares - n * mean * mean) / (n - 1)
    # what is left of equal revenues after rounding is not variance
    return mean, 0.0 if spread < 1e-12 * squares / n else spread / n


def _quantile(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(level))
