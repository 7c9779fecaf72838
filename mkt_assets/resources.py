"""The Dagster resources: the data directory with its run lock, and dbt; no thinking here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from pydantic import Field

from mkt_assets.data_directory import claim, refuse_damaged, refuse_unusable
from mkt_assets.lake import Lake
from mkt_assets.locks import exclusive, is_abandoned, present, wait_until_closed
from mkt_assets.partitions import days_of_run


class LakeResource(dg.ConfigurableResource):
    """The data directory; held by one run at a time.

    With the in-process executor a resource lives as long as its run, so two runs that start at the
    same moment, however they were launched, work one after the other and never mix their outputs.
    """

    root: str
    lock_timeout_seconds: float = 3600.0
    #: whose data these are; see `data_directory.claim`
    identity: dict[str, str] = Field(default_factory=dict)

    @property
    def lake(self) -> Lake:
        """The folders."""
        return Lake(Path(self.root))

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[LakeResource]:
        """Take the run lock, tidy what interrupted runs left, and hold it until the run ends."""
        lake, run = self.lake, context.run
        say = context.log.info if context.log else print
        refuse_unusable(lake)
        name = f"run {run.run_id[:8]}" if run else "a run of unknown id"
        with ExitStack() as held:
            if run:
                held.enter_context(present(lake.presence(run.run_id), name))
            patience, lock = self.lock_timeout_seconds, lake.locks / "run.lock"
            held.enter_context(exclusive(lock, name, timeout=patience, say=say))
            # a killed run may have left its dbt behind, which still reads the lake
            wait_until_closed(lake.warehouse, timeout=patience, say=say)
            if context.instance:
                end_dead_runs(context.instance, lake)
            lake.prepare()
            lake.sweep()
            claim(lake, self.identity)
            refuse_damaged(lake, days_of_run(run) if run else [])
            yield self


def end_dead_runs(instance: dg.DagsterInstance, lake: Lake) -> list[str]:
    """Tell Dagster which runs were killed: it takes them for running, and its queue waits for them.

    Only of runs that left a sign of life here is anything known.
    """
    going_on = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    ended = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=going_on)):
        if is_abandoned(lake.presence(run.run_id)):
            instance.report_run_failed(run, "The process of this run was killed.")
            ended.append(run.run_id)
    for presence in lake.presence("any").parent.glob("*"):
        if is_abandoned(presence):
            presence.unlink()
    return ended


def remove_step_logs(instance: dg.DagsterInstance, *, days: int, now: datetime) -> int:
    """Remove what steps printed in runs created more than ``days`` days before ``now``.

    The runs and their events stay: they hold what was made when. How many runs are that old.
    """
    ended = [dg.DagsterRunStatus(s) for s in ("SUCCESS", "FAILURE", "CANCELED")]
    old = dg.RunsFilter(statuses=ended, created_before=now - timedelta(days=days))
    run_ids = instance.get_run_ids(filters=old)
    for run_id in run_ids:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    return len(run_ids)
