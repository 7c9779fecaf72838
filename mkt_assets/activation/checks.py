"""What must hold of a payload before anybody pushes it, read back from the file as written."""

import json

import dagster as dg

from mkt_assets.activation import payload
from mkt_assets.calendar_days import last_complete_day
from mkt_assets.marts.queries import LINEAGE_IDS
from mkt_assets.model_assets import contract_checks
from mkt_assets.partitions import days_of_run
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings
from mkt_assets.warehouse import Warehouse


@dg.asset_check(
    asset=["activation", "dsp_payload"],
    blocking=True,
    description="The file keeps its JSON Schema and rules, and every lineage id is in the ledger.",
)
def payload_is_valid_and_traceable(
    context: dg.AssetCheckExecutionContext, lake: LakeResource, warehouse: Warehouse
) -> dg.AssetCheckResult:
    """Validate the stored bytes, not what was in memory."""
    days = days_of_run(context.run) or [last_complete_day(settings())]
    written = json.loads(lake.lake.payload(days[-1]).read_text(encoding="utf-8"))
    problems = payload.problems(written)
    known = set(warehouse.query(LINEAGE_IDS)["lineage_id"])
    lost = sorted(set(written["lineage_ids"]) - known)
    problems += [f"lineage id {lineage} is not in the ledger" for lineage in lost]
    return dg.AssetCheckResult(
        passed=not problems,
        description="; ".join(problems[:5]) or "valid, and every lineage id resolves",
        metadata={"problems": problems[:50], "lineage_ids": len(written["lineage_ids"])},
    )


CHECKS = [*contract_checks("activation"), payload_is_valid_and_traceable]
