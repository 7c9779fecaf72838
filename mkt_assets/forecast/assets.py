"""Forecast, revenue model and budget simulation as Dagster assets."""

from collections.abc import Iterator

import dagster as dg

from mkt_assets.forecast import charts, revenue, revenue_model, simulation
from mkt_assets.marts.queries import CHANNEL_DAYS, PURCHASE_REVENUE_DAYS
from mkt_assets.metadata import picture
from mkt_assets.model_assets import model_asset, model_assets, model_spec, store
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings
from mkt_assets.warehouse import Warehouse

#: revenue as the ad platforms report it, or GA4's own where there is no ad spend
_REVENUE_TABLE, _REVENUE = (
    ("marts/kpi_channel_daily", CHANNEL_DAYS)
    if settings().has_ads
    else ("marts/fct_purchases", PURCHASE_REVENUE_DAYS)
)


@model_assets(
    "forecast__revenue",
    model_spec("forecast/revenue_forecast", deps=[_REVENUE_TABLE]),
    model_spec("forecast/forecast_accuracy", deps=[_REVENUE_TABLE]),
)
def revenue_forecast(lake: LakeResource, warehouse: Warehouse) -> Iterator[dg.MaterializeResult]:
    """Forecast revenue in total and by channel, and say how past forecasts fared."""
    daily = warehouse.query(_REVENUE)
    forecast, accuracy = revenue.forecast_all(daily, horizon=settings().forecast_horizon)
    fan = picture(charts.forecast_fan(daily, forecast))
    yield store(lake, warehouse, "forecast/revenue_forecast", forecast, chart=fan)
    yield store(lake, warehouse, "forecast/forecast_accuracy", accuracy)


@model_asset("forecast/revenue_model", deps=["marts/kpi_channel_daily"])
def spend_revenue_model(lake: LakeResource, warehouse: Warehouse) -> dg.MaterializeResult:
    """Explain daily revenue by spend and calendar, beside the baseline that it must beat."""
    explained = revenue_model.fit_revenue_model(warehouse.query(CHANNEL_DAYS))
    return store(lake, warehouse, "forecast/revenue_model", explained)


@model_asset("forecast/budget_simulation", deps=["marts/kpi_channel_daily"])
def budget_simulation(lake: LakeResource, warehouse: Warehouse) -> dg.MaterializeResult:
    """What revenue to expect from more or less money, and where that is a guess."""
    simulated = simulation.simulate(warehouse.query(CHANNEL_DAYS))
    return store(lake, warehouse, "forecast/budget_simulation", simulated)


ADS_ASSETS = [spend_revenue_model, budget_simulation]
ASSETS = [revenue_forecast, *(ADS_ASSETS if settings().has_ads else [])]
