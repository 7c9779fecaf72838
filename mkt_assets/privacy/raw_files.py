"""Landed Parquet files as FROM items; what stays out: what their rows mean."""

from __future__ import annotations

from pathlib import Path

from mkt_assets.lake import sql_text


def parquet(path: Path) -> str:
    """A Parquet file, or all of a folder."""
    pattern = path / "*.parquet" if path.is_dir() else path
    return f"read_parquet('{sql_text(pattern)}', hive_partitioning = false)"


def numbered(path: Path) -> str:
    """The same with ``row_id``, which tells the rows of all files apart."""
    return (
        "(select *, (cast(file_index as bigint) << 40) + file_row_number as row_id "
        f"from {parquet(path)})"
    )
