"""What must hold of a payload before anybody pushes it, read back from the file as written."""

import json

import dagster as dg

from mkt_assets.activation import payload
from mkt_assets.calendar_days import last_complete_day
from mkt_assets.model_assets import contract_checks
from mkt_assets.partitions import days_of_run
from mkt_assets.privacy.tracing import unresolved
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings


@dg.asset_check(
    asset=["activation", "dsp_payload"],
    blocking=True,
    description="The file keeps its JSON Schema and rules, and every lineage id of it resolves.",
)
def payload_is_valid_and_traceable(
    context: dg.AssetCheckExecutionContext, lake: LakeResource
) -> dg.AssetCheckResult:
    """Validate the stored bytes, not what was in memory."""
    days = days_of_run(context.run) or [last_complete_day(settings())]
    written = json.loads(lake.lake.payload(days[-1]).read_text(encoding="utf-8"))
    problems = payload.problems(written)
    lost = unresolved(lake.lake, written.get("lineage_ids", []))
    problems += [f"lineage id {lineage} resolves nowhere: see mkt lineage" for lineage in lost]
    return dg.AssetCheckResult(
        passed=not problems,
        description="; ".join(problems[:5]) or "valid, and every lineage id resolves",
        metadata={"problems": problems[:50], "lineage_ids": len(written.get("lineage_ids", []))},
    )


CHECKS = [*contract_checks("activation"), payload_is_valid_and_traceable]
