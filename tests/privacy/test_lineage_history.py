"""Superseded lines: whatever is replaced, in whatever order runs are killed, no id is forgotten."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.ingest.locations import SourceObject
from mkt_assets.ingest.sources import ADS, Landed, write_manifest
from mkt_assets.lake import Lake, replacing
from mkt_assets.privacy import lineage_history
from mkt_assets.privacy.guarding import Guard
from mkt_assets.privacy.ledger import lines_path
from mkt_assets.privacy.lineage import FATES, ledger_rows
from mkt_assets.privacy.lineage_history import SUPERSEDED_AT, history_path, replace_lines
from mkt_assets.privacy.tracing import all_lines, unresolved
from mkt_assets.settings import load_settings

DAY = date(2025, 3, 10)
START = datetime(2025, 3, 11, 6, tzinfo=UTC)


def line(name: str, at: datetime, kept: int = 1) -> dict[str, Any]:
    """A ledger line of which only name, time and size matter."""
    return {
        "lineage_id": f"ln_{name}",
        "table_name": "events",
        "partition": DAY,
        "source_uri": "file:///drops/events.json",
        "source_bytes": 1,
        "source_sha256": name,
        "rows_in": kept,
        **dict.fromkeys(FATES, 0),
        "rows_kept": kept,
        "reasons": "{}",
        "policy_version": "1",
        "consent_basis": "privacy_info",
        "key_id": "k1",
        "code_version": "0",
        "run_id": "r",
        "processed_at": at,
    }


class KilledError(Exception):
    """Stands for a kill -9: nothing after it happens."""


@contextmanager
def killed_before(writes: int) -> Iterator[None]:
    """Let so many files be replaced, then no more."""
    left = [writes]

    @contextmanager
    def counted(path: Path, **options: Any) -> Iterator[Path]:
        if left[0] == 0:
            raise KilledError
        left[0] -= 1
        with replacing(path, **options) as writing:
            yield writing

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lineage_history, "replacing", counted)
        yield


#: each step: the sources that the day has now, and how many of the two writes survive
STEPS = st.lists(
    st.tuples(st.sets(st.sampled_from("abcd"), max_size=3), st.sampled_from([0, 1, 2])),
    min_size=1,
    max_size=8,
)


@pytest.mark.slow
@given(steps=STEPS)
@settings(max_examples=80, deadline=None)
def test_no_id_is_forgotten_and_none_told_twice_however_often_it_is_killed(steps: Any) -> None:
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        entered: set[str] = set()
        for number, (names, survive) in enumerate(steps):
            now = START + timedelta(hours=number)
            lines = ledger_rows([line(name, now) for name in sorted(names)])
            try:
                with killed_before(survive):
                    replace_lines(lake, "events", DAY, lines, now=now)
                entered |= names
            except KilledError:
                # the same again, as the next run does
                replace_lines(lake, "events", DAY, lines, now=now)
                entered |= names
            current = set(
                pq.read_table(lines_path(lake, "events", DAY))["source_sha256"].to_pylist()
            )
            assert current == names
            if entered:
                assert unresolved(lake, [f"ln_{name}" for name in entered]) == []
        told = (
            [
                (one.id, one.told["processed_at"])
                for one in all_lines(lake)
                if one.superseded_at is not None
            ]
            if entered
            else []
        )
        assert len(told) == len(set(told))


def test_a_kill_between_the_two_writes_loses_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    replace_lines(lake, "events", DAY, ledger_rows([line("a", START)]), now=START)
    later = START + timedelta(days=1)
    with pytest.raises(KilledError), killed_before(1):
        replace_lines(lake, "events", DAY, ledger_rows([line("b", later)]), now=later)
    assert unresolved(lake, ["ln_a"]) == []
    for _ in range(2):
        replace_lines(lake, "events", DAY, ledger_rows([line("b", later)]), now=later)
    (kept,) = pq.read_table(history_path(lake, "events", DAY)).to_pylist()
    assert (kept["lineage_id"], kept[SUPERSEDED_AT]) == ("ln_a", later)
    assert unresolved(lake, ["ln_a", "ln_b", "ln_c"]) == ["ln_c"]


def test_the_same_id_with_other_counts_is_not_superseded(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for kept in (5, 4):
        replace_lines(lake, "events", None, ledger_rows([line("a", START, kept)]), now=START)
    assert not history_path(lake, "events", None).exists()


def test_a_day_that_becomes_empty_keeps_what_it_was(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    replace_lines(lake, "events", DAY, ledger_rows([line("a", START)]), now=START)
    replace_lines(lake, "events", DAY, ledger_rows([]), now=START)
    assert unresolved(lake, ["ln_a"]) == []


def test_late_data_leave_yesterday_s_id_traceable(tmp_path: Path) -> None:
    """GA4 rewrites a day: the guard itself, on two contents of one source, then the same again."""
    guard = Guard(Lake(tmp_path), load_settings(), "run-1")
    for content in ("first", "late", "late"):
        _land(guard.lake, content)
        guard.ads(DAY)
    told = [(one.told["source_sha256"], one.superseded_at is None) for one in all_lines(guard.lake)]
    assert told == [("late", True), ("first", False)]
    again = dataclasses.replace(guard, settings=load_settings(policy_version="2"))
    again.ads(DAY)
    assert [one.told["policy_version"] for one in all_lines(guard.lake)] == [
        again.policy.stamp, "1", "1",
    ]  # fmt: skip


def _land(lake: Lake, content: str) -> None:
    uri = "file:///drops/ads.csv"
    frame = pd.DataFrame(
        {
            "date": pd.to_datetime([DAY]),
            "channel": ["Search"],
            "campaign": ["brand"],
            "campaign_id": [None],
            "currency": ["EUR"],
            "impressions": [10],
            "clicks": [1],
            "leads": [None],
            "conversions": [None],
            "spend": [1.5],
            "revenue": [None],
            "source_file": [uri],
            "source_row": [1],
        }
    )
    path = lake.landed(ADS, DAY)
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path)
    write_manifest(path, [Landed(SourceObject(uri, 1, content), 1, 1)])
