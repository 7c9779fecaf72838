"""The sample, written as the files that a user would have, gives the same guarded rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from mkt_assets.ingest import sample
from mkt_assets.ingest.file_source import FileSource
from mkt_assets.ingest.sources import ADS, CONSENT, EVENTS, SampleSource, Source
from mkt_assets.lake import Lake
from mkt_assets.privacy import quiet
from mkt_assets.privacy.guarding import Guard
from mkt_assets.privacy.keys import key_ring
from mkt_assets.settings import Settings, load_settings

DAYS = [date(2026, 3, 28) + timedelta(days=n) for n in range(3)]
KEYS = json.dumps({"k1": "5e" * 32})
#: what differs because the source is another object
_OF_THE_SOURCE = {"lineage_id", "processed_at"}


@pytest.fixture(params=["parquet", "json.gz"])
def exports(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Three days of exports: GA4 events, one ad report, one consent log."""
    for day in DAYS:
        events = sample.events(day)
        path = tmp_path / f"events_{day:%Y%m%d}.{request.param}"
        if request.param == "parquet":
            pq.write_table(events, path)
        else:
            duckdb.sql("from events").create_view("exported", replace=True)
            duckdb.execute(f"copy exported to '{path}' (format json, compression gzip)")
    ads = [sample.ad_performance(day) for day in DAYS]
    frame = ads[0].to_pandas()
    for table in ads[1:]:
        frame = frame.merge(table.to_pandas(), how="outer")
    frame.to_csv(tmp_path / "ads.csv", index=False)
    sample.consent_log(DAYS[-1]).to_pandas().to_csv(tmp_path / "consent.csv", index=False)
    return tmp_path


def _guarded(settings: Settings, source: Source) -> Lake:
    lake = Lake(settings.data_dir)
    ring = key_ring(settings)
    assert ring is not None
    guard = Guard(lake, settings, "run", ring.active)
    source.land_consent(DAYS[-1])
    source.land_events(DAYS)
    source.land_ads(DAYS)
    with quiet.connect(lake.landing) as con:
        guard.consent(con)
    guard.events_of(DAYS)
    for day in DAYS:
        guard.ads(day)
    return lake


def _rows(paths: Iterator[Path]) -> list[tuple[Any, ...]]:
    listed = [str(path) for path in paths]
    columns = [n for n in pq.read_schema(listed[0]).names if n not in _OF_THE_SOURCE]
    names = ", ".join(f'"{name}"' for name in columns)
    query = f"select {names} from read_parquet($files, hive_partitioning = false) order by all"
    return duckdb.execute(query, {"files": listed}).fetchall()


@pytest.mark.slow
def test_files_and_sample_give_the_same_rows(exports: Path, tmp_path: Path) -> None:
    ours = load_settings(data_dir=tmp_path / "sample", pii_keys=KEYS)
    theirs = load_settings(
        source="files",
        data_dir=tmp_path / "files",
        pii_keys=KEYS,
        ga4_uri=str(exports / "events_{date}.*"),
        ads_uri=str(exports / "ads.csv"),
        consent_uri=str(exports / "consent.csv"),
    )
    for settings in (ours, theirs):
        Lake(settings.data_dir).prepare()
    late = DAYS[-1] + timedelta(days=30)
    expected = _guarded(ours, SampleSource(Lake(ours.data_dir), ours, late))
    found = _guarded(theirs, FileSource(Lake(theirs.data_dir), theirs))
    for table in (EVENTS, ADS):
        wanted = _rows(expected.partition(table, day) for day in DAYS)
        assert len(wanted) > len(DAYS)
        assert _rows(found.partition(table, day) for day in DAYS) == wanted
    assert _rows(iter([found.whole(CONSENT)])) == _rows(iter([expected.whole(CONSENT)]))
