"""The ledger against the files: a row more or less in any stored partition is named."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mkt_assets.lake import Lake
from mkt_assets.privacy.ledger import by_day, lines_path, unbalanced, waterfall
from mkt_assets.privacy.ledger_stamps import partitions_by_key, partitions_by_policy
from mkt_assets.privacy.lineage import FATES, NO_KEY, ledger_rows
from mkt_assets.privacy.lineage_history import replace_lines
from mkt_assets.privacy.reconciliation import unreconciled

DAYS = [date(2025, 3, 10), date(2025, 3, 11)]


def enter(lake: Lake, table: str, day: date | None, key: str = "k1", policy: str = "1") -> None:
    """A line of ten rows: six kept, of which two as part of another, three counted, one denied."""
    fates = dict(zip(FATES, (6, 1, 3, 0, 0, 0), strict=True))
    line = {
        "lineage_id": f"ln_{table}_{day}",
        "table_name": table,
        "partition": day,
        "source_uri": "file:///x",
        "source_bytes": 1,
        "source_sha256": "ab",
        "rows_in": 10,
        **fates,
        "reasons": json.dumps({"consent_denied": 1, "cookieless": 3, "folded": 2}),
        "policy_version": policy,
        "consent_basis": "privacy_info",
        "key_id": key,
        "code_version": "0",
        "run_id": "r",
        "processed_at": datetime(2025, 3, 12, tzinfo=UTC),
    }
    now = datetime(2025, 3, 12, tzinfo=UTC)
    replace_lines(lake, table, day, ledger_rows([line]), now=now)


def store(path: Path, rows: int, events: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"events": [events] * rows}), path)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two days of events and the consent log, all as the ledger says."""
    lake = Lake(tmp_path)
    for day in DAYS:
        enter(lake, "events", day)
        store(lake.partition("events", day), 4)
        store(lake.partition("cookieless_daily", day), 1, events=3)
    enter(lake, "consent_log", None)
    store(lake.whole("consent_log"), 4)
    return lake


def test_what_agrees_is_silent(lake: Lake, tmp_path: Path) -> None:
    assert unreconciled(lake) == []
    assert unbalanced(lake) == []
    assert unreconciled(Lake(tmp_path / "nothing")) == []


def test_a_row_more_or_less_is_named_with_its_day(lake: Lake) -> None:
    store(lake.partition("events", DAYS[0]), 5)
    store(lake.partition("cookieless_daily", DAYS[1]), 2, events=1)
    lake.whole("consent_log").unlink()
    told = unreconciled(lake)
    assert [words.split(":")[0] for words in told] == [
        "consent_log of all days", "cookieless_daily of 2025-03-11", "events of 2025-03-10",
    ]  # fmt: skip
    assert "the ledger says 4 rows, 5 are stored" in told[2]
    assert "mkt run --date 2025-03-10" in told[2]


def test_rows_that_no_line_accounts_for_are_named(lake: Lake) -> None:
    store(lake.partition("ad_performance", DAYS[0]), 2)
    store(lake.partition("ad_performance", DAYS[1]), 0)
    assert len(unreconciled(lake)) == 1


def test_partitions_are_counted_by_key_and_policy(lake: Lake) -> None:
    assert partitions_by_key(lake) == {"k1": 3}
    enter(lake, "events", DAYS[1], key="k2", policy="2-ab")
    enter(lake, "ad_performance", DAYS[1], key=NO_KEY)
    assert partitions_by_key(lake) == {"k1": 2, "k2": 1}
    assert partitions_by_policy(lake) == {"1": 3, "2-ab": 1}


def test_a_partition_that_is_made_again_or_removed_counts_as_it_is_now(lake: Lake) -> None:
    assert partitions_by_key(lake) == {"k1": 3}
    for key, told in (("k2", {"k1": 2, "k2": 1}), ("k1", {"k1": 3}), ("k3", {"k1": 2, "k3": 1})):
        enter(lake, "events", DAYS[1], key=key)
        assert partitions_by_key(lake) == told
    lines_path(lake, "events", DAYS[1]).unlink()
    assert partitions_by_key(lake) == {"k1": 2}


def test_the_waterfall_of_a_day_has_that_day_and_what_has_none(lake: Lake) -> None:
    def rows(days: list[date]) -> dict[str, int]:
        told = waterfall(lake, days)
        return dict(zip(told["table_name"], told["rows_in"], strict=True))

    assert rows([]) == {"events": 20, "consent_log": 10}
    assert rows(DAYS[:1]) == {"events": 10, "consent_log": 10}
    assert rows([date(2020, 1, 1)]) == {"consent_log": 10}


@pytest.mark.parametrize("folder", ["rows_in=7", "table_name=x", "a[b]c", "what? all*"])
def test_a_ledger_of_before_erasures_below_any_folder_is_read_all_the_same(
    tmp_path: Path, folder: str
) -> None:
    lake = Lake(tmp_path / folder)
    enter(lake, "events", DAYS[0])
    path = lines_path(lake, "events", DAYS[0])
    old = pq.ParquetFile(path).read().drop(["rows_erased", "key_id"])
    pq.write_table(old, path)
    store(lake.partition("events", DAYS[0]), 4)
    store(lake.partition("cookieless_daily", DAYS[0]), 1, events=3)
    # what a killed run leaves is no partition
    shutil.copyfile(path, path.with_name(".writing-events.parquet"))
    assert by_day(lake, "events", DAYS[:1])["kept"].to_list() == [6]
    assert waterfall(lake, DAYS[:1] * 2)["rows_in"].to_list() == [10]
    assert partitions_by_policy(lake) == {"1": 1}
    assert unreconciled(lake) == []
    assert unbalanced(lake) == []
    place = old.schema.get_field_index("rows_in")
    pq.write_table(old.set_column(place, "rows_in", pa.array([11])), path)
    assert "11 rows came in, 10 are accounted for" in unbalanced(lake)[0]


def test_each_day_is_told_with_its_reasons(lake: Lake) -> None:
    told = by_day(lake, "events", DAYS[:1])
    assert told.drop(columns="day").to_dict("records") == [
        {
            "rows_in": 10, "consent_denied": 1, "consent_unset": 0, "cookieless": 3,
            "duplicate": 0, "quarantined": 0, "erased": 0, "kept": 6,
        }
    ]  # fmt: skip
    assert by_day(lake, "events", []).empty
