"""A/B test results as a Dagster asset."""

import dagster as dg

from mkt_assets.experiments import analyse
from mkt_assets.ingest.sources import EXPERIMENTS
from mkt_assets.model_assets import model_asset, store
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings
from mkt_assets.warehouse import Warehouse


@model_asset("experiments/experiment_results", deps=["privacy/experiments", "marts/lineage_ledger"])
def experiment_results(lake: LakeResource, warehouse: Warehouse) -> dg.MaterializeResult:
    """Analyse each test: did the split hold, what is the lift, how sure is it."""
    results = analyse(lake.lake.read_whole(EXPERIMENTS))
    return store(lake, warehouse, "experiments/experiment_results", results)


ASSETS = [experiment_results] if settings().has_experiments else []
