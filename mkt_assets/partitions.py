"""The daily calendar as Dagster partitions, and how a range of days becomes one run."""

from __future__ import annotations

from datetime import date

import dagster as dg

from mkt_assets.settings import settings

DAILY = dg.DailyPartitionsDefinition(
    start_date=settings().start_date.isoformat(), timezone=settings().timezone
)

#: every asset runs a range of days as one run, the unpartitioned ones too
SINGLE_RUN = dg.BackfillPolicy.single_run()

#: what every asset uses; `dagster.yaml` lets one run at a time use it, and lets the others queue
POOL = "mkt_data_directory"

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def range_tags(first: date, last: date) -> dict[str, str]:
    """The run tags that ask Dagster for the days ``first`` to ``last``, both included."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """The days that this step was asked for."""
    return [date.fromisoformat(key) for key in context.partition_keys]


def days_of_run(run: dg.DagsterRun) -> list[date]:
    """The days that a run was asked for, for steps that have no partitions of their own.

    Empty for a run that names no day.
    """
    tags = run.tags
    first = tags.get(RANGE_START, tags.get("dagster/partition"))
    last = tags.get(RANGE_END, tags.get("dagster/partition"))
    if first is None or last is None:
        return []
    keys = DAILY.get_partition_keys_in_range(dg.PartitionKeyRange(first, last))
    return [date.fromisoformat(key) for key in keys]
