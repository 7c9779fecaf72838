"""GA4 events that changed under way, through the file source and the guard: nothing goes silently.

What a hostile reviewer fed to the platform: he saw all rows kept and not a word. Other bad files
are in test_bad_inputs.py; which value is which fault: test_ga4_types.py, test_event_parameters.py.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from mkt_assets.ingest.file_source import FileSource
from mkt_assets.ingest.sources import EVENTS
from mkt_assets.lake import Lake
from mkt_assets.partitions import range_tags
from mkt_assets.privacy import checks
from mkt_assets.privacy.guarding import Guard
from mkt_assets.privacy.keys import key_ring
from mkt_assets.privacy.ledger import LEDGER
from mkt_assets.privacy.lineage import FATES
from mkt_assets.resources import LakeResource
from mkt_assets.settings import load_settings

DAY = date(2025, 3, 10)
MORNING = datetime(2025, 3, 10, 9, tzinfo=UTC)
#: the run is in the next morning
NOW = datetime(2025, 3, 11, 6, tzinfo=UTC)


def event(minute: int = 0, *, at: datetime = MORNING, **cells: Any) -> dict[str, Any]:
    """A faultless event, or one with other cells."""
    moment = at + timedelta(minutes=minute)
    return {
        "event_date": f"{DAY:%Y%m%d}",
        "event_timestamp": str(int(moment.timestamp() * 1_000_000)),
        "event_name": "page_view",
        "user_pseudo_id": f"{minute}.1700000001",
        "privacy_info": {"analytics_storage": "Yes", "ads_storage": "Yes"},
        "event_params": params(),
        **cells,
    }


def params(**values: Any) -> list[dict[str, Any]]:
    everything = {"ga_session_id": {"int_value": "1735700001"}} | values
    return [{"key": key, "value": value} for key, value in everything.items()]


#: what it is -> the event, its reason
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "engagement time in words": (
        event(1, event_params=params(engagement_time_msec={"string_value": "soon"})),
        "wrong_type_engagement_time_msec",
    ),
    "engagement time in words where a number was": (
        event(2, event_params=params(engagement_time_msec={"int_value": "soon"})),
        "wrong_type_engagement_time_msec",
    ),
    "engaged: yes": (
        event(3, event_params=params(session_engaged={"string_value": "yes"})),
        "wrong_type_session_engaged",
    ),
    "the first session": (
        event(4, event_params=params(ga_session_number={"string_value": "first"})),
        "wrong_type_ga_session_number",
    ),
    "parameters as a record": (event(5, event_params={"a": 1}), "wrong_type_event_params"),
    "items as text": (event(6, items="none"), "wrong_type_items"),
    "revenue in words": (
        event(7, ecommerce={"transaction_id": "T1", "purchase_revenue": "lots"}),
        "wrong_type_purchase_revenue",
    ),
    "revenue with a decimal comma": (
        event(8, ecommerce={"transaction_id": 12345, "purchase_revenue": "12,50"}),
        "wrong_type_purchase_revenue",
    ),
    "a session id in letters": (
        event(9, event_params=params(ga_session_id={"string_value": "abc"})),
        "bad_session_id",
    ),
    "half a session": (
        event(10, event_params=params(ga_session_id={"double_value": 1735700001.5})),
        "bad_session_id",
    ),
    "half a session as text": (
        event(11, event_params=params(ga_session_id={"string_value": "1735700001.5"})),
        "bad_session_id",
    ),
    "half a session as a number": (
        event(12, event_params=params(ga_session_id={"int_value": 1735700001.5})),
        "bad_session_id",
    ),
    "a session id that is a phone number": (
        event(13, event_params=params(ga_session_id={"int_value": "4915112345678"})),
        "bad_session_id",
    ),
    "an hour in the future": (event(60, at=NOW), "in_the_future"),
    "the day after": (event(30 * 60, at=NOW), "in_the_future"),
}
GOOD = [
    event(20),
    event(21, event_params=params(engagement_time_msec={"double_value": 15000.0})),
    event(22, event_params=params(session_engaged={"double_value": 1.0})),
    event(23, event_params=params(ga_session_id={"string_value": "1735700001"})),
    event(24, event_params=params(ga_session_id={"double_value": 1735700001.0})),
    event(25, event_params=params(brand_new={"string_value": "x"})),
    event(26, event_params=params(brand_new={"int_value": 1}, entrances={"int_value": 1})),
    event(4, at=NOW),
]


def guarded(folder: Path, rows: list[dict[str, Any]], *, now: datetime = NOW) -> dict[str, Any]:
    """Land and guard a day; its ledger line."""
    place = folder / "events.ndjson"
    place.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = load_settings(
        source="files", ga4_uri=str(place), data_dir=folder / "data", start_date=DAY,
        pii_keys=json.dumps({"k1": "5a" * 32}),
    )  # fmt: skip
    lake = Lake(settings.data_dir)
    FileSource(lake, settings).land_events([DAY])
    ring = key_ring(settings)
    assert ring is not None
    Guard(lake, settings, "run-1", ring.active, now=now).events_of([DAY])
    (line,) = pq.read_table(lake.partition(LEDGER, DAY, EVENTS)).to_pylist()
    assert line["rows_in"] == sum(line[fate] for fate in FATES) == len(rows)
    return line | {"reasons": json.loads(line["reasons"])}


def kept(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(
        Lake(folder / "data").partition(EVENTS, DAY), partitioning=None
    ).to_pylist()
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("fault", BAD)
def test_a_changed_event_is_set_aside_by_name(tmp_path: Path, fault: str) -> None:
    bad, reason = BAD[fault]
    line = guarded(tmp_path, [event(20), bad])
    assert (line["rows_kept"], line["reasons"]) == (1, {reason: 1})
    assert [row["ga_session_id"] for row in kept(tmp_path)] == [1735700001]


def test_all_at_once_cost_their_rows_alone_and_can_be_read_again(tmp_path: Path) -> None:
    line = guarded(tmp_path, [*GOOD, *(bad for bad, _ in BAD.values())])
    assert line["rows_kept"] == len(GOOD)
    assert line["reasons"] == Counter(reason for _, reason in BAD.values())
    assert {row["ga_session_id"] for row in kept(tmp_path)} == {1735700001}
    assert {row["engagement_time_msec"] for row in kept(tmp_path)} == {None, 15000}
    aside = list((tmp_path / "data" / "landing" / "quarantine").glob("*.parquet"))
    assert sum(pq.read_metadata(path).num_rows for path in aside) == len(BAD)
    assert json.loads(line["new_parameters"]) == {"brand_new": 2}


@pytest.mark.slow
def test_an_event_of_the_future_is_taken_once_its_time_has_come(tmp_path: Path) -> None:
    rows = [event(20), BAD["an hour in the future"][0]]
    assert guarded(tmp_path, rows)["rows_kept"] == 1
    first = kept(tmp_path)
    later = guarded(tmp_path, rows, now=NOW + timedelta(hours=1))
    assert (later["rows_kept"], later["reasons"]) == (2, {})
    again = guarded(tmp_path, rows, now=NOW + timedelta(hours=9))
    assert again == later
    assert [row["event_key"] for row in first] == [kept(tmp_path)[0]["event_key"]]


def test_a_type_that_changed_in_the_whole_export_stops_the_run_by_its_name(tmp_path: Path) -> None:
    guarded(tmp_path, [event(n, event_params={"a": n}) for n in range(40)])
    context: Any = SimpleNamespace(run=SimpleNamespace(tags=range_tags(DAY, DAY)))
    lake = LakeResource(root=str(tmp_path / "data"))
    told = checks.few_rows_were_set_aside(context, lake)
    assert not told.passed
    assert "40 of 40 rows were set aside (40 wrong_type_event_params)" in told.description
    assert "MKT_QUARANTINE_LIMIT" in told.description
