"""Bad input through the file source: refused with file and remedy, or set aside with a reason.

Either way nothing is lost: what landed before a refusal stays, and every row set aside is in the
ledger. The whole matrix meets the source and the guard; what `mkt run` makes of it is in
test_bad_runs.py.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mkt_assets.errors import InputError
from mkt_assets.ingest.file_source import FileSource
from mkt_assets.ingest.sources import ADS, EVENTS, Landed, read_manifest
from mkt_assets.lake import Lake
from mkt_assets.privacy.guarding import Guard
from mkt_assets.privacy.ledger import LEDGER
from mkt_assets.settings import load_settings

pytestmark = pytest.mark.slow

FIRST, DAYS = date(2024, 3, 1), 30
WHOLE = [FIRST + timedelta(days=n) for n in range(DAYS)]
CAMPAIGNS = ("brand", "shoes", "video")
FATES = (
    "rows_kept", "rows_dropped_consent", "rows_cookieless", "rows_duplicate", "rows_quarantined",
    "rows_erased",
)  # fmt: skip

Rows = pd.DataFrame


def report(days: list[date] | None = None) -> Rows:
    """A faultless report: a row for each day and campaign, all cells as text."""
    return pd.DataFrame(
        [
            {
                "date": day.isoformat(),
                "channel": "Search" if name == "brand" else "Social",
                "campaign": name,
                "impressions": str(1000 + 10 * number),
                "clicks": str(50 + number),
                "spend": f"{20 + number}.50",
                "conversions": str(number + 1),
                "revenue": f"{90 + 7 * number}.25",
            }
            for day in (days or WHOLE)
            for number, name in enumerate(CAMPAIGNS)
        ],
        dtype="str",
    )


def in_row(number: int, **cells: str) -> Callable[[Rows], Rows]:
    """A fault in one row of the report (1 is the first)."""

    def spoil(rows: Rows) -> Rows:
        for name, value in cells.items():
            rows.loc[number - 1, name] = value
        return rows

    return spoil


def ads_source(place: Path | str, data: Path) -> FileSource:
    settings = load_settings(
        source="files", ads_uri=str(place), data_dir=data, start_date=FIRST, currency="USD"
    )
    return FileSource(Lake(data), settings)


def as_csv(rows: Rows) -> bytes:
    return rows.to_csv(index=False).encode()


def as_parquet(rows: Rows, folder: Path) -> bytes:
    rows.to_parquet(folder / "made.parquet", index=False)
    return (folder / "made.parquet").read_bytes()


def ambiguous(_: Rows) -> Rows:
    days = report([FIRST + timedelta(days=n) for n in range(12)])
    return days.assign(date=pd.to_datetime(days["date"]).dt.strftime("%d/%m/%Y"))


#: what it is -> name of the file, its content, words of the refusal
REFUSED: dict[str, tuple[str, Callable[[Rows, Path], bytes], str]] = {
    "truncated gzip": (
        "ads.csv.gz",
        lambda rows, _: gzip.compress(as_csv(rows))[:-9],
        "truncated.*Transfer it again",
    ),
    "Parquet with another schema": (
        "ads.parquet",
        lambda _, folder: as_parquet(pd.DataFrame({"user": ["a"], "score": [1]}), folder),
        "no 'date' column.*'user', 'score'.*Rename",
    ),
    "Parquet with a nested column": (
        "ads.parquet",
        lambda rows, folder: as_parquet(rows.assign(spend=[[1.0]] * len(rows)), folder),
        "spend",
    ),
    "missing column": (
        "ads.csv",
        lambda rows, _: as_csv(rows.drop(columns="spend")),
        "no 'spend' column.*Rename the right one to 'spend'",
    ),
    "two columns for one": (
        "ads.csv",
        lambda rows, _: as_csv(rows.assign(cost=rows["spend"])),
        "'spend'.*'cost'",
    ),
    "ambiguous dates": (
        "ads.csv",
        lambda rows, _: as_csv(ambiguous(rows)),
        "ambiguous.*MKT_DATE_ORDER",
    ),
    "empty file": ("ads.csv", lambda _, __: b"", "the file is empty.*Export it again"),
    "headers alone": ("ads.csv", lambda rows, _: as_csv(rows.head(0)), "no row.*Export it again"),
    "no usable row": (
        "ads.csv",
        lambda rows, _: as_csv(rows.assign(spend="a lot")),
        "no row of the file can be used: 90 not_a_number",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_hopeless_report_is_refused_and_what_landed_before_stays(
    tmp_path: Path, fault: str
) -> None:
    name, content, words = REFUSED[fault]
    place, data = tmp_path / name, tmp_path / "data"
    good = tmp_path / "good.csv"
    good.write_bytes(as_csv(report()))
    ads_source(good, data).land_ads(WHOLE)
    before = _landing(data)
    place.write_bytes(content(report(), tmp_path))
    with pytest.raises(InputError, match=words) as refused:
        ads_source(place, data).land_ads(WHOLE)
    assert "\n" not in str(refused.value)
    assert str(place) in str(refused.value)
    assert refused.value.remedy
    assert _landing(data) == before


#: what it is -> how the report is spoiled, the reason for the row
SET_ASIDE: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "negative spend": (in_row(4, spend="-3.00"), "negative_spend"),
    "clicks above impressions": (in_row(5, clicks="99999"), "clicks_above_impressions"),
    "text in a number": (in_row(6, impressions="many"), "not_a_number"),
    "duplicate key": (
        lambda rows: pd.concat([rows, rows.iloc[[7]]], ignore_index=True),
        "duplicate_key",
    ),
    "no spend": (in_row(9, spend=""), "missing_spend"),
    "no date": (in_row(11, date="soon"), "unparseable_date"),
    "a currency that is none": (
        lambda rows: in_row(20, currency="EURO")(rows.assign(currency="USD")),
        "unknown_currency",
    ),
    "two currencies in a row": (
        lambda rows: in_row(23, currency="USD", spend="€20.50")(
            rows if "currency" in rows else rows.assign(currency="USD")
        ),
        "two_currencies",
    ),
}


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        *((fault, "ads.csv") for fault in SET_ASIDE),
        ("negative spend", "ads.csv.gz"),
        ("text in a number", "ads.parquet"),
    ],
)
def test_a_bad_row_is_set_aside_and_in_the_ledger(tmp_path: Path, fault: str, name: str) -> None:
    spoil, reason = SET_ASIDE[fault]
    rows = spoil(report())
    plain = as_parquet(rows, tmp_path) if name.endswith("parquet") else as_csv(rows)
    place, data = tmp_path / name, tmp_path / "data"
    place.write_bytes(gzip.compress(plain) if name.endswith("gz") else plain)
    source = ads_source(place, data)
    landed = [item for objects in source.land_ads(WHOLE).values() for item in objects]
    assert sum(item.rows_in for item in landed) == len(rows)
    assert _aside(landed) == {reason: 1}
    ledger = _ads_ledger(source)
    assert ledger["rows_in"].sum() == len(rows)
    assert ledger["rows_quarantined"].sum() == 1
    assert (ledger[list(FATES)].sum(axis=1) == ledger["rows_in"]).all()
    told = [json.loads(line) for line in ledger["reasons"] if line != "{}"]
    assert told == [{reason: 1}]
    kept = pd.concat(pd.read_parquet(source.lake.partition(ADS, day)) for day in WHOLE)
    assert len(kept) == ledger["rows_kept"].sum() == len(rows) - 1


def test_a_row_in_another_currency_is_kept_as_it_is(tmp_path: Path) -> None:
    # dbt converts it, or says which rate is missing
    rows = in_row(20, currency="EUR")(report().assign(currency="USD"))
    rows = in_row(21, currency="")(rows)
    place = tmp_path / "ads.csv"
    place.write_bytes(as_csv(rows))
    source = ads_source(place, tmp_path / "data")
    source.land_ads(WHOLE)
    assert _ads_ledger(source)["rows_quarantined"].sum() == 0
    kept = pd.concat(pd.read_parquet(source.lake.partition(ADS, day)) for day in WHOLE)
    assert kept["currency"].value_counts().to_dict() == {"USD": 89, "EUR": 1}
    assert kept.loc[kept["currency"] == "EUR", "spend"].item() == pytest.approx(21.5)


def test_all_faults_at_once_cost_their_rows_alone(tmp_path: Path) -> None:
    rows = report()
    for spoil, _ in SET_ASIDE.values():
        rows = spoil(rows)
    place = tmp_path / "ads.csv"
    place.write_bytes(as_csv(rows))
    source = ads_source(place, tmp_path / "data")
    landed = [item for objects in source.land_ads(WHOLE).values() for item in objects]
    assert _aside(landed) == {reason: 1 for _, reason in SET_ASIDE.values()}
    assert sum(item.rows for item in landed) == len(rows) - len(SET_ASIDE)
    files = list((source.lake.landing / "quarantine").glob("*.parquet"))
    assert sum(len(pd.read_parquet(path)) for path in files) == len(SET_ASIDE)


def test_a_mended_report_leaves_nothing_aside(tmp_path: Path) -> None:
    place, data = tmp_path / "ads.csv", tmp_path / "data"
    place.write_bytes(as_csv(in_row(4, spend="-3.00")(report())))
    ads_source(place, data).land_ads(WHOLE)
    place.write_bytes(as_csv(report()))
    source = ads_source(place, data)
    source.land_ads(WHOLE)
    assert _ads_ledger(source)[["rows_in", "rows_kept", "rows_quarantined"]].sum().to_list() == [
        90, 90, 0,
    ]  # fmt: skip
    assert list((source.lake.landing / "quarantine").glob("*")) == []


def test_a_report_for_the_wrong_day_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for day in WHOLE[:3]:
        (tmp_path / f"ads_{day:%Y%m%d}.csv").write_bytes(as_csv(report([day])))
    source = ads_source(tmp_path / "ads_{date}.csv", data)
    source.land_ads(WHOLE[:3])
    before = _landing(data)
    (tmp_path / "ads_20240302.csv").write_bytes(as_csv(report([date(2024, 4, 2)])))
    with pytest.raises(InputError, match=r"wrong day: asked for 2024-03-02.*Check the \{date\}"):
        source.land_ads(WHOLE[:3])
    assert _landing(data) == before


def test_a_day_without_a_report_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "ads_20240301.csv").write_bytes(as_csv(report(WHOLE[:1])))
    source = ads_source(tmp_path / "ads_{date}.csv", tmp_path / "data")
    with pytest.raises(InputError, match=r"no such file for 2024-03-02.*ads_20240302\.csv"):
        source.land_ads(WHOLE[:2])


def test_a_day_that_the_report_no_longer_has_becomes_empty(tmp_path: Path) -> None:
    place, data = tmp_path / "ads.csv", tmp_path / "data"
    for days in (WHOLE, WHOLE[:-1]):
        place.write_bytes(as_csv(report(days)))
        source = ads_source(place, data)
        source.land_ads(WHOLE)
        ledger = _ads_ledger(source)
    assert ledger["rows_kept"].sum() == 87
    assert pq.read_metadata(source.lake.partition(ADS, WHOLE[-1])).num_rows == 0


# --- events ---


def event(number: int, day: date = FIRST, **cells: Any) -> dict[str, Any]:
    """An event of the export as a JSON line has it."""
    return {
        "event_date": f"{day:%Y%m%d}",
        "event_timestamp": str(
            int(pd.Timestamp(day, tz="UTC").timestamp() + 43_200 + number) * 10**6
        ),
        "event_name": "page_view",
        "user_pseudo_id": f"{number}.1700000000",
        "event_params": [{"key": "ga_session_id", "value": {"int_value": "7"}}],
        "privacy_info": {"analytics_storage": "Yes", "ads_storage": "No"},
        **cells,
    }


def lines(*events: dict[str, Any] | str) -> bytes:
    return "".join(f"{e if isinstance(e, str) else json.dumps(e)}\n" for e in events).encode()


EVENT_LINES = [event(n) for n in range(5)]


def events_source(place: Path | str, data: Path) -> FileSource:
    keys = json.dumps({"k1": "5a" * 32})
    settings = load_settings(
        source="files", ga4_uri=str(place), data_dir=data, start_date=FIRST, pii_keys=keys
    )
    return FileSource(Lake(data), settings)


REFUSED_EVENTS: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "truncated gzip": (
        "events_{date}.json.gz",
        lambda _: gzip.compress(lines(*EVENT_LINES))[:-9],
        "truncated.*Transfer it again",
    ),
    "Parquet with another schema": (
        "events_{date}.parquet",
        lambda folder: as_parquet(pd.DataFrame({"user": ["a"], "score": [1]}), folder),
        "event_date.*columns found: 'user', 'score'",
    ),
    "Parquet with another type": (
        "events_{date}.parquet",
        lambda folder: as_parquet(
            pd.DataFrame(
                {
                    "event_date": ["20240301"],
                    "event_timestamp": [1709294400000000],
                    "event_name": ["page_view"],
                    "user_pseudo_id": ["1.5"],
                    "event_params": [3],
                }
            ),
            folder,
        ),
        "another schema",
    ),
    "missing column": (
        "events_{date}.csv",
        lambda _: b"event_date,event_name,user_pseudo_id\n20240301,page_view,1.5\n",
        "no event_timestamp",
    ),
    "two columns for one": (
        "events_{date}.csv",
        lambda _: (
            b"event_date,event_timestamp,event_name,Event_Name,user_pseudo_id\n"
            b"20240301,1709294400000000,page_view,click,1.5\n"
        ),
        "two columns have one name.*Event_Name.*rename",
    ),
    "another day": (
        "events_{date}.json",
        lambda _: lines(event(1, date(2024, 4, 1))),
        r"wrong day: asked for 2024-03-01.*Check the \{date\}",
    ),
    "empty file": ("events_{date}.json", lambda _: b"", "the file is empty.*Export it again"),
}


@pytest.mark.parametrize("fault", REFUSED_EVENTS)
def test_a_hopeless_export_is_refused_and_what_landed_before_stays(
    tmp_path: Path, fault: str
) -> None:
    template, content, words = REFUSED_EVENTS[fault]
    data, good = tmp_path / "data", tmp_path / "good_20240301.json"
    good.write_bytes(lines(*EVENT_LINES))
    events_source(tmp_path / "good_{date}.json", data).land_events([FIRST])
    before = _landing(data)
    place = tmp_path / template.format(date="20240301")
    place.write_bytes(content(tmp_path))
    with pytest.raises(InputError, match=words) as refused:
        events_source(tmp_path / template, data).land_events([FIRST])
    assert "\n" not in str(refused.value)
    assert place.name in str(refused.value)
    assert refused.value.remedy
    assert _landing(data) == before


BAD_EVENTS: dict[str, tuple[dict[str, Any] | str, str]] = {
    "text in a number": (event(9, event_timestamp="noon"), "bad_timestamp"),
    "no date": (event(9, event_date="soon"), "bad_date"),
    "no JSON": ('{"event_date": "20240301", "event_na', "malformed"),
    "another day": (event(9, date(2024, 4, 1)), "wrong_day"),
}


@pytest.mark.parametrize("fault", BAD_EVENTS)
def test_a_bad_event_is_set_aside_and_in_the_ledger(tmp_path: Path, fault: str) -> None:
    bad, reason = BAD_EVENTS[fault]
    (tmp_path / "events_20240301.json").write_bytes(lines(*EVENT_LINES, bad))
    source = events_source(tmp_path / "events_{date}.json", tmp_path / "data")
    (landed,) = source.land_events([FIRST])[FIRST]
    assert (landed.rows_in, landed.rows) == (6, 5)
    assert landed.quarantined == {reason: 1}
    ledger = _events_ledger(source)
    assert ledger[["rows_in", *FATES]].to_dict("records") == [
        dict(zip(["rows_in", *FATES], [6, 5, 0, 0, 0, 1, 0], strict=True))
    ]
    assert json.loads(ledger.loc[0, "reasons"]) == {reason: 1}


def test_an_event_sent_twice_is_counted_as_a_duplicate(tmp_path: Path) -> None:
    (tmp_path / "events_20240301.json").write_bytes(lines(*EVENT_LINES, EVENT_LINES[2]))
    source = events_source(tmp_path / "events_{date}.json", tmp_path / "data")
    source.land_events([FIRST])
    assert _events_ledger(source)[["rows_in", *FATES]].iloc[0].to_list() == [6, 5, 0, 0, 1, 0, 0]


# --- reading back ---


def _landing(data: Path) -> dict[str, bytes]:
    place = Lake(data).landing
    return {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()}


def _aside(landed: list[Landed]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in landed:
        for reason, rows in item.quarantined.items():
            counts[reason] = counts.get(reason, 0) + rows
    return counts


def _ads_ledger(source: FileSource) -> pd.DataFrame:
    """Guard every day as a run does, and read what the ledger then says."""
    guard = Guard(source.lake, source.settings, "run-1")
    for day in WHOLE:
        guard.ads(day)
    paths = [source.lake.partition(LEDGER, day, ADS) for day in WHOLE]
    ledger = pa.concat_tables(pq.read_table(path) for path in paths).to_pandas()
    manifests = [read_manifest(source.lake.landed(ADS, day)) for day in WHOLE]
    assert sum(item.rows_in for objects in manifests for item in objects) == ledger["rows_in"].sum()
    return ledger


def _events_ledger(source: FileSource) -> pd.DataFrame:
    from mkt_assets.privacy.keys import key_ring

    ring = key_ring(source.settings)
    guard = Guard(source.lake, source.settings, "run-1", ring.active)
    guard.events_of([FIRST])
    return pq.read_table(source.lake.partition(LEDGER, FIRST, EVENTS)).to_pandas()
