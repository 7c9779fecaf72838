"""The budget allocator: money goes where the next unit returns most, inside the guardrails.

Method: maximise the sum of the channels' response curves on {sum = budget, lower <= x <= upper}.
The curves are concave, so the answer is where marginal returns are equal, found by one bisection on
that common return. Caution: a channel gains money by its curve read one standard error low and
loses it by its curve read one standard error high. The two readings meet at the current spend with
a step between them, so where the data do not tell channels apart nothing moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mkt_assets.allocation import guardrails
from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import MktError
from mkt_assets.forecast import response
from mkt_assets.marts.metrics import kpi_value

#: standard errors of doubt; at none, one simulated allocation in eight was worse than doing nothing
CAUTION = 1.0
#: two weeks: on fewer days a channel's return is a few orders, and nothing is known of its curve
LEAST_DAYS = 14
#: a channel that sold nothing is still better than no channel once all others are full
LEAST_RETURN = 1e-6


@dataclass(frozen=True)
class _Cautious:
    """Two power curves per channel that meet at ``anchor``: to lose and to gain money by."""

    anchor: np.ndarray
    level: np.ndarray
    gaining: np.ndarray
    losing: np.ndarray

    def marginal(self, spend: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return of the next unit at ``spend``, read low and read high."""
        low, high = (
            self.level * slope / self.anchor * (spend / self.anchor) ** (slope - 1)
            for slope in (self.gaining, self.losing)
        )
        return np.minimum(low, high), np.maximum(low, high)

    def spend_at(self, log_return: float) -> np.ndarray:
        """The spend whose next unit returns ``exp(log_return)``; the anchor inside the step."""
        base = np.log(self.level / self.anchor)
        up = (base + np.log(self.gaining) - log_return) / (1 - self.gaining)
        down = (base + np.log(self.losing) - log_return) / (1 - self.losing)
        move = np.where(up > 0, up, np.minimum(down, 0.0))
        return np.asarray(self.anchor * np.exp(np.clip(move, -50.0, 50.0)))


def allocate(
    history: pd.DataFrame, budget: float | None = None, guardrail: float = 0.5
) -> pd.DataFrame:
    """Propose a daily budget per channel.

    Args:
        history: ``date, channel, spend, revenue`` in currency (``conversions, clicks`` and others
            are not used), any number of rows a day and channel; days may be missing, revenue may be
            NaN; sums tell in ``mark_spent_with_revenue`` how much of their spend reports revenue.
        budget: daily money to spend, exactly; by default what is spent now (mean of the last 28
            days).
        guardrail: the share by which a channel's budget may move from its current one, 0 to 1.

    Returns:
        The table ``budget_allocation``, by channel name, in currency at whole cents. ``current``
        adds up to the current total to the cent. A channel with no current spend stays at zero. A
        channel whose revenue is unknown is taken to return as the others do, without evidence.
        On fewer than 14 days nothing moves: the
        budget is spent in the current proportions.

    Raises:
        MktError: a history, budget or guardrail that makes no sense, or a budget that the
            guardrails do not allow; the message names the conflicting bounds.
    """
    guardrail = guardrails.check_guardrail(guardrail)
    curves = response.fit(history)
    current = guardrails.to_cents(curves.current)
    total = int(current.sum()) if budget is None else guardrails.check_budget(budget)
    lower, upper = guardrails.bounds(current, guardrail, total)
    cautious = _cautious(curves)
    if pd.to_datetime(history["date"]).nunique() < LEAST_DAYS:
        exact = _in_proportion(current, lower, upper, total)
    else:
        exact = _solve(cautious, lower, upper, total)
    proposed = _whole_cents(exact, lower, upper, total)
    cents = pd.DataFrame({"current": current, "proposed": proposed, "lower": lower, "upper": upper})
    out = _frame(curves, cautious, cents)
    problems = guardrails.verify(out, total / 100, guardrail)
    if problems:
        raise MktError(
            f"The allocator broke its own guardrails: {'; '.join(problems)}. Report this."
        )
    return out


