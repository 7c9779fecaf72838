"""Rows that were set aside are named by file and number, whatever the table, and never quoted."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd

from mkt_assets.ingest.file_source import FileSource
from mkt_assets.ingest.set_aside import aside_files, first_rows
from mkt_assets.ingest.sources import ADS, CONSENT, too_many_aside
from mkt_assets.lake import Lake
from mkt_assets.settings import Settings

DAY = date(2025, 3, 1)
_SIGNALS = "ad_storage,analytics_storage,ad_user_data,ad_personalization"


def _source(tmp_path: Path, **given: str) -> FileSource:
    known = Settings(data_dir=tmp_path / "data", **given)
    lake = Lake(known.data_dir)
    lake.prepare()
    return FileSource(lake, known)


def test_entries_of_a_consent_log_are_named_until_the_log_is_corrected(tmp_path: Path) -> None:
    first, second = tmp_path / "log-a.csv", tmp_path / "log-b.csv"
    header = f"subject_id,changed_at,{_SIGNALS}"
    granted = "granted,granted,granted,granted"
    first.write_text(f"{header}\nann,2025-01-01,{granted}\nbob,soon,{granted}\n")
    second.write_text(f"{header}\ncat,never,{granted}\ndan,2025-01-01,maybe{granted[7:]}\n")
    source = _source(tmp_path, ga4_uri="x", consent_uri=str(tmp_path / "log-*.csv"))
    source.land_consent(DAY)
    told = first_rows(source.lake, CONSENT)
    assert told == f"bad_time: {first.as_uri()}, row 2; unknown_signal: {second.as_uri()}, row 2"
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in aside_files(source.lake, CONSENT))
    for log in (first, second):
        log.write_text(f"{header}\nann,2025-01-01,{granted}\n")
    source.land_consent(DAY)
    assert first_rows(source.lake, CONSENT) == ""


def test_rows_of_a_report_are_named_by_day(tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    report.write_text(
        "date,channel,campaign,impressions,clicks,spend\n"
        "2025-03-01,Search,a,10,1,2.5\n2025-03-01,Search,b,10,1,much\n2025-03-02,Search,a,x,1,2\n"
    )
    source = _source(tmp_path, ads_uri=str(report))
    days = [DAY, date(2025, 3, 2)]
    landed = source.land_ads(days)
    told = first_rows(source.lake, ADS, [DAY])
    assert told.endswith(f": {report.as_uri()}, row 2")
    assert "much" not in told
    both = first_rows(source.lake, ADS, days)
    assert "row 2" in both
    aside = [item.quarantined for day in days for item in landed[day]]
    assert sum(sum(one.values()) for one in aside) == 2
    fault = too_many_aside(aside[0], 2, 0.1, told)
    assert fault is not None
    assert f"first {told}" in fault


def test_a_row_with_blank_cells_that_another_file_repeats_is_set_aside(tmp_path: Path) -> None:
    """The second file does not tell conversions and revenue, the first leaves a cell blank."""
    header = "Date,Channel,Campaign,Impressions,Clicks,Cost"
    first, second = tmp_path / "ads_1.csv", tmp_path / "ads_2.csv"
    first.write_text(
        f"{header},Conversions,Revenue\n2025-03-01,Search,Brand,9000,90,90.00,9,\n"
        "2025-03-01,Search,Other,9000,90,90.00,9,300\n"
    )
    second.write_text(
        f"{header}\n2025-03-01,search,brand,9000,90,90.00\n2025-03-01,search,new,1,1,1\n"
    )
    source = _source(tmp_path, ads_uri=str(tmp_path / "ads_*.csv"))
    told = source.land_ads([DAY])[DAY]
    assert [item.quarantined for item in told] == [{}, {"repeated_in_another_file": 1}]
    assert [item.rows for item in told] == [2, 1]
    named = first_rows(source.lake, ADS, [DAY])
    assert named == f"repeated_in_another_file: {second.as_uri()}, row 1"
    raw = pd.read_parquet(aside_files(source.lake, ADS, [DAY])[0])["raw"].tolist()
    assert len(raw) == 1
    assert "search | brand" in raw[0]
    assert "nan" not in raw[0].lower()
