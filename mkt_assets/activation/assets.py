"""Creative library and DSP payload as Dagster assets."""

import dagster as dg

from mkt_assets.activation import payload
from mkt_assets.activation.creative import build_library
from mkt_assets.audiences.segments import segment_sizes
from mkt_assets.calendar_days import last_complete_day
from mkt_assets.contracts import ACTIVATION
from mkt_assets.lake import replacing
from mkt_assets.marts.queries import CHANNELS, LINEAGE_IDS
from mkt_assets.metadata import COLUMNS, described
from mkt_assets.model_assets import model_asset, read_model, store
from mkt_assets.partitions import POOL, SINGLE_RUN, days_of_run
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings
from mkt_assets.warehouse import Warehouse

_SEGMENTS = ["audiences/audience_segments"] if settings().has_ga4 else []
_CHANNELS = ["marts/kpi_channel_daily"] if settings().has_ads else []
_BUDGET = ["allocation/budget_allocation"] if settings().has_ads else []


@model_asset("activation/creative_library", deps=[*_SEGMENTS, *_CHANNELS])
def creative_library(lake: LakeResource, warehouse: Warehouse) -> dg.MaterializeResult:
    """Write copy for each audience and judge it; people approve."""
    known = settings()
    channels = warehouse.query(CHANNELS) if known.has_ads else None
    segments = read_model(lake, warehouse, _SEGMENTS[0]) if known.has_ga4 else None
    library = build_library(channels, segments, currency=known.currency)
    return store(lake, warehouse, "activation/creative_library", library)


@dg.asset(
    key=["activation", "dsp_payload"],
    deps=[
        path.split("/")
        for path in ("activation/creative_library", "marts/lineage_ledger", *_SEGMENTS, *_BUDGET)
    ],
    group_name="activation",
    description="What is asked of the ad platform: budgets, audiences by size, copy; with lineage.",
    owners=[ACTIVATION],
    kinds={"python", "json"},
    backfill_policy=SINGLE_RUN,
    pool=POOL,
)
def dsp_payload(
    context: dg.AssetExecutionContext, lake: LakeResource, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Put the payload together, valid by schema and rules, and write it under its run date."""
    known = settings()
    days = days_of_run(context.run) or [last_complete_day(known)]
    built = payload.build(
        days[-1],
        read_model(lake, warehouse, _BUDGET[0]) if known.has_ads else None,
        read_model(lake, warehouse, "activation/creative_library"),
        segment_sizes(read_model(lake, warehouse, _SEGMENTS[0])) if known.has_ga4 else None,
        warehouse.query(LINEAGE_IDS)["lineage_id"],
        currency=known.currency,
        policy_version=known.policy.stamp,
        absent=known.absent,
    )
    path = lake.lake.payload(days[-1])
    with replacing(path) as writing:
        writing.write_bytes(payload.write_bytes(built))
    return dg.MaterializeResult(
        metadata=described(
            len(built["audiences"]) + len(built["creatives"]),
            path=dg.MetadataValue.path(path),
            idempotency_key=built["idempotency_key"],
            lineage_ids=len(built["lineage_ids"]),
            payload=dg.MetadataValue.json({**built, "lineage_ids": len(built["lineage_ids"])}),
        )
        | {COLUMNS: _payload_columns()}
    )


def _payload_columns() -> dg.TableSchema:
    """The fields of the payload, from its JSON Schema."""
    fields = payload.schema()["properties"].items()
    return dg.TableSchema(
        [
            dg.TableColumn(name, str(told.get("type", "object")), told.get("description"))
            for name, told in fields
        ]
    )


ASSETS = [creative_library, dsp_payload]
