"""An input's own columns are kept with it, fields of structs too, and never a value."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from mkt_assets.ingest import own_columns
from mkt_assets.ingest.ad_files import read_ad_file
from mkt_assets.ingest.ga4_files import land_events


def test_fields_of_structs_and_lists_are_named() -> None:
    types = {
        "day": duckdb.sqltype("DATE"),
        "geo": duckdb.sqltype("STRUCT(city VARCHAR, country VARCHAR)"),
        "items": duckdb.sqltype("STRUCT(id VARCHAR, tags VARCHAR[])[]"),
    }
    assert own_columns.from_types(types) == {
        "day": "DATE",
        "geo.city": "VARCHAR",
        "geo.country": "VARCHAR",
        "items[].id": "VARCHAR",
        "items[].tags": "VARCHAR[]",
    }


def test_arrow_types_are_told_in_duckdb_words() -> None:
    schema = pa.schema([("n", pa.int64()), ("s", pa.struct([("a", pa.string())]))])
    assert own_columns.from_arrow(schema) == {"n": "BIGINT", "s.a": "VARCHAR"}


def test_a_header_that_is_data_is_not_kept() -> None:
    headers = ["date", "jane.doe@example.org", "x" * 61]
    assert own_columns.from_headers(headers) == {"date": "text"}


def test_an_ad_file_keeps_its_headers_mapped_or_not(tmp_path: Path) -> None:
    path = tmp_path / "ads.csv"
    path.write_text("Day,Campaign,Cost,Clicks,Our notes\n2025-06-02,a,1,2,x\n")
    assert list(read_ad_file(path).columns) == ["Day", "Campaign", "Cost", "Clicks", "Our notes"]


def test_an_event_file_keeps_its_types_and_text_has_none(tmp_path: Path) -> None:
    query = (
        "select '20250602' as event_date, 1748865600000000 as event_timestamp, 'x' as event_name, "
        "'u' as user_pseudo_id, struct_pack(country := 'DE') as geo"
    )
    told = {}
    with duckdb.connect() as con:
        for kind in ("parquet", "csv", "json"):
            path = tmp_path / f"events.{kind}"
            con.execute(f"copy ({query}) to '{path}' (format {kind})")
            day = duckdb.execute("select date '2025-06-02'").fetchone()[0]
            (landed,) = land_events(
                con,
                path,
                days=[day],
                dated=True,
                out_for_day=lambda _, k=kind: tmp_path / f"{k}-out.parquet",
                quarantine_for_day=lambda _, k=kind: tmp_path / f"{k}-aside.parquet",
            ).values()
            told[kind] = landed.columns
    assert told["parquet"]["geo.country"] == "VARCHAR"
    assert told["csv"]["geo"] == "text"
    assert told["json"] == {}
