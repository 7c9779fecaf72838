"""Each place of a data directory is searched, the closed ones are not, and ours is clean."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake
from mkt_assets.privacy import scan_places

EMAIL, HASH = (
    "jane.doe@example.com",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
)
PHONE = "+1 202 555 0142"
DAY, NEXT = date(2025, 3, 1), date(2025, 3, 2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    lake.prepare()
    return lake


def parquet(path: Path, query: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.execute(f"copy ({query}) to '{path}' (format parquet)")
    return path


def database(path: Path, table: str, query: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as con:
        con.execute("create schema if not exists marts")
        con.execute(f"create table marts.{table} as {query}")
    return path


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def history(path: Path, value: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as db:
        db.execute("create table events (body)")
        db.execute("insert into events values (?)", [value])
    return path


BAD = f"select '{EMAIL}' as note"
METADATA = {"label": "preview", "entry_data": {"__class__": "MarkdownMetadata", "md_str": HASH}}
PLACES: dict[str, Callable[[Path], Path]] = {
    "lake/events/event_date=2025-03-01": lambda d: parquet(d / "events.parquet", BAD),
    "lake/models/insights/trends": lambda d: parquet(d / "trends.parquet", BAD),
    "lake/heard_of_nowhere": lambda d: parquet(d / "x.parquet", BAD),
    "lake": lambda d: text(d / "notes.txt", EMAIL),
    "warehouse": lambda d: database(d / "warehouse.duckdb", "kpi_daily", BAD),
    "serving": lambda d: database(d / "v-1.duckdb", "kpi_daily", BAD),
    "serving/parquet/v-1": lambda d: parquet(d / "kpi_daily.parquet", BAD),
    "payloads": lambda d: text(d / "dsp_payload_x.json", json.dumps({"to": [EMAIL]})),
    "reports": lambda d: text(d / "daily.html", f"<p>{EMAIL}</p>"),
    "dagster/history": lambda d: history(d / "runs.db", json.dumps({"m": [METADATA]})),
    "dagster/storage": lambda d: history(d / "s.db", zlib.compress(EMAIL.encode())),
    "dbt/run": lambda d: text(d / "dbt.log", f"10:00 {EMAIL}"),
    "logs": lambda d: text(d / "run.log", f"a line\n{EMAIL}\n"),
    "locks": lambda d: text(d / "run.lock", EMAIL),
    "new_place": lambda d: text(d / "x.bin", f"\0\1\2 {EMAIL} \0"),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_lies_in_a_place_is_found_and_named(lake: Lake, place: str) -> None:
    file = PLACES[place](lake.root / place)
    found = scan_places.scan_everything(lake)
    findings = {name: here for name, here in found.items() if here}
    assert list(findings) == [place.split("/", maxsplit=1)[0]]
    (finding,) = findings[place.split("/", maxsplit=1)[0]]
    assert finding.place.startswith(str(file.relative_to(lake.root)))
    assert finding.kind in ("email", "token")
    assert finding.count == 1


def test_a_history_is_read_while_it_is_written(lake: Lake) -> None:
    """What is new stands in a log beside the file: it is read as rows, once, and not as text."""
    path = history(lake.root / "dagster" / "runs.db", "nothing")
    with closing(sqlite3.connect(path)) as writing:
        writing.execute("pragma journal_mode = wal")
        writing.execute("insert into events values (?)", [zlib.compress(EMAIL.encode())])
        writing.commit()
        assert path.with_name("runs.db-wal").stat().st_size
        (finding,) = scan_places.scan_everything(lake)["dagster"]
    assert (finding.place, finding.kind) == ("dagster/runs.db", "email")


def _linked(path: Path) -> None:
    path.symlink_to(history(path.with_name("other.sqlite"), "nothing").name)


@pytest.mark.parametrize(
    "beside", [None, lambda p: history(p, "nothing"), lambda p: text(p, ""), _linked]
)
def test_a_log_that_sqlite_does_not_read_is_searched_as_text(
    lake: Lake, beside: Callable[[Path], object] | None
) -> None:
    """There is no history beside it, or one without logs, none at all, or a link."""
    place = lake.root / "dagster" / "runs.db"
    if beside:
        place.parent.mkdir()
        beside(place)
    text(place.with_name("runs.db-wal"), EMAIL)
    findings = scan_places.scan_everything(lake)["dagster"]
    assert [finding.place for finding in findings] == ["dagster/runs.db-wal"]


@pytest.mark.parametrize("place", scan_places.CLOSED)
def test_closed_areas_are_left_out(lake: Lake, place: str) -> None:
    text(lake.root / place / "raw.txt", EMAIL)
    assert [f for here in scan_places.scan_everything(lake).values() for f in here] == []


def test_a_link_is_not_followed(lake: Lake) -> None:
    file = PLACES["serving"](lake.serving)
    (lake.serving / "mkt_bi.duckdb").symlink_to(file.name)
    assert len(scan_places.scan_everything(lake)["serving"]) == 1


def test_a_folder_that_is_a_link_to_another_disk_is_scanned(lake: Lake, tmp_path: Path) -> None:
    elsewhere = tmp_path.with_name(f"{tmp_path.name}-elsewhere")
    text(elsewhere / "note.txt", EMAIL)
    (lake.root / "reports").symlink_to(elsewhere)
    assert len(scan_places.scan_everything(lake)["reports"]) == 1


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MktError, match="nothing at"):
        scan_places.scan_everything(Lake(tmp_path / "none"))


def test_only_the_days_of_the_run_are_scanned(lake: Lake) -> None:
    parquet(lake.partition("events", DAY), BAD)
    parquet(lake.partition("events", NEXT), "select 'fine' as note")
    assert scan_places.scan_guarded(lake, "events", [NEXT]) == []
    for days in ([DAY], [DAY, NEXT], []):
        (finding,) = scan_places.scan_guarded(lake, "events", days)
        assert finding.place == f"lake/events/event_date={DAY}/events.parquet"
    assert scan_places.scan_guarded(lake, "consent_log", [DAY]) == []


#: what a text can stand beside elsewhere, so that DuckDB makes one column of both
OTHER_TYPES = ["1", "'fine'", "uuid()", "[1, 2]", "{a: 1}", "'01'::bit", "'{}'::json", "null"]


@pytest.mark.parametrize("other", OTHER_TYPES)
def test_a_column_that_is_of_another_type_on_another_day_is_scanned(lake: Lake, other: str) -> None:
    parquet(lake.partition("events", DAY), BAD)
    parquet(lake.partition("events", NEXT), f"select {other} as note")
    (finding,) = scan_places.scan_guarded(lake, "events", [DAY, NEXT])
    assert finding.place == f"lake/events/event_date={DAY}/events.parquet"


@pytest.mark.parametrize("other", [*(f"{one} as note" for one in OTHER_TYPES), "'fine' as n"])
@pytest.mark.parametrize("is_in_twin", [True, False])
def test_a_published_table_is_scanned_whatever_its_twin_is(
    lake: Lake, other: str, *, is_in_twin: bool
) -> None:
    version, twin = lake.serving / "v-1.duckdb", lake.serving / "parquet" / "v-1" / "kpi.parquet"
    database(version, "kpi", f"select {other}" if is_in_twin else BAD)
    parquet(twin, BAD if is_in_twin else f"select {other}")
    (finding,) = scan_places.scan_version(lake, version)
    assert finding.place.endswith("kpi.parquet" if is_in_twin else "marts.kpi")


def test_a_table_without_days_is_scanned_whole(lake: Lake) -> None:
    parquet(lake.whole("consent_log"), BAD)
    assert len(scan_places.scan_guarded(lake, "consent_log", [DAY])) == 1


def test_published_bytes_are_scanned_in_both_formats(lake: Lake) -> None:
    version = PLACES["serving"](lake.serving)
    PLACES["serving/parquet/v-1"](lake.serving / "parquet" / "v-1")
    found = scan_places.scan_version(lake, version)
    assert [f.place for f in found] == [
        "serving/v-1.duckdb marts.kpi_daily",
        "serving/parquet/v-1/kpi_daily.parquet",
    ]


def test_the_warehouse_is_scanned_where_marts_are(lake: Lake) -> None:
    database(lake.warehouse, "fct_sessions", f"select '{HASH}' as user_key, '{HASH}' as country")
    (finding,) = scan_places.scan_marts(lake)
    assert (finding.column, finding.kind) == ("country", "token")


def test_events_of_a_run_are_searched_in_their_metadata(lake: Lake) -> None:
    events = [json.dumps({"run_id": HASH, "metadata_entries": [METADATA]})] * 3
    (finding,) = scan_places.scan_events(lake, events)
    assert (finding.place, finding.column, finding.kind) == ("dagster", "preview", "token")
    path = {"label": "path", "entry_data": {"path": f"{lake.root}/payloads/x.json"}}
    assert scan_places.scan_events(lake, [json.dumps(path)]) == []


def test_metadata_of_checks_is_searched_as_dagster_stores_it(lake: Lake) -> None:
    @dg.asset
    def thing() -> None: ...

    @dg.asset_check(asset=thing)
    def check() -> dg.AssetCheckResult:
        sample = dg.MetadataValue.md(f"| key |\n| --- |\n| {HASH} |")
        return dg.AssetCheckResult(passed=True, metadata={"sample": sample, "note": PHONE})

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([thing, check], instance=instance).run_id
        events = [event.to_json() for event in instance.all_logs(run)]
    found = {(f.column, f.kind) for f in scan_places.scan_events(lake, events)}
    assert found == {("sample", "token"), ("note", "phone")}


def test_the_folder_of_the_installation_is_nobodys_data(tmp_path: Path) -> None:
    lake = Lake(tmp_path / HASH / EMAIL)
    lake.prepare()
    text(lake.payloads / "x.json", json.dumps({"path": f"{lake.root}/serving"}))
    assert scan_places.scan_everything(lake)["payloads"] == []
