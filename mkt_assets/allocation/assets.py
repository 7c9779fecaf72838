"""The budget allocation as a Dagster asset."""

import dagster as dg

from mkt_assets.allocation.allocator import allocate
from mkt_assets.marts.queries import CHANNEL_DAYS
from mkt_assets.model_assets import model_asset, store
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings
from mkt_assets.warehouse import Warehouse


@model_asset("allocation/budget_allocation", deps=["marts/kpi_channel_daily"])
def budget_allocation(lake: LakeResource, warehouse: Warehouse) -> dg.MaterializeResult:
    """Propose where the daily money goes, inside the guardrails and to the cent."""
    proposed = allocate(
        warehouse.query(CHANNEL_DAYS),
        budget=settings().daily_budget,
        guardrail=settings().guardrail,
    )
    return store(lake, warehouse, "allocation/budget_allocation", proposed)


ASSETS = [budget_allocation] if settings().has_ads else []
