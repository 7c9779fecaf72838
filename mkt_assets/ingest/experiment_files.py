"""Daily counts of A/B tests from a file; what stays out: their statistics."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mkt_assets.errors import InputError

COLUMNS = (
    "test",
    "day",
    "arm",
    "expected_share",
    "users",
    "conversions",
    "revenue",
    "revenue_sq",
)


def read_experiments(path: Path) -> pd.DataFrame:
    """The rows of a CSV (plain or gzipped) or Parquet file with exactly ``COLUMNS``.

    Raises:
        InputError: the file cannot be read or lacks a column.
    """
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"the file of A/B tests cannot be read: {type(error).__name__}",
            file=path,
            remedy="Give a CSV or Parquet file.",
        ) from error
    missing = [name for name in COLUMNS if name not in frame]
    if missing:
        raise InputError(
            f"the file of A/B tests lacks {', '.join(missing)}",
            file=path,
            remedy=f"Its columns must be {', '.join(COLUMNS)}.",
        )
    return frame[list(COLUMNS)]
