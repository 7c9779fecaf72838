"""Consent that turns out, later, not to have been there: a log entry that comes after its day.

The consent log is read anew at each run. An entry that was not there when a day was guarded, but is
older than events of that day, refuses them all the same. What stays out: entries that are known
when a day is guarded (``event_decisions``).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb

from mkt_assets.ingest.sources import CONSENT
from mkt_assets.lake import Lake
from mkt_assets.privacy.persons import stored_events
from mkt_assets.privacy.policy import CONSENT_DENIED, DENIED, Policy
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import parquet
from mkt_assets.privacy.stored_partitions import take_out

#: whose events are refused, from which microsecond to which
_IS_REFUSED: Final = """
    exists (
        select 1 from late_refusals as refusal
        where refusal.user_key = told.user_key
            and told.event_timestamp >= refusal.changed_us
            and told.event_timestamp < refusal.until_us
    ) or exists (
        select 1 from late_refusals as refusal
        where refusal.user_key = told.login_key
            and told.event_timestamp >= refusal.changed_us
            and told.event_timestamp < refusal.until_us
    )"""


def refused_sql(consent: Path, policy: Policy) -> str:
    """``user_key, changed_us, until_us`` of the times in which the log refuses analysis."""
    denied = " or ".join(f"{need} = '{DENIED}'" for need in policy.analysis_needs)
    return f"""
        select user_key, changed_us, until_us
        from (
            select
                *,
                epoch_us(changed_at) as changed_us,
                coalesce(
                    lead(epoch_us(changed_at)) over (partition by user_key order by changed_at),
                    9223372036854775807
                ) as until_us
            from {parquet(consent)}
        )
        where {denied}"""


def withdraw(
    con: duckdb.DuckDBPyConnection, lake: Lake, policy: Policy, *, now: datetime
) -> dict[str, int]:
    """Take out stored events that the consent log, as it is now, refuses.

    Returns:
        day -> rows taken out; nothing where all stored events keep the log.
    """
    log = lake.whole(CONSENT)
    if not log.is_file() or not any(lake.guarded.glob("events/event_date=*/events.parquet")):
        return {}
    quietly(con, f"create or replace temp table late_refusals as {refused_sql(log, policy)}")
    found = quietly(
        con,
        "select filename, count(*) from read_parquet($events, filename = true) as told "
        f"where {_IS_REFUSED} group by filename order by filename",
        {"events": stored_events(lake)},
    )
    for name, _ in found:
        take_out(con, lake, Path(name), is_meant=_IS_REFUSED, reason=CONSENT_DENIED, now=now)
    quietly(con, "drop table late_refusals")
    return {Path(name).parent.name.removeprefix("event_date="): n for name, n in found}
