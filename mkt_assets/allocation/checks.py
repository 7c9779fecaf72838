"""What must hold of a budget before anybody sees it."""

import dagster as dg

from mkt_assets.allocation.guardrails import verify
from mkt_assets.check_steps import Context, check
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings

_ALLOCATION = "allocation/budget_allocation"


@check(
    _ALLOCATION.split("/"),
    blocking=True,
    description="Every line lies within its guardrails and the lines add up to the budget.",
)
def guardrails_hold(_context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """The guardrails as a post-condition, read back from what was stored."""
    frame = lake.lake.read_model(_ALLOCATION)
    budget = settings().daily_budget or float(frame["current"].sum())
    broken = verify(frame, budget, settings().guardrail)
    return dg.AssetCheckResult(passed=not broken, metadata={"broken": broken})


CHECKS = [guardrails_hold] if settings().has_ads else []
