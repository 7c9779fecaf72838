"""The bounded frames that suites are held against, read from the warehouse and the lake.

What stays out: judging them (``expectations``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

import duckdb
import pandas as pd

from mkt_assets.errors import MktError
from mkt_assets.ingest.staging import quoted
from mkt_assets.lake import Lake
from mkt_assets.quality.cross_rules import PARENTS
from mkt_assets.quality.expectations import flat_columns
from mkt_assets.quality.suites import Suite

#: a mart of years is held to its contract where a run may have changed it; dbt tests all of it
KEPT_DAYS: Final = 70


@dataclass
class Frames:
    """Tables of one build, read once each; ``since`` is the first day that the run may change."""

    con: duckdb.DuckDBPyConnection
    lake: Lake
    since: date
    types: dict[str, dict[str, str]] = field(default_factory=dict)
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)

    def read(self, suites: Sequence[Suite]) -> None:
        """Read the table of each suite.

        Raises:
            MktError: a table was never materialized.
        """
        for suite in suites:
            relation, values = self._relation(suite.table)
            told = self.con.execute(f"describe select * from {relation}", values).fetchall()
            self.types[suite.table] = {row[0]: row[1] for row in told}
            names = ", ".join(map(quoted, flat_columns(self.types[suite.table])))
            where = ""
            if suite.day in self.types[suite.table]:
                where = f" where {quoted(suite.day)} is null or {quoted(suite.day)} >= $since"
                values = {**values, "since": self.since - timedelta(days=KEPT_DAYS)}
            query = f"select {names} from {relation}{where}"
            self.frames[suite.table] = self.con.execute(query, values).df()

    def parents(self, name: str) -> list[Any]:
        """The values that a reference may take."""
        return self.con.execute(PARENTS[name]).df().iloc[:, 0].tolist()

    def _relation(self, table: str) -> tuple[str, dict[str, Any]]:
        stage, name = table.split("/")
        if stage == "marts":
            return f"marts.{quoted(name)}", {}
        path = self.lake.model(table)
        if not path.is_file():
            raise MktError(f"{table} is not there yet: materialize it first ({path} is missing)")
        return "read_parquet($file)", {"file": str(path)}
