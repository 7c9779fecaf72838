"""Who may be advertised to now: the latest word of the guarded consent log on each signal.

What stays out: consent at the time of an event, which is analysis (event_decisions).
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from mkt_assets.privacy.policy import DENIED, GRANTED, Policy
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.raw_files import parquet


def make_states(  # noqa: PLR0913  each is a part of the question, named at the call
    con: duckdb.DuckDBPyConnection,
    *,
    consent: Path,
    policy: Policy,
    table: str,
    refusals: Path | None = None,
    people: str | None = None,
) -> None:
    """Make the temporary ``table(user_key, is_granted, granted_at)``, a row a person of the log.

    For each signal the latest entry that says something counts; of two of one moment, the denial.
    ``granted_at`` is the time of the person's latest entry: whoever went through the choices again
    and left the grants standing has confirmed them.

    Args:
        con: the connection.
        consent: the guarded consent log.
        policy: its ``activation_needs`` must all be granted.
        table: name of the table to make; the caller drops it.
        refusals: the devices on which a login says no (``ad_refusals``), where there are any.
        people: a table whose ``user_key`` are those to ask for; otherwise everybody.
    """
    latest = ", ".join(
        f"max_by({need}, row(changed_at, {need} = '{DENIED}')) filter (where {need} is not null) "
        f"as {need}"
        for need in policy.activation_needs
    )
    granted = " and ".join(f"{need} = '{GRANTED}'" for need in policy.activation_needs)
    if refusals is not None and refusals.is_file():
        granted += f" and user_key not in (select user_key from {parquet(refusals)})"
    asked = f" and user_key in (select user_key from {people})" if people else ""
    quietly(
        con,
        f"create or replace temp table {table} as "
        f"select user_key, coalesce({granted}, false) as is_granted, granted_at from ("
        f"select user_key, max(changed_at) as granted_at, {latest} from {parquet(consent)} "
        # clocks differ, and the log may hold what is yet to come
        f"where changed_at <= now(){asked} "
        "group by user_key)",
    )
