"""Anomalies, trends and insights as Dagster assets; the thinking is in the modules beside."""

import dagster as dg

from mkt_assets.insights import anomalies as anomaly_detection
from mkt_assets.insights import charts, trends
from mkt_assets.insights.insights import compose
from mkt_assets.marts.queries import CAMPAIGN_DAYS, CAMPAIGN_SESSION_DAYS
from mkt_assets.metadata import picture
from mkt_assets.model_assets import model_asset, read_model, store
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings
from mkt_assets.warehouse import Warehouse

#: what causes are told by besides the platforms' own numbers, where there is GA4
_BESIDE = ["marts/ga4_daily", "marts/fct_sessions", "marts/consent_waterfall"]


@model_asset(
    "insights/anomalies",
    deps=["marts/marketing_clean", *(_BESIDE if settings().has_ga4 else [])],
)
def anomalies(lake: LakeResource, warehouse: Warehouse) -> dg.MaterializeResult:
    """Find what is out of the ordinary, campaign by campaign."""
    daily = warehouse.query(CAMPAIGN_DAYS)
    if settings().has_ga4:
        seen = warehouse.query(CAMPAIGN_SESSION_DAYS)
        daily = daily.merge(seen, on=["date", "campaign"], how="left")
    found = anomaly_detection.detect(daily)
    shown = {"chart": picture(charts.anomaly_chart(daily, found))} if len(found) else {}
    return store(lake, warehouse, "insights/anomalies", found, **shown)


@model_asset("insights/trends", deps=["marts/marketing_clean"])
def campaign_trends(lake: LakeResource, warehouse: Warehouse) -> dg.MaterializeResult:
    """Measure where each campaign is heading, and how sure that is."""
    computed = trends.compute(warehouse.query(CAMPAIGN_DAYS))
    return store(lake, warehouse, "insights/trends", computed)


@model_asset(
    "insights/insights", deps=["marts/marketing_clean", "insights/anomalies", "insights/trends"]
)
def ranked_insights(lake: LakeResource, warehouse: Warehouse) -> dg.MaterializeResult:
    """Say the few things that are worth a marketer's minute."""
    daily = warehouse.query(CAMPAIGN_DAYS)
    said = compose(
        daily,
        read_model(lake, warehouse, "insights/anomalies"),
        read_model(lake, warehouse, "insights/trends"),
        currency=settings().currency,
    )
    chart = picture(charts.daily_spend_revenue(daily))
    return store(lake, warehouse, "insights/insights", said, spend_and_revenue=chart)


ASSETS = [anomalies, campaign_trends, ranked_insights] if settings().has_ads else []
