"""What must hold of a payload before anybody pushes it, read back from the file as written."""

import json

import dagster as dg

from mkt_assets.activation import payload
from mkt_assets.calendar_days import last_complete_day
from mkt_assets.check_steps import Context, check
from mkt_assets.contracts import REGISTRY
from mkt_assets.partitions import days_of_run
from mkt_assets.privacy.checks import metadata_of, nothing_personal
from mkt_assets.privacy.scan_places import scan_events, scan_file, scan_models, scan_reports
from mkt_assets.privacy.tracing import unresolved
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings

_MODELS = [p for p, table in REGISTRY.items() if not table.needs & settings().absent.keys()]


@check(
    ["activation", "dsp_payload"],
    blocking=True,
    description="The file keeps its JSON Schema and rules, and every lineage id of it resolves.",
)
def payload_is_valid_and_traceable(context: Context, lake: LakeResource) -> dg.AssetCheckResult:
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


@check(
    ["activation", "dsp_payload"],
    # the payload is made last; with these, whatever is published has been there to be scanned
    additional_deps=[path.split("/") for path in _MODELS],
    blocking=True,
    description="Models, payload, reports and the metadata of this run hold nothing personal.",
)
def nothing_personal_leaves(context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """Scan everything that Python made before any of it is published."""
    place = lake.lake
    days = days_of_run(context.run) or [last_complete_day(settings())]
    models = [path for path in _MODELS if place.model(path).is_file()]
    return nothing_personal(
        [
            *scan_models(place, models),
            *scan_file(place, place.payload(days[-1])),
            *scan_reports(place),
            *scan_events(place, metadata_of(context)),
        ]
    )


CHECKS = [payload_is_valid_and_traceable, nothing_personal_leaves]
