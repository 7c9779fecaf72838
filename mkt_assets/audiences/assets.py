"""Campaign clusters and audience segments as Dagster assets."""

import dagster as dg

from mkt_assets.audiences import charts
from mkt_assets.audiences.clusters import cluster_campaigns
from mkt_assets.audiences.segments import segment_sizes, segment_users
from mkt_assets.marts.queries import AUDIENCE_FEATURES, CAMPAIGN_DAYS
from mkt_assets.metadata import picture, preview
from mkt_assets.model_assets import model_asset, store
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings
from mkt_assets.warehouse import Warehouse


@model_asset("audiences/campaign_clusters", deps=["marts/marketing_clean"])
def campaign_clusters(lake: LakeResource, warehouse: Warehouse) -> dg.MaterializeResult:
    """Group campaigns that behave alike, where there is such a structure."""
    daily = warehouse.query(CAMPAIGN_DAYS)
    clusters = cluster_campaigns(daily)
    chart = picture(charts.cluster_scatter(daily, clusters))
    return store(lake, warehouse, "audiences/campaign_clusters", clusters, chart=chart)


@model_asset("audiences/audience_segments", deps=["marts/audience_features"])
def audience_segments(lake: LakeResource, warehouse: Warehouse) -> dg.MaterializeResult:
    """Put each consented visitor into one segment."""
    segments = segment_users(warehouse.query(AUDIENCE_FEATURES))
    sizes = preview(segment_sizes(segments))
    return store(lake, warehouse, "audiences/audience_segments", segments, sizes=sizes)


ASSETS = [
    *([campaign_clusters] if settings().has_ads else []),
    *([audience_segments] if settings().has_ga4 else []),
]
