"""What must hold of the audiences before anything is published."""

import dagster as dg
import duckdb

from mkt_assets.check_steps import Context, check
from mkt_assets.contract_checks import violations
from mkt_assets.contracts import REGISTRY
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings

_SEGMENTS = REGISTRY["audiences/audience_segments"]


@check(
    _SEGMENTS.path.split("/"),
    name="keeps_its_data_contract",
    blocking=True,
    description="Columns, types, keys, nulls, bounds and values are as the contract says, in SQL: "
    "there is a row for every visitor.",
)
def segments_keep_their_contract(_context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """Of the stored file, whatever the asset believed."""
    with duckdb.connect() as con:
        found = violations(con, _SEGMENTS, lake.lake.model(_SEGMENTS.path))
    return dg.AssetCheckResult(
        passed=not found,
        metadata={"violations": dg.MetadataValue.md("\n".join(f"- {v}" for v in found) or "none")},
        description="; ".join(found) or "the contract is kept",
    )


CHECKS = [] if _SEGMENTS.needs & settings().absent.keys() else [segments_keep_their_contract]
