"""How a Python asset is declared from its contract, and stored; no thinking here."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import MktError
from mkt_assets.metadata import COLUMNS, described, preview, table_schema
from mkt_assets.partitions import POOL, SINGLE_RUN
from mkt_assets.resources import LakeResource
from mkt_assets.warehouse import Warehouse


def model_spec(path: str, *, deps: Sequence[str]) -> dg.AssetSpec:
    """The asset spec of the table ``path`` of the contracts, made from the tables ``deps``."""
    table = REGISTRY[path]
    return dg.AssetSpec(
        key=path.split("/"),
        deps=[dep.split("/") for dep in deps],
        group_name=table.stage,
        description=table.description,
        owners=[table.owner],
        kinds={"python", "parquet"},
        metadata={COLUMNS: table_schema(table.columns)},
    )


def model_asset(path: str, *, deps: Sequence[str]) -> Callable[..., Any]:
    """A Dagster asset for the table ``path``, declared by its contract."""
    return model_assets(path.replace("/", "__"), model_spec(path, deps=deps))


def model_assets(name: str, *specs: dg.AssetSpec) -> Callable[..., Any]:
    """One step that makes several tables; it runs a range of days as one run."""
    return dg.multi_asset(name=name, specs=specs, backfill_policy=SINGLE_RUN, pool=POOL)


def store(
    lake: LakeResource, warehouse: Warehouse, path: str, frame: pd.DataFrame, **metadata: Any
) -> dg.MaterializeResult:
    """Replace the table ``path`` and say what a person wants to see of it."""
    table = REGISTRY[path]
    lake.lake.write_model(table, frame, warehouse.build().id)
    # Dagster keeps metadata for good, so no key of a person belongs there
    told = frame[[c.name for c in table.columns if c.privacy == "none"]]
    shown = described(len(frame), preview=preview(told), **metadata)
    return dg.MaterializeResult(asset_key=path.split("/"), metadata=shown)


def read_model(lake: LakeResource, warehouse: Warehouse, path: str) -> pd.DataFrame:
    """A model table that an earlier asset made from the marts as they are now.

    Raises:
        MktError: it was never made, or from other marts: what is made from it would mix two builds.
    """
    frame = lake.lake.read_model(path)
    build = warehouse.build().id
    if lake.lake.build_of(path) != build:
        raise MktError(
            f"{path} was computed from other marts than build {build}: materialize it again first"
        )
    return frame
