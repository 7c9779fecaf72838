"""The Dagster resources: the data directory with its run lock, and dbt; no thinking here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from mkt_assets.lake import Lake
from mkt_assets.locks import exclusive


class LakeResource(dg.ConfigurableResource):
    """The data directory; held by one run at a time.

    With the in-process executor a resource lives as long as its run, so two runs that start at the
    same moment, however they were launched, work one after the other and never mix their outputs.
    """

    root: str
    lock_timeout_seconds: float = 3600.0

    @property
    def lake(self) -> Lake:
        """The folders."""
        return Lake(Path(self.root))

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[LakeResource]:
        """Take the run lock, tidy what interrupted runs left, and hold it until the run ends."""
        lake = self.lake
        lake.locks.mkdir(parents=True, exist_ok=True)
        run = context.run.run_id[:8] if context.run else "of unknown id"
        say = context.log.info if context.log else print
        with exclusive(
            lake.locks / "run.lock", f"run {run}", timeout=self.lock_timeout_seconds, say=say
        ):
            lake.prepare()
            lake.sweep()
            yield self
