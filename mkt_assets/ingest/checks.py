"""What must hold of landed rows before the guard reads them."""

from collections.abc import Iterable

import dagster as dg

from mkt_assets.ingest.sources import ADS, EVENTS, Landed, read_manifest
from mkt_assets.partitions import days_of_run
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings


def _days_check(asset: str, table: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["ingest", asset],
        name="few_rows_were_set_aside",
        blocking=True,
        description="Every row read was landed or set aside with a reason, and few were set aside.",
    )
    def check(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        days = days_of_run(context.run)
        landed = {day: read_manifest(lake.lake.landed(table, day)) for day in days}
        faults = [
            f"{day}: {fault}" for day, objects in landed.items() for fault in _faults(objects)
        ]
        read = sum(item.rows_in for objects in landed.values() for item in objects)
        return dg.AssetCheckResult(
            passed=not faults,
            description="; ".join(faults[:5])
            or f"{read:,} rows of {len(days)} days are accounted for",
            metadata={"days": len(days), "rows_read": read, "faults": faults[:20]},
        )

    return check


def _faults(objects: Iterable[Landed]) -> list[str]:
    faults = []
    for item in objects:
        aside = sum(item.quarantined.values())
        lost = item.rows_in - item.rows - item.duplicates - aside
        if lost:
            faults.append(f"{lost} rows of {item.source.uri} are unaccounted for: a bug, report it")
        limit = settings().quarantine_limit
        if item.rows_in and aside / item.rows_in > limit:
            reasons = ", ".join(f"{n} {why}" for why, n in item.quarantined.items())
            faults.append(
                f"{aside} of {item.rows_in} rows of {item.source.uri} were set aside ({reasons}); "
                f"mend the file, or raise MKT_QUARANTINE_LIMIT above {limit:g} to go on without them"
            )
    return faults


CHECKS = [
    *([_days_check("raw_events", EVENTS)] if settings().has_ga4 else []),
    *([_days_check("raw_ad_performance", ADS)] if settings().has_ads else []),
]