def _cautious(curves: response.Curves) -> _Cautious:
    """The curves in cents, each anchored at the current spend."""
    anchor = np.where(curves.current > response.LEAST_SPEND, curves.current, curves.reference)
    level = curves.predict(anchor)
    sums = {"revenue": level.sum(), "mark_spent": anchor.sum()}
    average = float(kpi_value("roas", **sums)) if level.sum() > 0 else 1.0
    slopes = (curves.elasticity_at(-CAUTION), curves.elasticity_at(CAUTION))
    # a channel that never spent has no slope; its bounds are zero, so any valid one serves
    low, high = (np.where(slope > 0, slope, response.PRIOR_ELASTICITY) for slope in slopes)
    floor = LEAST_RETURN * average * anchor
    return _Cautious(anchor * 100, np.maximum(level, floor) * 100, low, high)


def _solve(curves: _Cautious, lower: np.ndarray, upper: np.ndarray, total: int) -> np.ndarray:
    """Where marginal returns are equal or a bound holds: one bisection on the log return."""
    at_bounds = [
        np.log(side)
        for bound in (np.maximum(lower, 1), np.maximum(upper, 1))
        for side in curves.marginal(bound.astype("float64"))
    ]
    cheap, dear = float(np.min(at_bounds)) - 1.0, float(np.max(at_bounds)) + 1.0
    for _ in range(200):
        middle = (cheap + dear) / 2
        if float(np.clip(curves.spend_at(middle), lower, upper).sum()) > total:
            cheap = middle
        else:
            dear = middle
    # between the two ends of the last step lie all answers with the right sum
    over = np.clip(curves.spend_at(cheap), lower, upper)
    under = np.clip(curves.spend_at(dear), lower, upper)
    gap = float(over.sum() - under.sum())
    share = (total - float(under.sum())) / gap if gap > 0 else 0.0
    return np.asarray(under + np.clip(share, 0.0, 1.0) * (over - under))


def _in_proportion(
    current: np.ndarray, lower: np.ndarray, upper: np.ndarray, total: int
) -> np.ndarray:
    """The current split scaled to ``total`` inside the bounds, by bisection on the scale."""
    low, high = 0.0, 2.0 + total / max(float(current.sum()), 1.0)
    for _ in range(200):
        scale = (low + high) / 2
        too_little = np.clip(current * scale, lower, upper).sum() < total
        low, high = (scale, high) if too_little else (low, scale)
    return np.clip(current * high, lower, upper)


def _whole_cents(exact: np.ndarray, lower: np.ndarray, upper: np.ndarray, total: int) -> np.ndarray:
    """Whole cents inside the bounds with the sum ``total``, each nearest its exact share."""
    cents: np.ndarray = np.clip(np.floor(exact), lower, upper).astype("int64")
    while (missing := total - int(cents.sum())) != 0:
        step = 1 if missing > 0 else -1
        room = cents < upper if step > 0 else cents > lower
        places = np.flatnonzero(room)
        order = places[np.argsort(-step * (exact - cents)[places], kind="stable")]
        cents[order[: abs(missing)]] += step
    return cents


def _frame(curves: response.Curves, cautious: _Cautious, cents: pd.DataFrame) -> pd.DataFrame:
    """The published table from ``current, proposed, lower, upper`` in cents."""
    current, proposed, lower, upper = (cents[name].to_numpy() for name in cents.columns)
    money = proposed / 100
    low, high = cautious.marginal(np.maximum(proposed, 1).astype("float64"))
    spends = (proposed > 0) & (curves.elasticity > 0)
    on_lower, on_upper = proposed == lower, proposed == upper
    out = pd.DataFrame(
        {
            "channel": curves.channels,
            "current": current / 100,
            "proposed": money,
            "lower": lower / 100,
            "upper": upper / 100,
            "marginal_return": curves.marginal(money),
            "marginal_return_lo": np.where(spends, low, np.nan),
            "marginal_return_hi": np.where(spends, high, np.nan),
            "expected_revenue_change": curves.predict(money) - curves.predict(current / 100),
            "elasticity": np.where(curves.elasticity > 0, curves.elasticity, np.nan),
            "evidence": curves.evidence,
            "binding": np.select(
                [on_lower & on_upper, on_lower, on_upper], ["both", "lower", "upper"], "none"
            ),
        }
    )
    return out[[column.name for column in REGISTRY["allocation/budget_allocation"].columns]]
