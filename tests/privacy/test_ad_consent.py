"""The latest word on each signal decides, and a denial of the same moment wins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mkt_assets.privacy import quiet
from mkt_assets.privacy.ad_consent import make_states
from mkt_assets.privacy.policy import ADVERTISING, POLICY_V1, Policy

Workplace = Any  # the fixture's type lives in conftest
YES, NO = "granted", "denied"


def at(hour: int) -> datetime:
    return datetime(2025, 3, 10, hour, tzinfo=UTC)


def states(workplace: Workplace, log: list[Any], policy: Policy = POLICY_V1) -> dict[str, Any]:
    names = ("user_key", "changed_at", "ad_user_data", "ad_personalization", "ad_storage")
    path: Path = workplace.folder / "guarded.parquet"
    types = [pa.string(), pa.timestamp("us", "UTC"), *[pa.string()] * 3]
    rows = [dict(zip(names, (*entry, None)[:5], strict=True)) for entry in log]
    pq.write_table(
        pa.Table.from_pylist(rows, schema=pa.schema(list(zip(names, types, strict=True)))), path
    )
    make_states(workplace.con, consent=path, policy=policy, table="states")
    found = workplace.con.execute("from states").fetchall()
    return {who: since if is_granted else None for who, is_granted, since in found}


@pytest.mark.parametrize(
    ("entries", "granted"),
    [
        ([(1, YES, YES)], True),
        ([(1, YES, NO)], False),
        ([(1, YES, None)], False),
        ([(1, None, None)], False),
        ([(1, YES, YES), (2, NO, YES)], False),
        ([(1, NO, NO), (2, YES, YES)], True),
        ([(1, YES, None), (2, None, YES)], True),
        ([(1, YES, YES), (2, None, NO)], False),
        ([(1, YES, YES), (1, NO, YES)], False),
    ],
)
def test_the_latest_word_on_each_signal_decides(
    workplace: Workplace, entries: list[Any], granted: bool
) -> None:
    log = [("a", at(hour), *said) for hour, *said in entries]
    latest = max(entry[1] for entry in log)
    for order in (log, log[::-1]):
        assert states(workplace, order) == {"a": latest if granted else None}


def test_people_are_told_apart_and_silence_is_no_grant(workplace: Workplace) -> None:
    log = [("a", at(1), YES, YES), ("b", at(2), NO, NO)]
    assert states(workplace, log) == {"a": at(1), "b": None}
    assert states(workplace, []) == {}


def test_the_policy_says_which_signals(workplace: Workplace) -> None:
    policy = Policy(version="2", activation_needs=(*ADVERTISING, "ad_storage"))
    log = [("a", at(1), YES, YES, YES), ("b", at(1), YES, YES, NO), ("c", at(1), NO, NO, YES)]
    assert states(workplace, log, policy) == {"a": at(1), "b": None, "c": None}


def test_a_grant_that_is_yet_to_come_is_none(workplace: Workplace) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=20)
    with quiet.connect(workplace.folder) as con:
        path = workplace.folder / "log.parquet"
        con.execute(
            "copy (select 'x' as user_key, unnest([timestamptz '2025-01-01', ?::timestamptz]) "
            "as changed_at, unnest(['denied', 'granted']) as ad_user_data, "
            f"'granted' as ad_personalization) to '{path}' (format parquet)",
            [soon],
        )
        make_states(con, consent=path, policy=POLICY_V1, table="now_state")
        found = con.execute("select user_key, is_granted from now_state").fetchall()
    assert found == [("x", False)]
