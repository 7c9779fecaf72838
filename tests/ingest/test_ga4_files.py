"""GA4 exports: each row lands, is a duplicate, or is set aside with its text."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.errors import InputError
from mkt_assets.ingest.ga4_files import EventsLanded, land_events
from mkt_assets.ingest.ga4_schema import RAW_EVENT_COLUMNS, SOURCE_COLUMNS

DAY = date(2021, 2, 1)
NOON = 1_612_180_800_000_000
TYPES = {
    name: str(duckdb.sqltype(kind)) for name, kind in (RAW_EVENT_COLUMNS | SOURCE_COLUMNS).items()
}


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def event(number: int = 0, **other: object) -> dict[str, object]:
    return {
        "event_date": "20210201",
        "event_timestamp": str(NOON + number),
        "event_name": "page_view",
        "user_pseudo_id": f"{number}.5",
        "event_params": [
            {"key": "ga_session_id", "value": {"int_value": "12"}},
            {"key": "page_location", "value": {"string_value": "https://shop.example/"}},
        ],
        "privacy_info": {"analytics_storage": "Yes", "ads_storage": "No"},
        "items": [],
        **other,
    }


def as_lines(path: Path, *events: object) -> Path:
    path.write_text("".join(f"{e if isinstance(e, str) else json.dumps(e)}\n" for e in events))
    return path


def land(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    days: Sequence[date] = (DAY,),
    *,
    dated: bool = False,
) -> dict[date, EventsLanded]:
    return land_events(
        con,
        path,
        days=days,
        dated=dated,
        out_for_day=lambda day: path.parent / "out" / f"{day}.parquet",
        quarantine_for_day=lambda day: path.parent / "aside" / f"{day}.parquet",
    )


def rows(
    con: duckdb.DuckDBPyConnection, path: Path, columns: str = "*"
) -> list[tuple[object, ...]]:
    return con.execute(f"select {columns} from read_parquet('{path}')").fetchall()


def out(path: Path, day: date = DAY) -> Path:
    return path.parent / "out" / f"{day}.parquet"


def test_all_formats_land_the_same_rows_in_the_exact_types(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    lines = as_lines(tmp_path / "lines.json", event(1), event(2))
    zipped = tmp_path / "zipped"
    zipped.write_bytes(gzip.compress(lines.read_bytes()))
    table = tmp_path / "table.parquet"
    con.execute(f"copy (from read_json('{lines}')) to '{table}'")
    wrapped = tmp_path / "wrapped.parquet"
    layers = "{'list': list_transform(event_params, lambda e: {'element': e})}"
    con.execute(
        f"copy (select * replace ({layers} as event_params, event_timestamp::bigint as "
        f"event_timestamp) from read_json('{lines}')) to '{wrapped}'"
    )
    comma = tmp_path / "comma.csv"
    con.execute(
        f"copy (select * replace (to_json(event_params) as event_params, to_json(items) as items, "
        f"to_json(privacy_info) as privacy_info) from read_json('{lines}')) to '{comma}' (header)"
    )
    names = ", ".join(f'"{name}"' for name in RAW_EVENT_COLUMNS)
    expected = None
    for path in (lines, zipped, table, wrapped, comma):
        told = land(con, path)[DAY]
        assert (told.rows_in, told.rows_out, told.events, told.quarantined) == (2, 2, 2, {})
        found = dict(
            con.execute(
                f"select column_name, column_type from (describe from read_parquet('{out(path)}'))"
            ).fetchall()
        )
        assert found == TYPES
        landed = rows(con, out(path), names)
        expected = expected or landed
        assert landed == expected
        assert rows(con, out(path), "source_row") == [(1,), (2,)]
    assert expected is not None
    assert expected[0][1] == NOON + 1
    assert expected[0][3][0]["value"]["int_value"] == 12  # type: ignore[index]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (event(3, event_timestamp="soon"), "bad_timestamp"),
        (event(3, event_timestamp=1_612_180_800_000), "bad_timestamp"),
        (event(3, event_timestamp=None), "bad_timestamp"),
        (event(3, event_name=" "), "missing_name"),
        (event(3, event_name=None), "missing_name"),
    ],
)
def test_a_bad_event_is_set_aside_with_its_text(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, bad: dict[str, object], reason: str
) -> None:
    path = as_lines(tmp_path / "e.json", event(1), bad, event(2))
    told = land(con, path)[DAY]
    assert (told.rows_in, told.rows_out, told.quarantined) == (3, 2, {reason: 1})
    assert told.quarantine_path is not None
    [(row, why, raw)] = rows(con, told.quarantine_path, "source_row, reason, raw")
    assert (row, why, json.loads(str(raw))) == (2, reason, bad)
    assert told.quarantine_path.stat().st_mode & 0o777 == 0o600


BROKEN = (
    '{"event_date": "20210201", "event_na',
    "[1, 2]",
    "no json",
    json.dumps(event(event_date="20210231")),
)


def test_lines_of_no_day_are_told_apart_and_never_lost(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = as_lines(tmp_path / "e.json", event(1), *BROKEN, event(2, event_date="20210202"))
    undated = land(con, path, [DAY, DAY + timedelta(days=1)])
    assert [t.rows_in for t in undated.values()] == [1, 1]
    first = undated[DAY]
    assert (first.unplaced, first.other_days, first.quarantined) == (4, 1, {})
    assert first.unplaced_path is not None
    assert [raw for (raw,) in rows(con, first.unplaced_path, "raw")] == list(BROKEN)
    assert "4 rows" in first.notes[-1]
    dated = land(con, path, dated=True)[DAY]
    assert (dated.rows_in, dated.rows_out) == (6, 1)
    assert dated.quarantined == {"bad_date": 1, "malformed": 3, "wrong_day": 1}


def test_bytes_that_are_no_text_cost_one_line(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = as_lines(tmp_path / "e.json", event(1), event(2))
    path.write_bytes(path.read_bytes() + b'{"event_name": "caf\xe9"}\n')
    told = land(con, path, dated=True)[DAY]
    assert (told.rows_out, told.quarantined) == (2, {"encoding_error": 1})


def test_a_file_of_another_day_is_refused(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = as_lines(tmp_path / "e.json", event(1, event_date="20210305"))
    with pytest.raises(InputError, match=r"wrong day.*2021-02-01.*2021-03-05") as caught:
        land(con, path, dated=True)
    assert str(path) in str(caught.value)
    assert land(con, path)[DAY].other_days == 1


def test_a_day_that_became_empty_lands_empty(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = as_lines(tmp_path / "e.json", event(1))
    land(con, path)
    as_lines(path, event(1, event_date="20210202"))
    assert land(con, path)[DAY].rows_in == 0
    assert rows(con, out(path)) == []


def test_a_null_user_is_kept_for_the_guard(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    cookieless = {k: v for k, v in event(1).items() if k != "user_pseudo_id"}
    path = as_lines(tmp_path / "e.json", cookieless)
    assert land(con, path)[DAY].rows_out == 1
    assert rows(con, out(path), "user_pseudo_id") == [(None,)]


KEYS = "'20210201' as event_date, 1 as event_timestamp, 'x' as event_name, 'u' as user_pseudo_id"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select 1 as a, 'x' as b", "event_date, event_timestamp, event_name.*'a', 'b'"),
        (f"select {KEYS}, 5 as event_params", "another schema"),
        (f"select {KEYS}, {{'lat': 1}} as geo", "another schema"),
        (f"select {KEYS.replace('1 ', '[1] ')}", "another schema"),
    ],
)
def test_a_parquet_file_with_another_schema_is_refused(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, query: str, words: str
) -> None:
    path = tmp_path / "e.parquet"
    con.execute(f"copy ({query}) to '{path}'")
    with pytest.raises(InputError, match=words):
        land(con, path)
    assert not out(path).exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("e.json", b"", "empty"),
        ("e.json.gz", gzip.compress(json.dumps(event()).encode(), mtime=0)[:-5], "truncated"),
        ("e.parquet", b"PAR1 and then nothing", "damaged"),
        ("e.json", b'{"a": 1}\n', "no event_date.*columns found: 'a'"),
        ("e.csv", b"a,b\n1,2\n", "columns found: 'a', 'b'"),
    ],
)
def test_other_files_are_refused_and_leave_nothing_behind(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        land(con, tmp_path / name)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_empty_parquet_export_is_an_empty_day(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "e.parquet"
    lines = as_lines(tmp_path / "e.json", event())
    con.execute(f"copy (select * from read_json('{lines}') where false) to '{path}'")
    assert land(con, path, dated=True)[DAY].rows_in == 0


def test_the_same_file_lands_as_the_same_bytes(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = as_lines(tmp_path / "e.json", *(event(n) for n in range(500)))
    land(con, path)
    before = out(path).read_bytes()
    land(con, path)
    assert out(path).read_bytes() == before


line = st.one_of(
    st.builds(
        lambda day, time, name: json.dumps(
            event(event_date=day, event_timestamp=time, event_name=name)
        ),
        st.sampled_from(["20210201", "2021-02-02", "20210203", "20219999", None]),
        st.sampled_from([str(NOON), NOON, 5, None, "x"]),
        st.sampled_from(["page_view", "", None]),
    ),
    st.sampled_from(["{", "null", "7", '"text"']),
)


@pytest.mark.slow
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(line, max_size=12), st.booleans())
def test_every_line_is_accounted_for_once(
    con: duckdb.DuckDBPyConnection,
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
    dated: bool,
) -> None:
    path = as_lines(tmp_path_factory.mktemp("t") / "e.json", event(), *lines)
    days = [DAY] if dated else [DAY + timedelta(days=n) for n in range(3)]
    told = land(con, path, days, dated=dated)
    for day, landed in told.items():
        aside = sum(landed.quarantined.values())
        assert landed.rows_in == landed.rows_out + landed.duplicates + aside
        assert len(rows(con, out(path, day))) == landed.events == landed.rows_out
        if landed.quarantine_path:
            assert len(rows(con, landed.quarantine_path)) == aside
    assert sum(t.rows_in + t.unplaced for t in told.values()) == 1 + len(lines)


ITEMS = (
    "user_pseudo_id,item_id,item_name,price,quantity,item_revenue,"
    "event_date,event_timestamp,country"
)


def items(path: Path, *lines: str, header: str = ITEMS) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_items_of_one_user_and_time_are_one_purchase(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = items(
        tmp_path / "i.csv",
        f"u1,b,Bag,10,2,20,20210201,{NOON},Kenya",
        f"u1,a,Hat,5.10,1,5.10,20210201,{NOON},Kenya",
        f"u2,a,Hat,5.10,1,5.10,20210201,{NOON},Peru",
    )
    told = land(con, path)[DAY]
    assert (told.rows_in, told.rows_out, told.events, told.grain) == (3, 3, 2, "item")
    landed = rows(
        con,
        out(path),
        "event_name, ecommerce.purchase_revenue, ecommerce.transaction_id, len(items), "
        "items[1].item_id, geo.country, privacy_info, source_row",
    )
    assert landed == [
        ("purchase", 25.10, None, 2, "a", "Kenya", None, 1),
        ("purchase", 5.10, None, 1, "a", "Peru", None, 3),
    ]
    assert any("consent" in note for note in told.notes)


def test_a_purchase_sent_again_is_a_duplicate_and_another_basket_is_not(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    second = 1_000_000
    path = items(
        tmp_path / "i.csv",
        f"u1,a,Hat,5,1,5,20210201,{NOON},Kenya",
        f"u1,b,Bag,5,1,5,20210201,{NOON},Kenya",
        f"u1,b,Bag,5,1,5,20210201,{NOON + 30_000},Kenya",
        f"u1,a,Hat,5,1,5,20210201,{NOON + 30_000},Kenya",
        f"u1,a,Hat,5,1,5,20210201,{NOON + 2 * second},Kenya",
        f"u1,a,Hat,5,1,5,20210201,{NOON + 120 * second},Kenya",
        f"u2,a,Hat,5,1,5,20210201,{NOON + 2 * second},Kenya",
    )
    told = land(con, path)[DAY]
    assert (told.rows_in, told.rows_out, told.events, told.duplicates) == (7, 5, 4, 2)


def test_equal_lines_of_one_purchase_are_kept(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = items(tmp_path / "i.csv", *[f"u1,g,Gift card,25,1,25,20210201,{NOON},Kenya"] * 3)
    told = land(con, path)[DAY]
    assert (told.rows_out, told.duplicates) == (3, 0)
    assert rows(con, out(path), "ecommerce.purchase_revenue") == [(75.0,)]


@pytest.mark.parametrize(
    ("revenue", "reason"),
    [
        ("", "blank_revenue"),
        ("free", "not_a_number"),
        ("-5", "negative_revenue"),
        ("nan", "not_a_number"),
    ],
)
def test_an_item_without_a_price_paid_is_set_aside(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, revenue: str, reason: str
) -> None:
    path = items(
        tmp_path / "i.csv",
        f"u1,(not set),(not set),,,{revenue},20210201,{NOON},Kenya",
        f"u2,a,Hat,5,1,5,20210201,{NOON},Kenya",
    )
    told = land(con, path)[DAY]
    assert (told.rows_in, told.rows_out, told.quarantined) == (2, 1, {reason: 1})


def test_revenue_in_dollars_alone_says_so(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    header = ITEMS.replace("item_revenue", "item_revenue_in_usd")
    path = items(tmp_path / "i.csv", f"u,a,Hat,5,1,5,20210201,{NOON},Kenya", header=header)
    land(con, path)
    [(value,)] = rows(con, out(path), "event_params[1].value.string_value")
    assert value == "USD"


@pytest.mark.slow
def test_the_real_item_list(con: duckdb.DuckDBPyConnection, shared: Path, tmp_path: Path) -> None:
    path = shared / "data" / "ga4_purchase_items.csv"
    days = [date(2020, 11, 1) + timedelta(days=n) for n in range(92)]
    told = land_events(
        con,
        path,
        days=days,
        dated=False,
        out_for_day=lambda day: tmp_path / "out" / f"{day}.parquet",
        quarantine_for_day=lambda day: tmp_path / "aside" / f"{day}.parquet",
    )
    assert sum(t.rows_in for t in told.values()) == 16_003
    assert sum((Counter(t.quarantined) for t in told.values()), Counter()) == {"blank_revenue": 448}
    assert sum(t.duplicates for t in told.values()) == 879
    assert sum(t.rows_out for t in told.values()) == 14_676
    assert sum(t.events for t in told.values()) == 4_946
    # the last day of the sample has nothing but rows without an item
    assert [day for day, t in told.items() if not t.rows_out] == [date(2021, 1, 31)]
    assert told[days[0]].notes[-1].startswith("1140 rows repeat a key")
    [(events, lines, money)] = con.execute(
        "select count(*), sum(len(items)), sum(ecommerce.purchase_revenue) "
        f"from read_parquet('{tmp_path}/out/*.parquet')"
    ).fetchall()
    assert (events, lines, money) == (4_946, 14_676, 342_197)
