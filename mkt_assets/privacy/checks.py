"""What must hold of guarded data before dbt may read it."""

import dagster as dg

from mkt_assets.ingest.sources import CONSENT
from mkt_assets.privacy.ledger import LEDGER, set_aside, unbalanced, waterfall
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings


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


@dg.asset_check(
    asset=["privacy", CONSENT],
    blocking=True,
    description="Every entry of the consent log has a person and a possible time.",
)
def every_consent_entry_has_its_place(lake: LakeResource) -> dg.AssetCheckResult:
    """An entry that cannot be placed may be a refusal; until then an earlier grant would hold."""
    aside = set_aside(lake.lake, CONSENT)
    told = ", ".join(f"{n} {why}" for why, n in aside.items())
    return dg.AssetCheckResult(
        passed=not aside,
        description=f"set aside: {told}; correct the log" if aside else "every entry has its place",
        metadata={"set_aside": aside},
    )


CHECKS = [
    every_row_is_accounted_for,
    *(
        [every_consent_entry_has_its_place]
        if settings().has_ga4 and settings().has_consent_log
        else []
    ),
]
