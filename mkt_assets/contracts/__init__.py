"""The one registry of the tables that Python writes: columns, types, units, keys, bounds, owner.

dbt's sources and models carry their contract in dbt's YAML; a table is described in exactly one of
the two places. From here come the column schema that Dagster shows, the contract checks, and the
comments in the published file.
"""

from __future__ import annotations

from functools import cache

import yaml

from mkt_assets.contracts import (
    activation,
    allocation,
    audiences,
    experiments,
    forecast,
    insights,
)
from mkt_assets.contracts.columns import (
    ACTIVATION,
    ANALYTICS,
    PRIVACY_OFFICE,
    Column,
    Need,
    Privacy,
    Table,
)
from mkt_assets.project import dbt_project_dir

__all__ = [
    "ACTIVATION",
    "ANALYTICS",
    "PRIVACY_OFFICE",
    "REGISTRY",
    "Column",
    "Need",
    "Privacy",
    "Table",
    "lake_columns",
]

#: by path, in the order in which the data flows
REGISTRY: dict[str, Table] = {
    table.path: table
    for stage in (insights, forecast, audiences, experiments, allocation, activation)
    for table in stage.TABLES
}


@cache
def lake_columns(table: str) -> tuple[Column, ...]:
    """The columns of a guarded table, as dbt's sources describe them.

    Raises:
        KeyError: dbt reads no such table.
    """
    path = dbt_project_dir() / "models" / "staging" / "_sources.yml"
    sources = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]
    tables = {t["name"]: t for source in sources for t in source["tables"]}
    return tuple(
        Column(c["name"], c["data_type"], c["description"], nullable=True)
        for c in tables[table]["columns"]
    )
