"""What must hold of the published file, seen as its readers see it."""

import dagster as dg
import duckdb

from mkt_assets.activation.checks import nothing_personal_leaves
from mkt_assets.check_steps import Context, check
from mkt_assets.contracts import REGISTRY
from mkt_assets.privacy.checks import metadata_of, nothing_personal
from mkt_assets.privacy.scan_places import scan_events, scan_version
from mkt_assets.publish.snapshot import LINK
from mkt_assets.publish.tables import published_marts, published_models
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings


@check(
    ["publish", "bi_snapshot"],
    blocking=True,
    description="The file behind the link opens read-only and holds every table that it announces.",
)
def opens_and_is_complete(_context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """Open the published file as a BI tool would."""
    wanted = {*published_marts(settings()), "publication"}
    wanted |= {REGISTRY[path].name for path in published_models(settings())}
    with duckdb.connect(str(lake.lake.serving / LINK), read_only=True) as con:
        found = con.execute(
            "select table_name from information_schema.tables where table_schema = 'marts'"
        ).fetchall()
    missing = sorted(wanted - {row[0] for row in found})
    return dg.AssetCheckResult(
        passed=not missing,
        description=f"missing: {', '.join(missing)}" if missing else "complete",
        metadata={"tables": len(found), "missing": missing},
    )


@check(
    ["publish", "bi_snapshot"],
    blocking=True,
    description="The published file, its Parquet twins and their metadata hold nothing personal.",
)
def published_nothing_personal(context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """Scan the bytes that readers open; what they and other metadata say was scanned before."""
    version = (lake.lake.serving / LINK).resolve()
    metadata = metadata_of(context, since=nothing_personal_leaves.spec.key)
    return nothing_personal([*scan_version(lake.lake, version), *scan_events(lake.lake, metadata)])


CHECKS = [opens_and_is_complete, published_nothing_personal]
