"""The consent that is known of people, as times and states: the guarded log, and what outlasts it.

An erasure takes a person's entries out of the log; a refusal among them goes on counting, by the
list of standing erasures: to be erased never turns a No into a Yes. What stays out: what a state
means for analysis (``event_decisions``) or advertising (``ad_consent``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mkt_assets.lake import sql_text
from mkt_assets.privacy.erasure_list import Listed
from mkt_assets.privacy.policy import DENIED, SIGNALS
from mkt_assets.privacy.raw_files import parquet

#: later than any time in microseconds
_FOREVER: Final = 2**63 - 1


def entries_sql(consent: Path | None, erased: Listed | None, among: str | None = None) -> str:
    """``user_key, changed_us, until_us`` and the four signals: the state between two entries.

    A signal is NULL until it is first named.

    Args:
        consent: the guarded log; None where there is none.
        erased: the list of standing erasures, where anybody is on it; a refusal there counts from
            the erasure until the log says something else of that signal.
        among: a SELECT of the pseudonyms that are asked for; None for everybody.
    """
    told = [_NOTHING]
    if consent is not None:
        signals = ", ".join(SIGNALS)
        told.append(
            f"select user_key, epoch_us(changed_at) as changed_us, {signals} "
            f"from {parquet(consent)}"
        )
    if erased is not None:
        told.append(_standing_sql(erased))
    # the log's entries are states already; only what stands from before must be carried on
    states = ", ".join(
        f"last_value({signal} ignore nulls) over told as {signal}"
        if erased is not None
        else f"{signal} as {signal}"
        for signal in SIGNALS
    )
    return f"""
        select
            user_key,
            changed_us,
            coalesce(
                lead(changed_us) over (partition by user_key order by changed_us), {_FOREVER}
            ) as until_us,
            {states}
        from ({" union all by name ".join(told)})
        {f"where user_key in ({among})" if among else ""}
        window told as (
            partition by user_key order by changed_us
            rows between unbounded preceding and current row
        )"""


_NOTHING: Final = (
    "select null::varchar as user_key, null::bigint as changed_us, "
    + ", ".join(f"null::varchar as {signal}" for signal in SIGNALS)
    + " where false"
)


def _standing_sql(erased: Listed) -> str:
    signals = ", ".join(
        f"case when list_contains(refused, '{signal}') then '{DENIED}' end as {signal}"
        for signal in SIGNALS
    )
    return (
        f"select pseudonym as user_key, epoch_us(erased_at) as changed_us, {signals} "
        f"from read_parquet('{sql_text(erased.path)}') where len(refused) > 0"
    )
