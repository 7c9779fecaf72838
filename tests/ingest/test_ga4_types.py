"""An export whose values changed their type: set aside by name, or kept as they were told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mkt_assets.ingest.ga4_files import EventsLanded, land_events

DAY = date(2021, 2, 1)
NOON = 1_612_180_800_000_000


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def event(number: int, **other: Any) -> dict[str, Any]:
    return {
        "event_date": "20210201",
        "event_timestamp": NOON + number,
        "event_name": "purchase",
        "user_pseudo_id": f"{number}.5",
        "event_params": params(ga_session_id={"int_value": 12}),
        **other,
    }


def params(**values: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def as_ndjson(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "events.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_csv(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Records as JSON in cells, as query tools write them."""
    names = sorted({name for row in rows for name in row})

    def cell(value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        return '"' + text.replace('"', '""') + '"'

    lines = [",".join(cell(row[n]) if n in row else "" for n in names) for row in rows]
    path = folder / "events.csv"
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return path


FORMATS = {"NDJSON": as_ndjson, "CSV": as_csv}
Writer = Callable[[Path, list[dict[str, Any]]], Path]


@pytest.fixture(params=FORMATS)
def written(request: pytest.FixtureRequest) -> Writer:
    return FORMATS[request.param]


def land(con: duckdb.DuckDBPyConnection, path: Path) -> EventsLanded:
    return land_events(
        con,
        path,
        days=[DAY],
        dated=True,
        out_for_day=lambda _: path.parent / "out" / "events.parquet",
        quarantine_for_day=lambda _: path.parent / "out" / "aside.parquet",
    )[DAY]


def landed(con: duckdb.DuckDBPyConnection, path: Path, columns: str) -> list[tuple[Any, ...]]:
    file = path.parent / "out" / "events.parquet"
    return con.execute(f"select {columns} from read_parquet('{file}') order by all").fetchall()


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "parameters as a record": ({"event_params": {"a": 1}}, "event_params"),
    "parameters as text": ({"event_params": "none"}, "event_params"),
    "a parameter that is no record": (
        {"event_params": [*params(a={"int_value": 1}), 5]},
        "event_params",
    ),
    "a value that is no record": ({"event_params": params(ga_session_id=7)}, "event_params"),
    "items as text": ({"items": "none"}, "items"),
    "an item that is text": ({"items": ["hat"]}, "items"),
    "commerce as text": ({"ecommerce": "none"}, "ecommerce"),
    "consent as text": ({"privacy_info": "No"}, "privacy_info"),
    "a device as a list": ({"device": ["phone"]}, "device"),
    "revenue in words": ({"ecommerce": {"purchase_revenue": "lots"}}, "purchase_revenue"),
    "a decimal comma": ({"ecommerce": {"purchase_revenue": "12,50"}}, "purchase_revenue"),
    "revenue as a truth value": ({"ecommerce": {"refund_value": True}}, "refund_value"),
    "revenue as a record": ({"ecommerce": {"tax_value": {"EUR": 1}}}, "tax_value"),
    "a price in words": ({"items": [{"item_id": "a", "price": "free"}]}, "items_price"),
    "half a piece": ({"items": [{"item_id": "a", "quantity": 1.5}]}, "items_quantity"),
    "a bundle that is no number": (
        {"event_bundle_sequence_id": "first"},
        "event_bundle_sequence_id",
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_value_of_another_type_is_set_aside_by_its_name(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, written: Writer, fault: str
) -> None:
    change, name = WRONG[fault]
    path = written(tmp_path, [event(1), event(2, **change)])
    told = land(con, path)
    assert (told.rows_in, told.rows_out) == (2, 1)
    assert told.quarantined == {f"wrong_type_{name}": 1}
    aside = con.execute(f"from read_parquet('{told.quarantine_path}')").fetchall()
    assert len(aside) == 1
    assert landed(con, path, "user_pseudo_id") == [("1.5",)]


RIGHT: dict[str, tuple[dict[str, Any], str, Any]] = {
    "a number as text": (
        {"ecommerce": {"purchase_revenue": "12.50"}},
        "ecommerce.purchase_revenue",
        12.5,
    ),
    "a blank number": ({"ecommerce": {"tax_value": " "}}, "ecommerce.tax_value", None),
    "no number": ({"ecommerce": {"tax_value": None}}, "ecommerce.tax_value", None),
    "a whole double": ({"event_bundle_sequence_id": 17.0}, "event_bundle_sequence_id", 17),
    "a whole quantity": ({"items": [{"quantity": "2.0"}]}, "items[1].quantity", 2),
    "no items": ({"items": None}, "items", None),
    "items without anything": ({"items": [{}]}, "len(items)", 1),
    "a parameter without a value": ({"event_params": params(a={})}, "len(event_params)", 1),
    "what nobody reads": ({"user_properties": "none"}, "user_properties", None),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_says_the_same_in_another_way_lands(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, written: Writer, case: str
) -> None:
    change, column, value = RIGHT[case]
    path = written(tmp_path, [event(1, **change)])
    told = land(con, path)
    assert (told.rows_out, told.quarantined) == (1, {})
    assert landed(con, path, column) == [(value,)]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"int_value": "soon"}, ("soon", None, None)),
        ({"int_value": 1735700001.5}, ("1735700001.5", None, None)),
        ({"int_value": "1735700001.5"}, ("1735700001.5", None, None)),
        ({"int_value": 10**20}, ("100000000000000000000", None, None)),
        ({"double_value": "fast"}, ("fast", None, None)),
        ({"int_value": "x", "string_value": "y"}, ("y", None, None)),
        ({"int_value": "1735700001"}, (None, 1735700001, None)),
        ({"int_value": 15000.0}, (None, 15000, None)),
        ({"double_value": "1.5"}, (None, None, 1.5)),
        ({"string_value": "1735700001.5"}, ("1735700001.5", None, None)),
    ],
)
def test_a_parameter_s_number_that_is_none_stays_as_its_text(
    con: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    written: Writer,
    value: dict[str, Any],
    kept: tuple[Any, ...],
) -> None:
    path = written(tmp_path, [event(1, event_params=params(engagement_time_msec=value))])
    assert land(con, path).rows_out == 1
    v = 'event_params[1]."value"'
    assert landed(con, path, f"{v}.string_value, {v}.int_value, {v}.double_value") == [kept]


