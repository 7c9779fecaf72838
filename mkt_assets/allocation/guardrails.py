"""The guardrails of a budget: what each channel may get, and the check that an answer kept to it.

Knows nothing of response curves; the allocator must come through here on its way in and on its way
out.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mkt_assets.errors import MktError

#: a share of a cent by which binary fractions of money may miss; it must not tip a bound to the
#: next cent
CENT_SLACK = 1e-6
#: bounds are rounded inwards to whole cents, so a share may be missed by less than one
CENT = 0.01


def in_cents(amount: float) -> int:
    """An amount in whole cents, rounded as ``round(amount, 2)`` rounds it."""
    return round(round(amount, 2) * 100)


def to_cents(money: np.ndarray) -> np.ndarray:
    """Whole cents that add up to the rounded sum: the largest remainders are rounded up."""
    exact = np.asarray(money, dtype="float64") * 100
    cents = np.floor(exact + CENT_SLACK)
    missing = in_cents(float(np.sum(money))) - int(cents.sum())
    order = np.argsort(-(exact - cents), kind="stable")
    cents[order[: max(missing, 0)]] += 1
    return cents.astype("int64")


def bounds(current: np.ndarray, guardrail: float, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """The least and the most of each channel; all but the share is in cents.

    Rounded inwards, so that the guardrail holds exactly; only where those cents alone would make a
    possible budget impossible are some of them given back.

    Raises:
        MktError: no budget within the bounds has this sum; the message names both sums.
    """
    low = np.maximum(current * (1 - guardrail), 0.0)
    high = current * (1 + guardrail)
    lower = np.ceil(low - CENT_SLACK).astype("int64")
    upper = np.floor(high + CENT_SLACK).astype("int64")
    half_a_cent = 0.5 + CENT_SLACK  # the budget was rounded to a cent, its bounds were not
    if budget < low.sum() - half_a_cent or budget > high.sum() + half_a_cent:
        least, most = float(low.sum()) / 100, float(high.sum()) / 100
        raise MktError(
            f"A daily budget of {budget / 100:,.2f} cannot be spent within the guardrails: within "
            f"{guardrail:.0%} of the current {current.sum() / 100:,.2f} the channels take at least "
            f"{least:,.2f} and at most {most:,.2f} together. Choose a budget between the two, or a "
            "wider guardrail."
        )
    lower = _give_back(lower, np.floor(low + CENT_SLACK).astype("int64"), int(lower.sum()) - budget)
    upper = -_give_back(
        -upper, -np.ceil(high - CENT_SLACK).astype("int64"), budget - int(upper.sum())
    )
    return lower, upper


def _give_back(bound: np.ndarray, loosest: np.ndarray, cents: int) -> np.ndarray:
    """``bound`` lowered by ``cents`` in all, one cent at most in each place that was rounded."""
    out = bound.copy()
    for place in np.flatnonzero(bound > loosest)[: max(cents, 0)]:
        out[place] -= 1
    return out


def check_budget(budget: object) -> int:
    """``budget`` in cents; refuses what is no amount of money."""
    if isinstance(budget, bool) or not isinstance(budget, (int, float, np.integer, np.floating)):
        raise MktError(f"The budget must be a number, not {budget!r}.")
    if not math.isfinite(budget) or budget < 0:
        raise MktError(f"The budget must be a finite amount of zero or more, not {budget!r}.")
    return in_cents(float(budget))


def check_guardrail(guardrail: float) -> float:
    """``guardrail`` as a share from 0 (nothing moves) to 1 (a channel may stop or double)."""
    if not 0 <= guardrail <= 1:
        raise MktError(f"The guardrail must be a share between 0 and 1, not {guardrail!r}.")
    return float(guardrail)


def verify(frame: pd.DataFrame, budget: float, guardrail: float | None = None) -> list[str]:
    """Every way in which an allocation breaks its promise.

    Args:
        frame: a proposed allocation in currency.
        budget: what must be spent, to the cent.
        guardrail: if given, the bounds themselves are checked against it, to the cent.

    Returns:
        One sentence per violation; an empty list when every guardrail holds.
    """
    problems = []
    values = frame[["current", "proposed", "lower", "upper"]]
    if not np.isfinite(values.to_numpy(dtype="float64")).all():
        problems.append("an amount is missing or not finite")
    spent = round(float(frame["proposed"].sum()), 2)
    if spent != round(budget, 2):
        problems.append(f"the channels get {spent:.2f} in all, the budget is {budget:.2f}")
    amounts = values.to_numpy(dtype="float64").tolist()
    for channel, (current, proposed, lower, upper) in zip(frame["channel"], amounts, strict=True):
        if not lower <= proposed <= upper:
            problems.append(f"{channel} gets {proposed:.2f}, outside {lower:.2f} to {upper:.2f}")
        if guardrail is None:
            continue
        low, high = current * (1 - guardrail), current * (1 + guardrail)
        if lower <= low - CENT or upper >= high + CENT:
            problems.append(f"{channel} may get {lower:.2f} to {upper:.2f}, beyond {guardrail:.0%}")
    if frame["channel"].duplicated().any():
        problems.append("a channel appears twice")
    return problems
