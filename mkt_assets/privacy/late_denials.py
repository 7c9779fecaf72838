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
from mkt_assets.privacy.consent_entries import entries_sql
from mkt_assets.privacy.erasure_list import Listed
from mkt_assets.privacy.persons import stored_events
from mkt_assets.privacy.policy import CONSENT_DENIED, DENIED, Policy
from mkt_assets.privacy.pseudonyms import KeyRing
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.stored_forms import make_forms_of_log
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


def withdraw(  # noqa: PLR0913 - each is needed, none belongs to another
    con: duckdb.DuckDBPyConnection,
    lake: Lake,
    policy: Policy,
    *,
    ring: KeyRing,
    erased: Listed | None,
    now: datetime,
) -> dict[str, int]:
    """Take out stored events that consent, as it is known now, refuses.

    People are looked for in every form that the live keys and the landed log allow: a day that a
    rotation cut from its identifiers is reached as long as the old key is live.

    Returns:
        day -> rows taken out; nothing where all stored events keep the log.
    """
    log = lake.whole(CONSENT)
    if not any(lake.guarded.glob("events/event_date=*/events.parquet")):
        return {}
    _make_refusals(con, lake, policy, ring, entries_sql(log if log.is_file() else None, erased))
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


def _make_refusals(
    con: duckdb.DuckDBPyConnection, lake: Lake, policy: Policy, ring: KeyRing, entries: str
) -> None:
    """``late_refusals(user_key, changed_us, until_us)``: when who refuses analysis."""
    denied = " or ".join(f"{need} = '{DENIED}'" for need in policy.analysis_needs)
    quietly(
        con,
        "create or replace temp table late_refusals as "
        f"select user_key, changed_us, until_us from ({entries}) where {denied}",
    )
    if not quietly(con, "select 1 from late_refusals limit 1"):
        return
    if not make_forms_of_log(con, lake, ring, "late_forms"):
        return
    quietly(
        con,
        "insert into late_refusals select distinct forms.form, changed_us, until_us "
        "from late_refusals inner join late_forms as forms using (user_key) "
        "where forms.form <> user_key",
    )
    quietly(con, "drop table late_forms")