PARQUET = (
    "'20210201' as event_date, {time} as event_timestamp, 'x' as event_name, '1.5' as "
    "user_pseudo_id, {{'purchase_revenue': {revenue}}} as ecommerce, "
    "[{{'key': 'ga_session_id', 'value': {{'int_value': {session}}}}}] as event_params"
)


@pytest.mark.parametrize(
    ("values", "reasons", "kept"),
    [
        (("12.5::decimal(9, 2)", "7::integer"), {}, [(12.5, 7, None)]),
        (("12.5::double", "7.0::double"), {}, [(12.5, 7, None)]),
        (("'12,50'", "7"), {"wrong_type_purchase_revenue": 1}, []),
        (("1", "7.5::double"), {}, [(1.0, None, "7.5")]),
    ],
)
def test_a_parquet_file_may_have_other_types_if_nothing_is_lost(
    con: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    values: tuple[str, str],
    reasons: dict[str, int],
    kept: list[tuple[Any, ...]],
) -> None:
    path = tmp_path / "events.parquet"
    row = PARQUET.format(time=NOON, revenue=values[0], session=values[1])
    con.execute(f"copy (select {row}) to '{path}'")
    assert land(con, path).quarantined == reasons
    columns = (
        "ecommerce.purchase_revenue, event_params[1].value.int_value, "
        "event_params[1].value.string_value"
    )
    assert landed(con, path, columns) == kept


def test_a_parquet_column_that_holds_nothing_at_all_has_no_type_and_is_read_as_missing(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """What writers of data frames make of a column, or of a field in it, of nothing but nulls."""
    row = event(1) | {
        "geo": None,
        "items": [],
        "session_traffic_source_last_click": {
            "manual_campaign": {"source": "news", "medium": None},
            "google_ads_campaign": None,
        },
    }
    path = tmp_path / "events.parquet"
    pq.write_table(pa.Table.from_pylist([row]), path)
    told = land(con, path)
    assert (told.rows_in, told.rows_out) == (1, 1)
    place = "session_traffic_source_last_click.manual_campaign.source"
    assert landed(con, path, f"geo, {place}, len(items)") == [(None, "news", 0)]
