"""The published file as a Dagster asset."""

from datetime import UTC, datetime

import dagster as dg

from mkt_assets.contracts import ANALYTICS, PUBLICATION, REGISTRY
from mkt_assets.metadata import COLUMNS, described, table_schema
from mkt_assets.partitions import POOL, SINGLE_RUN
from mkt_assets.privacy.erasure import complete
from mkt_assets.publish.snapshot import LINK, Publication, publish
from mkt_assets.publish.tables import published_marts, published_models
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings
from mkt_assets.warehouse import Warehouse

_MARTS = published_marts(settings())
_MODELS = published_models(settings())


@dg.asset(
    key=["publish", "bi_snapshot"],
    # the payload too: what its checks refuse must not be published beside it
    deps=[
        *(["marts", mart] for mart in _MARTS),
        *(path.split("/") for path in _MODELS),
        ["activation", "dsp_payload"],
    ],
    group_name="publish",
    description="A complete read-only copy of everything published: serving/mkt_bi.duckdb.",
    owners=[ANALYTICS],
    kinds={"duckdb", "parquet"},
    backfill_policy=SINGLE_RUN,
    pool=POOL,
)
def bi_snapshot(
    context: dg.AssetExecutionContext, lake: LakeResource, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Write the next version and swap it in."""
    publication = Publication(
        run_id=context.run.run_id,
        published_at=datetime.now(UTC),
        build=warehouse.build(),
        absent=settings().absent,
    )
    models = [REGISTRY[path] for path in _MODELS]
    published = publish(lake.lake, _MARTS, models, publication)
    complete(lake.lake, publication.published_at)
    return dg.MaterializeResult(
        metadata=described(
            sum(published.rows.values()),
            tables=dg.MetadataValue.md(
                "| table | rows |\n| --- | ---: |"
                + "".join(f"\n| {name} | {rows:,} |" for name, rows in published.rows.items())
            ),
            path=dg.MetadataValue.path(lake.lake.serving / LINK),
            version=published.path.name,
            build_id=publication.build.id,
            absent=dict(publication.absent),
        )
        | {COLUMNS: table_schema(PUBLICATION.columns)}
    )


ASSETS = [bi_snapshot]
