"""What must hold of guarded data before dbt may read it."""

import dagster as dg

from mkt_assets.privacy.guarding import LEDGER
from mkt_assets.privacy.ledger import unbalanced, waterfall
from mkt_assets.resources import LakeResource


@dg.asset_check(
    asset=["privacy", LEDGER],
    blocking=True,
    description="Rows in = kept + without consent + cookieless + duplicate + quarantined.",
)
def every_row_is_accounted_for(lake: LakeResource) -> dg.AssetCheckResult:
    """Nothing is lost silently, in the whole ledger."""
    broken = unbalanced(lake.lake)
    rows = int(waterfall(lake.lake, [])["rows_in"].sum())
    return dg.AssetCheckResult(
        passed=not broken,
        description="; ".join(broken[:5]) or f"{rows:,} rows are accounted for",
        metadata={"rows_in": rows, "unbalanced": broken[:50]},
    )


CHECKS = [every_row_is_accounted_for]
