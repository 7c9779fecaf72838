"""What must hold of guarded data before dbt may read it."""

from collections.abc import Iterator, Sequence

import dagster as dg

from mkt_assets.ingest.sources import ADS, CONSENT, EVENTS, EXPERIMENTS
from mkt_assets.partitions import days_of_run
from mkt_assets.privacy import scan_places
from mkt_assets.privacy.guarding import COOKIELESS
from mkt_assets.privacy.judging import Finding
from mkt_assets.privacy.ledger import LEDGER, set_aside, unbalanced, waterfall
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings

#: the events of a run that carry metadata
_TOLD = {
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
}


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


def nothing_personal(found: Sequence[Finding]) -> dg.AssetCheckResult:
    """The verdict on a scan: places, columns, kinds and counts, never a value."""
    lines = [finding.as_line() for finding in found]
    remedy = "; withhold what was made of it, and tell who looks after privacy" if lines else ""
    return dg.AssetCheckResult(
        passed=not lines,
        description="; ".join(lines[:5]) + remedy if lines else "nothing personal was found",
        metadata={"findings": lines[:50], "places_and_kinds": len(lines)},
    )


def metadata_of(context: dg.AssetCheckExecutionContext, stage: str = "") -> Iterator[str]:
    """What the run has told Dagster so far of its assets, or of those of one stage, as stored."""
    for event in context.instance.all_logs(context.run.run_id, of_type=_TOLD):
        if str(event.step_key).startswith(stage):
            yield event.to_json()


def _scan_check(table: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["privacy", table],
        name="holds_nothing_personal",
        blocking=True,
        description="No text of the guarded rows is personal, and every key looks like one.",
    )
    def check(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        return nothing_personal(
            scan_places.scan_guarded(lake.lake, table, days_of_run(context.run))
        )

    return check


_SCANNED = [
    *([EVENTS, COOKIELESS] if settings().has_ga4 else []),
    *([CONSENT] if settings().has_ga4 and settings().has_consent_log else []),
    *([ADS] if settings().has_ads else []),
    *([EXPERIMENTS] if settings().has_experiments else []),
    LEDGER,
]

CHECKS = [
    *map(_scan_check, _SCANNED),
    every_row_is_accounted_for,
    *(
        [every_consent_entry_has_its_place]
        if settings().has_ga4 and settings().has_consent_log
        else []
    ),
]
