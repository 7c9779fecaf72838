"""What revenue to expect at another budget, from the response curves; marks what is a guess.

The curves come from ``response``; deciding between channels belongs to the ``allocation`` stage.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import InputError
from mkt_assets.forecast.response import Curves, fit
from mkt_assets.marts.metrics import kpi_value

CHANGES = (-0.5, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
#: half-width of a Normal 80 % interval, in standard errors
Z80 = 1.2816
TOTAL = "total"


def simulate(source: Curves | pd.DataFrame, changes: Sequence[float] = CHANGES) -> pd.DataFrame:
    """Daily revenue of each channel, and of all together, if spend is changed by a share.

    Args:
        source: fitted curves, or a history as for ``response.fit``.
        changes: shares of the mean daily spend of the last 28 days; -1 stops the spend, 0.1 adds 10
            %.

    Returns:
        The table ``budget_simulation``. In scope ``total`` every channel changes alike. The
        interval is one of the expected revenue, not of a single day. Incremental figures are NaN
        where spend does not change.

    Raises:
        InputError: a change below -1, not finite, or given twice; or what ``response.fit`` refuses.
    """
    for change in changes:
        if not np.isfinite(change) or change < -1:
            raise InputError("a budget change must be a finite share of -1 or more", value=change)
    if len(set(changes)) != len(changes):
        raise InputError("a budget change is given twice", value=list(changes))
    curves = fit(source) if isinstance(source, pd.DataFrame) else source
    whole = np.ones(len(curves.channels), dtype=bool)
    scopes = [(TOTAL, whole)]
    scopes += [(name, np.arange(len(whole)) == i) for i, name in enumerate(curves.channels)]
    rows = [_row(curves, name, mask, float(change)) for name, mask in scopes for change in changes]
    return pd.DataFrame(rows)[[c.name for c in REGISTRY["forecast/budget_simulation"].columns]]


def _row(curves: Curves, scope: str, mask: np.ndarray, change: float) -> dict[str, object]:
    spend = curves.current * (1 + change)
    revenue = float(curves.predict(spend)[mask].sum())
    before = float(curves.predict(curves.current)[mask].sum())
    added = float((spend - curves.current)[mask].sum())
    gain = {"revenue": revenue - before, "mark_spent": added}
    factor = float(np.exp(Z80 * curves.relative_error(spend, mask)))
    return {
        "scope": scope,
        "budget_change": change,
        "spend": float(spend[mask].sum()),
        "revenue": revenue,
        "revenue_lo": revenue / factor,
        "revenue_hi": revenue * factor,
        "incremental_roas": float(kpi_value("roas", **gain)),
        "incremental_roi": float(kpi_value("roi", **gain)),
        "extrapolates": _extrapolates(curves, spend, mask),
    }


def _extrapolates(curves: Curves, spend: np.ndarray, mask: np.ndarray) -> bool:
    """A channel outside the daily spends seen, or all together outside their sums seen."""
    slack = 1e-9 * max(
        float(curves.current.sum()), 1e-9
    )  # a constant spend must not leave its own range
    outside = (spend < curves.spend_low - slack) | (spend > curves.spend_high + slack)
    total = float(spend.sum())
    out_of_total = total < curves.total_low - slack or total > curves.total_high + slack
    return bool(outside[mask].any() or (mask.all() and out_of_total))
