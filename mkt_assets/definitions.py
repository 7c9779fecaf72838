"""The whole graph on one page: what a code location loads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from mkt_assets.activation import assets as activation
from mkt_assets.activation import checks as activation_checks
from mkt_assets.allocation import assets as allocation
from mkt_assets.allocation import checks as allocation_checks
from mkt_assets.audiences import assets as audiences
from mkt_assets.audiences import checks as audiences_checks
from mkt_assets.check_steps import in_steps
from mkt_assets.experiments import assets as experiments
from mkt_assets.forecast import assets as forecast
from mkt_assets.ingest import assets as ingest
from mkt_assets.ingest import checks as ingest_checks
from mkt_assets.insights import assets as insights
from mkt_assets.lake import Lake
from mkt_assets.marts import assets as marts
from mkt_assets.marts import checks as marts_checks
from mkt_assets.privacy import assets as privacy
from mkt_assets.privacy import checks as privacy_checks
from mkt_assets.publish import assets as publish
from mkt_assets.publish import checks as publish_checks
from mkt_assets.quality import checks as quality_checks
from mkt_assets.resources import LakeResource
from mkt_assets.schedules import (
    JOBS,
    daily_refresh,
    expected_daily,
    failed_runs,
    killed_runs,
)
from mkt_assets.settings import settings
from mkt_assets.upkeep import assets as upkeep
from mkt_assets.warehouse import Warehouse

#: stages in the order in which the data flows; each lists what the given inputs allow
STAGES = (
    ingest,
    privacy,
    marts,
    insights,
    forecast,
    audiences,
    experiments,
    allocation,
    activation,
    publish,
)
#: what holds a stage's tables
STAGE_CHECKS = (
    ingest_checks,
    privacy_checks,
    marts_checks,
    audiences_checks,
    allocation_checks,
    activation_checks,
    publish_checks,
    quality_checks,
)


def default_resources() -> dict[str, Any]:
    """The resources that the settings describe."""
    data = settings().data_dir
    return {
        "dbt": marts.dbt_resource(),
        "lake": LakeResource(
            root=str(data),
            lock_timeout_seconds=settings().lock_timeout_seconds,
            identity=settings().identity,
        ),
        "warehouse": Warehouse(database=str(Lake(data).warehouse)),
    }


def build_defs(
    *,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
) -> dg.Definitions:
    """Every asset, check, job and schedule; ``resources`` replace the default ones by name."""
    defs = dg.Definitions(
        assets=[*(asset for stage in STAGES for asset in stage.ASSETS), *upkeep.ASSETS],
        asset_checks=in_steps(check for stage in STAGE_CHECKS for check in stage.CHECKS),
        # one DuckDB writer, and heavy imports paid once instead of once a step
        executor=dg.in_process_executor,
        jobs=JOBS,
        loggers=loggers,
        resources={**default_resources(), **(resources or {})},
        schedules=[daily_refresh],
        sensors=[failed_runs, killed_runs],
    )
    return defs.map_asset_specs(func=expected_daily)


defs = build_defs()
