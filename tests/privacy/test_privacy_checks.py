"""The checks of the ledger and of the payload, called as Dagster calls them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mkt_assets.activation.checks import payload_is_valid_and_traceable
from mkt_assets.calendar_days import last_complete_day
from mkt_assets.check_steps import Check, Context
from mkt_assets.partitions import range_tags
from mkt_assets.privacy import checks
from mkt_assets.privacy.lineage import FATES, ledger_rows
from mkt_assets.privacy.lineage_history import replace_lines
from mkt_assets.resources import LakeResource
from mkt_assets.settings import load_settings

NOW = datetime(2025, 3, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> LakeResource:
    return LakeResource(root=str(tmp_path))


def enter(
    lake: LakeResource,
    day: int,
    name: str = "a",
    key: str = "k1",
    policy: str = "1",
    **told: Any,
) -> None:
    """A line of one kept row, and the row; ``told`` changes the line."""
    partition = date(2025, 3, day)
    line = {
        "lineage_id": f"ln_{name}",
        "table_name": "events",
        "partition": partition,
        "source_uri": "file:///x",
        "source_sha256": name,
        "rows_in": 1,
        **dict.fromkeys(FATES, 0),
        "rows_kept": 1,
        "reasons": "{}",
        "policy_version": policy,
        "key_id": key,
        "processed_at": NOW,
        **told,
    }
    replace_lines(lake.lake, "events", partition, ledger_rows([line]), now=NOW)
    stored = lake.lake.partition("events", partition)
    stored.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"event_name": ["page_view"]}), stored)


def test_rows_that_the_guard_set_aside_count_against_the_limit(lake: LakeResource) -> None:
    aside = {"rows_in": 20, "rows_kept": 15, "rows_quarantined": 2, "rows_dropped_consent": 3}
    reasons = '{"bad_session_id": 1, "wrong_type_items": 1, "consent_denied": 3}'
    # what was written beside the asked day says nothing about it
    enter(lake, 1, name="other")
    enter(lake, 2, **aside, reasons=reasons)
    told = _asked(checks.few_rows_were_set_aside, lake, date(2025, 3, 2))
    assert not told.passed
    assert told.description.startswith("2 of 20 rows were set aside (1 bad_session_id, 1 wrong_")
    assert "MKT_QUARANTINE_LIMIT above 0.05" in told.description
    assert _asked(checks.few_rows_were_set_aside, lake, date(2025, 3, 1)).passed


def test_what_the_ledger_says_must_be_what_is_stored(lake: LakeResource) -> None:
    enter(lake, 1)
    assert _asked(checks.every_row_is_accounted_for, lake).passed
    lake.lake.partition("events", date(2025, 3, 1)).unlink()
    told = _asked(checks.every_row_is_accounted_for, lake)
    assert not told.passed
    assert "mkt run --date 2025-03-01" in told.description


def test_partitions_under_two_keys_are_not_published_together(lake: LakeResource) -> None:
    assert _asked(checks.one_key_for_everything, lake).passed
    for day, key in ((1, "k1"), (2, "k1"), (3, "k2")):
        enter(lake, day, key=key)
    told = _asked(checks.one_key_for_everything, lake)
    assert not told.passed
    for words in ("2 of 3 partitions under key 'k1'", "rotation under way", "mkt rotate-keys"):
        assert words in told.description
    for day in (1, 2):
        enter(lake, day, key="k2")
    assert _asked(checks.one_key_for_everything, lake).passed


def test_days_under_another_policy_are_a_warning(lake: LakeResource) -> None:
    enter(lake, 1)
    assert _asked(checks.one_policy_for_everything, lake).passed
    enter(lake, 2, policy="2-abcdef01")
    told = _asked(checks.one_policy_for_everything, lake)
    assert not told.passed
    assert told.severity.value == "WARN"
    assert "of 2 partitions 1 under policy 2-abcdef01" in told.description


def _checked(lake: LakeResource, day: date, lineage_ids: list[str]) -> Any:
    from mkt_assets.activation.payload import build, write_bytes

    written = build(
        day, None, None, None, lineage_ids, currency="USD", policy_version="1",
        absent={"ads": "not given"},
    )  # fmt: skip
    path = lake.lake.payload(day)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(write_bytes(written))
    return _asked(payload_is_valid_and_traceable, lake, day)


def _asked(check: Check, lake: LakeResource, day: date = date(2025, 3, 1)) -> dg.AssetCheckResult:
    tags = range_tags(day, day)
    return check(cast("Context", SimpleNamespace(run=SimpleNamespace(tags=tags))), lake)


def test_a_payload_whose_lineage_resolves_nowhere_fails(lake: LakeResource) -> None:
    day = last_complete_day(load_settings())
    enter(lake, 1, name="old")
    assert _checked(lake, day, ["ln_old"]).passed
    # GA4 rewrites the day: yesterday's payload is still traceable
    enter(lake, 1, name="new")
    assert _checked(lake, day, ["ln_new", "ln_old"]).passed
    told = _checked(lake, day, ["ln_new", "ln_made_up"])
    assert not told.passed
    assert "ln_made_up resolves nowhere" in told.description
    assert json.loads(lake.lake.payload(day).read_text())["lineage_ids"]
