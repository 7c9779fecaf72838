"""What an asset shows of itself in the Dagster UI: schema, row count, tables and pictures.

Dagster refuses numpy scalars, dates and naive timestamps; everything passes through here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from mkt_assets.contracts import Column
from mkt_assets.in_memory import asking

#: where Dagster looks for a column schema
COLUMNS = "dagster/column_schema"
_PICTURE_LIMIT = 200_000


def plain(value: Any) -> Any:
    """``value`` as something that Dagster's metadata accepts."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NaT or (isinstance(value, float) and not np.isfinite(value)):
        return None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def table_schema(described_columns: Iterable[Column]) -> dg.TableSchema:
    """A contract's columns as Dagster's column schema."""
    columns = []
    for column in described_columns:
        unit = f" [{column.unit}]" if column.unit else ""
        columns.append(
            dg.TableColumn(
                column.name,
                column.type,
                description=f"{column.description}{unit}",
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
                tags={"privacy": column.privacy} if column.privacy != "none" else {},
            )
        )
    return dg.TableSchema(columns)


def preview(frame: pd.DataFrame, rows: int = 10) -> dg.MetadataValue:
    """The first rows as a small markdown table."""
    head = frame.head(rows)
    lines = ["| " + " | ".join(head.columns) + " |", "|" + " --- |" * len(head.columns)]
    records = head.itertuples(index=False)
    lines += ["| " + " | ".join(_cell(value) for value in record) + " |" for record in records]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: Any) -> str:
    if isinstance(value, (pd.Timestamp, datetime)):
        return str(value)[:10]
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1 else f"{value:,.2f}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def picture(png: bytes) -> dg.MetadataValue:
    """A PNG that the Dagster UI draws.

    Raises:
        ValueError: it is too large for the UI.
    """
    encoded = base64.b64encode(png).decode()
    if len(encoded) > _PICTURE_LIMIT:
        raise ValueError(f"a picture of {len(png)} bytes is too large for the Dagster UI")
    return dg.MetadataValue.md(f"![chart](data:image/png;base64,{encoded})")


def described(row_count: int, **values: Any) -> dict[str, Any]:
    """Row count in Dagster's own field, the rest coerced and without what is missing."""
    kept = {
        key: value if isinstance(value, dg.MetadataValue) else plain(value)
        for key, value in values.items()
    }
    return {"dagster/row_count": int(row_count)} | {k: v for k, v in kept.items() if v is not None}


def parquet_schema(path: Path) -> dg.TableSchema:
    """The column schema of a stored file."""
    with asking() as con:
        relation = con.read_parquet(str(path))
        pairs = zip(relation.columns, relation.types, strict=True)
        return dg.TableSchema([dg.TableColumn(name, str(kind)) for name, kind in pairs])


def parquet_rows(path: Path) -> int:
    """The number of rows of a stored file, from its footer."""
    return int(pq.read_metadata(path).num_rows)
