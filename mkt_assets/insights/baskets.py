"""What a campaign's orders should have been worth, from the baskets of the days before."""

from __future__ import annotations

import numpy as np

from mkt_assets.insights.baseline import shared_effect, trailing_sum
from mkt_assets.insights.grid import BoolArray, FloatArray
from mkt_assets.insights.rates import Expected
from mkt_assets.marts.metrics import kpi_value

#: days and orders from which the usual basket is read
BASKET_DAYS, BASKET_LEAST = 56, 8.0
#: two orders are the fewest whose baskets can be unusual together
LEAST_ORDERS = 2.0
#: squared relative spread of one order's value: typical, its weight in days seen, and the least
SPREAD, SPREAD_PRIOR_DAYS, SPREAD_LEAST = 0.5, 15.0, 0.05
#: squared deviations of a day beyond this multiple of the typical one are cut
SPREAD_CUT = 9.0
#: relative variance of a day's mean basket that does not shrink with orders (the day's offer)
DAY_VAR = 0.05**2


def expect_baskets(
    orders: FloatArray, revenue: FloatArray, odd: BoolArray, gap: int
) -> tuple[Expected, FloatArray]:
    """Expected revenue of each day's orders, and the basket that it is expected at.

    The usual basket is the mean of the days ending ``gap`` days before.
    Days marked ``odd`` (by at most ``gap`` - 1 days later) are in no usual basket; what all
    campaigns share on a day is that day's.
    """
    sold = np.isfinite(orders) & np.isfinite(revenue) & (orders > 0)
    usable = sold & ~odd
    past_orders = trailing_sum(np.where(usable, orders, 0.0), BASKET_DAYS, gap)
    past_revenue = trailing_sum(np.where(usable, revenue, 0.0), BASKET_DAYS, gap)
    enough = (past_orders >= BASKET_LEAST) & (past_revenue > 0)
    usual = np.where(
        enough, kpi_value("aov", revenue=past_revenue, conversions=past_orders), np.nan
    )
    n = np.where(sold, orders, 1.0)
    ratio = np.where(sold, kpi_value("aov", revenue=revenue, conversions=n) / usual, np.nan)
    shared, shared_variance = shared_effect(ratio - 1, SPREAD / n + DAY_VAR)
    spread = _spread(n, ratio / np.exp(shared), usable, gap)
    known = sold & np.isfinite(ratio) & (n >= LEAST_ORDERS)
    basket = usual * np.exp(shared)
    model = Expected(
        counts=np.where(known, basket * n, np.nan),
        seen=np.where(known, revenue, np.nan),
        daily=spread / n + DAY_VAR + shared_variance,
        baseline=spread / np.maximum(past_orders, 1.0),
        effective=n,
    )
    return model, basket


def _spread(n: FloatArray, ratio: FloatArray, usable: BoolArray, gap: int) -> FloatArray:
    """Squared relative spread of one order, from how far past days' mean baskets lay apart."""
    ok = usable & np.isfinite(ratio)
    square = np.minimum(np.where(ok, n * (ratio - 1) ** 2, 0.0), SPREAD_CUT * SPREAD)
    days = trailing_sum(ok.astype("float64"), BASKET_DAYS, gap)
    total = trailing_sum(square, BASKET_DAYS, gap)
    mean = (total + SPREAD_PRIOR_DAYS * SPREAD) / (days + SPREAD_PRIOR_DAYS)
    return np.maximum(mean, SPREAD_LEAST)
