"""SQL whose failures stay silent about values: DuckDB's own errors quote data and statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from mkt_assets.errors import MktError

#: keeps a process that guards a million events below 1 GB; more is spilled, the bytes are the same
MEMORY_LIMIT = "600MB"

#: these name a place or a size, never a value
_SPEAKABLE = (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.InterruptException)


def quietly(
    con: duckdb.DuckDBPyConnection,
    sql: str,
    values: Sequence[Any] | Mapping[str, Any] | None = None,
) -> list[tuple[Any, ...]]:
    """Run one statement and fetch everything.

    Raises:
        MktError: the statement failed; neither the statement nor a value is part of the error,
            of its cause or of its context.
    """
    try:
        return con.execute(sql, values).fetchall()
    except duckdb.Error as error:
        fault = type(error).__name__
        if isinstance(error, _SPEAKABLE):
            fault = f"{fault}: {str(error).splitlines()[0]}"
    # raised outside of the handler: inside, the original error would hang on as its context
    raise MktError(
        f"the guard's query failed ({fault}); details are withheld since they quote personal data"
    )


def connect(landing: Path, *, memory_limit: str = MEMORY_LIMIT) -> duckdb.DuckDBPyConnection:
    """An in-memory connection fit for the guard, to be reused for many partitions.

    What does not fit in memory is spilled inside the closed landing area, never into the current
    directory, which is DuckDB's default; times are UTC wherever the machine stands.
    """
    con = duckdb.connect(
        config={"temp_directory": str(landing / ".spill"), "memory_limit": memory_limit}
    )
    con.execute("set timezone = 'UTC'")
    # raw files are read few times and pushed more useful things out of the memory there is
    con.execute("set enable_external_file_cache = false")
    return con
