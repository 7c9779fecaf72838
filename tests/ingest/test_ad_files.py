"""Ad reports: each row is kept or set aside with a reason, and a hopeless file is refused."""

from __future__ import annotations

import gzip
import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.errors import InputError
from mkt_assets.ingest.ad_files import AdFile, by_day, read_ad_file
from mkt_assets.ingest.ad_rows import COLUMNS, QUARANTINE_COLUMNS

HEADER = "date,channel,campaign,spend,impressions,clicks,conversions,revenue"
GOOD = ["2021-02-01,search,a,10.50,1000,10,1,20", "2021-02-02,search,a,11.25,1000,10,1,20"]


def written(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ads.csv"


def test_the_real_file_needs_no_editing(shared: Path) -> None:
    told = read_ad_file(shared / "data" / "campaigns_2021_02.csv")
    assert (told.rows_in, len(told.rows), len(told.quarantined)) == (308, 308, 0)
    money = {n: sum(Decimal(str(v)) for v in told.rows[n]) for n in ("spend", "revenue")}
    assert money == {"spend": Decimal("30590879.82"), "revenue": Decimal(42889366)}
    counts = told.rows[["clicks", "impressions", "leads", "conversions"]].sum().to_dict()
    assert counts == {
        "clicks": 2_999_919, "impressions": 1_577_722_399, "leads": 65_579, "conversions": 8_043,
    }  # fmt: skip
    assert told.rows["campaign"].nunique() == 11
    assert told.rows["date"].nunique() == 28
    assert told.date_format == "month-day-year"
    assert told.mapping["spend"] == "campaign_cost"


def test_the_frames_have_their_columns_and_types(file: Path) -> None:
    told = read_ad_file(written(file, *GOOD, "2021-02-03,search,a,-1,1,1,1,1"))
    assert tuple(told.rows.columns) == COLUMNS
    assert tuple(told.quarantined.columns) == QUARANTINE_COLUMNS
    types = {name: str(told.rows[name].dtype) for name in COLUMNS}
    assert types["date"].startswith("datetime64")
    assert {types[n] for n in ("impressions", "clicks", "leads")} == {"Int64"}
    assert {types[n] for n in ("spend", "conversions", "revenue")} == {"float64"}
    assert told.rows["source_row"].tolist() == [1, 2]
    assert told.rows["currency"].unique().tolist() == ["USD"]


@pytest.mark.parametrize(
    ("row", "reason", "column"),
    [
        ("2021-02-03,search,a,-1,1000,10,1,20", "negative_spend", "spend"),
        ("2021-02-03,search,a,1,-5,,1,20", "negative_impressions", "impressions"),
        ("2021-02-03,search,a,1,1000,-1,1,20", "negative_clicks", "clicks"),
        ("2021-02-03,search,a,1,10,11,1,20", "clicks_above_impressions", "clicks"),
        ("2021-02-03,search,a,1,0,11,1,20", "clicks_above_impressions", "clicks"),
        ("2021-02-03,search,a,lots,1000,10,1,20", "not_a_number", "spend"),
        ("2021-02-03,search,a,1,1000,ten,1,20", "not_a_number", "clicks"),
        ("2021-02-03,search,a,1,1000,1.5,1,20", "not_an_integer", "clicks"),
        ("2021-02-03,search,a,inf,1000,10,1,20", "infinite", "spend"),
        ("2021-02-03,search,a,1e15,1000,10,1,20", "too_large", "spend"),
        ("2021-02-03,search,a,,1000,10,1,20", "missing_spend", "spend"),
        ("2021-02-30,search,a,1,1000,10,1,20", "unparseable_date", "date"),
        (",search,a,1,1000,10,1,20", "missing_date", "date"),
        ("2021-02-03,search,  ,1,1000,10,1,20", "missing_campaign", "campaign"),
        ("2021-02-01,SEARCH, A ,1,1000,10,1,20", "duplicate_key", "date, channel, campaign"),
        ("2021-02-03,search,a,€5,1000,10,1,20", "other_currency", "spend"),
        ("2021-02-03,search,a,1,1000,10,1", "ragged_row", None),
        ("2021-02-03,search,a,1,1000,10,1,20,9", "ragged_row", None),
        ('2021-02-03,search,"a,1,1000,10,1,20', "malformed", None),
    ],
)
def test_a_bad_row_is_set_aside_and_the_others_stay(
    file: Path, row: str, reason: str, column: str | None
) -> None:
    told = read_ad_file(written(file, *GOOD, row, "2021-02-04,search,a,1,1000,10,1,20"))
    assert told.rows["source_row"].tolist() == [1, 2, 4]
    aside = told.quarantined.iloc[0]
    assert (aside["source_row"], aside["reason"]) == (3, reason)
    assert (None if pd.isna(aside["column"]) else aside["column"]) == column
    assert aside["raw"] == row


def test_broken_bytes_cost_one_row(file: Path) -> None:
    written(file, *GOOD)
    file.write_bytes(file.read_bytes() + b"2021-02-03,search,caf\xe9,1,1000,10,1,20\n")
    told = read_ad_file(file)
    assert told.quarantined["reason"].tolist() == ["encoding_error"]
    assert len(told.rows) == 2


@pytest.mark.parametrize("name", ["date", "campaign", "spend"])
def test_a_missing_column_is_refused(file: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_ad_file(written(file, *GOOD, header=HEADER.replace(name, "something")))
    assert str(file) in str(caught.value)
    assert caught.value.column == name


def test_two_columns_for_one_are_refused(file: Path) -> None:
    with pytest.raises(InputError, match=r"'impressions', 'Impr\.'"):
        read_ad_file(written(file, *GOOD, header=HEADER.replace("clicks", "Impr.")))


def test_ambiguous_dates_are_refused_until_the_order_is_stated(file: Path) -> None:
    rows = [f"{month}/{day}/2021,search,a,1,10,1,1,2" for month in (1, 2) for day in range(1, 13)]
    written(file, *rows)
    with pytest.raises(InputError, match="ambiguous") as caught:
        read_ad_file(file)
    assert str(file) in str(caught.value)
    assert read_ad_file(file, date_order="mdy").rows["date"].dt.month.max() == 2
    assert read_ad_file(file, date_order="dmy").rows["date"].dt.month.max() == 12


def test_ambiguous_numbers_are_refused(file: Path) -> None:
    header = "date;channel;campaign;spend;clicks"
    rows = [f"2021-02-0{n};search;a;1.23{n};5" for n in range(1, 5)]
    with pytest.raises(InputError, match="ambiguous"):
        read_ad_file(written(file, *rows, header=header))


def test_a_european_report(file: Path) -> None:
    header = "Tag;day;campaign_name;network;Amount spent (EUR);Impr.;clicks;conversion_value"
    rows = [
        "x;13.02.2021;Köln;search;1.234,50 €;1.000;10;20,5",
        "x;01.02.2021;Köln;search;0,99;7;1;",
    ]
    told = read_ad_file(written(file, *rows, header=header), currency="EUR")
    assert told.rows["spend"].tolist() == [1234.5, 0.99]
    assert told.rows["impressions"].tolist() == [1000, 7]
    assert told.rows["date"].dt.strftime("%m-%d").tolist() == ["02-13", "02-01"]
    assert any("comma" in note for note in told.notes)


@pytest.mark.parametrize(
    ("header", "cells", "currency"),
    [
        ("cost (EUR)", "5", "EUR"),
        ("cost (EUR)", "€5", "EUR"),
        ("cost,currency", "5,gbp", "GBP"),
        ("cost,currency", "5,", "USD"),
        ("cost,currency", "£5,", "GBP"),
        ("cost,currency", "$5,EUR", "EUR"),
    ],
)
def test_a_row_keeps_its_own_currency_for_who_converts_it(
    file: Path, header: str, cells: str, currency: str
) -> None:
    row = f"2021-02-03,search,a,1000,10,{cells}"
    written(file, row, header=f"date,channel,campaign,impressions,clicks,{header}")
    told = read_ad_file(file, one_currency=False)
    assert told.rows["currency"].tolist() == [currency]
    assert told.rows["spend"].tolist() == [5]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("5,dollars", "unknown_currency"),
        ("€5,USD", "two_currencies"),
        ("€5,U.S", "unknown_currency"),
    ],
)
def test_a_row_whose_currency_is_in_doubt_is_set_aside(file: Path, cells: str, reason: str) -> None:
    header = "date,channel,campaign,impressions,clicks,cost,currency"
    written(file, f"2021-02-03,a,a,1,1,{cells}", "2021-02-03,a,b,1,1,5,EUR", header=header)
    told = read_ad_file(file, one_currency=False)
    assert told.quarantined["reason"].tolist() == [reason]


def test_another_currency_is_refused_with_the_setting_to_change(file: Path) -> None:
    rows = [f"{row},EUR" for row in GOOD]
    written(file, *rows, header=f"{HEADER},currency")
    with pytest.raises(InputError, match="2 other_currency") as caught:
        read_ad_file(file)
    assert "MKT_CURRENCY" in caught.value.remedy
    assert len(read_ad_file(file, currency="EUR").rows) == 2


def test_missing_columns_are_empty_and_said_to_be(file: Path) -> None:
    told = read_ad_file(written(file, "2021-02-01,a,5,7", header="date,campaign,cost,revenue"))
    assert told.rows["channel"].tolist() == ["unknown"]
    assert told.rows[["impressions", "clicks", "leads", "conversions"]].isna().all(axis=None)
    text = " ".join(told.notes)
    assert all(
        word in text for word in ("impressions", "clicks", "leads", "conversions", "channel")
    )


def test_spellings_that_differ_in_case_are_one_campaign(file: Path) -> None:
    rows = [
        f"2021-02-0{n},Search,{name},1,10,1,1,2"
        for n, name in enumerate(
            ["Brand  Ads", "BRAND ADS", "Brand Ads", "\uff22\uff32\uff21\uff2e\uff24 ads"], 1
        )
    ]
    assert read_ad_file(written(file, *rows)).rows["campaign"].unique().tolist() == ["Brand Ads"]


@pytest.mark.parametrize("content", ["", "\n", f"{HEADER}\n"])
def test_an_empty_file_is_refused(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(InputError, match=r"empty|no rows"):
        read_ad_file(file)


def test_a_file_with_no_usable_row_is_refused_with_the_counts(file: Path) -> None:
    with pytest.raises(InputError, match="2 negative_spend, 1 not_a_number") as caught:
        read_ad_file(
            written(
                file,
                *(f"2021-02-0{n},s,a,{v},10,1,1,1" for n, v in enumerate(["-1", "-2", "x"], 1)),
            )
        )
    assert caught.value.row == 1


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join([HEADER, *GOOD]).encode())
    path = tmp_path / "ads.csv.gz"
    path.write_bytes(whole)
    assert len(read_ad_file(path).rows) == 2
    path.write_bytes(whole[:-4])
    with pytest.raises(InputError, match="truncated"):
        read_ad_file(path)


def test_parquet_and_ndjson_give_the_rows_of_the_csv(tmp_path: Path, file: Path) -> None:
    of_csv = read_ad_file(written(file, *GOOD))
    names = HEADER.split(",")
    objects = [dict(zip(names, row.split(","), strict=True)) for row in GOOD]
    lines = tmp_path / "ads.ndjson"
    lines.write_text("\n".join(map(json.dumps, objects)) + '\n{"date": "20\n')
    of_lines = read_ad_file(lines)
    table = tmp_path / "date=x" / "ads.parquet"
    table.parent.mkdir()
    typed = pd.DataFrame(objects).assign(
        date=[date(2021, 2, 1), date(2021, 2, 2)],
        spend=[Decimal("10.50"), Decimal("11.25")],
        clicks=[10, 10],
    )
    pq.write_table(pa.Table.from_pandas(typed), table)
    pd.testing.assert_frame_equal(of_lines.rows, of_csv.rows)
    pd.testing.assert_frame_equal(read_ad_file(table).rows, of_csv.rows)
    assert of_lines.quarantined["reason"].tolist() == ["malformed"]


def test_a_parquet_file_with_another_schema_or_damage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ads.parquet"
    pq.write_table(pa.table({"user": ["a"], "when": [1]}), path)
    with pytest.raises(InputError, match="'user', 'when'"):
        read_ad_file(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="damaged"):
        read_ad_file(path)


def test_personal_data_stays_out_of_messages_and_values(file: Path) -> None:
    header = f"{HEADER},owner"
    rows = [
        "2021-02-01,search,jane@example.com,-1,10,1,1,1,jane@example.com",
        "2021-02-02,search,jane@example.com,jane@example.com,10,1,1,1,x",
        "2021-02-03,search,,1,10,1,1,1,x",
    ]
    written(file, *rows, header=header)
    with pytest.raises(InputError) as caught:
        read_ad_file(file)
    assert "jane" not in str(caught.value)
    told = read_ad_file(written(file, *rows, "2021-02-04,s,b,1,1,1,1,1,x", header=header))
    assert "jane" not in told.quarantined[["column", "reason", "value"]].to_json()
    assert told.quarantined["value"].iloc[0] == "-1"


def test_a_file_for_the_wrong_day_is_refused_and_stray_rows_are_set_aside(file: Path) -> None:
    told = read_ad_file(written(file, *GOOD))
    with pytest.raises(InputError, match=r"wrong day.*2021-03-01"):
        list(by_day(told, [date(2021, 3, 1)], dated=True))
    [(_, rows, aside)] = by_day(told, [date(2021, 2, 1)], dated=True)
    assert len(rows) == 1
    assert aside["reason"].tolist() == ["wrong_day"]
    assert "11.25" in aside["raw"].iloc[0]


cells = {
    "date": st.sampled_from(["2021-02-13", "2021-02-14", "2021-02-15", "nonsense", ""]),
    "channel": st.sampled_from(["search", "Search", "", "social"]),
    "campaign": st.sampled_from(["a", "A ", "b", "c", ""]),
    "spend": st.sampled_from(["1.5", "-1", "x", "", "inf", "$3.25", "1e20"]),
    "impressions": st.sampled_from(["100", "0", "-3", "7.5", ""]),
    "clicks": st.sampled_from(["1", "1000", "", "none of it"]),
    "conversions": st.sampled_from(["1", "0.5", "-1", ""]),
    "revenue": st.sampled_from(["10.25", "-1", "", "@"]),
}
odd = st.sampled_from(["1,2", '"', "1,,,", "a" * 50, ",,,,,,,"])
row = st.tuples(*cells.values()).map(",".join) | odd


@settings(max_examples=60, deadline=None)
@given(st.lists(row, max_size=25))
def test_every_row_is_kept_or_set_aside_on_exactly_one_day(
    tmp_path_factory: pytest.TempPathFactory, body: list[str]
) -> None:
    file = tmp_path_factory.mktemp("t") / "ads.csv"
    # enough readable dates for the column to be one, whatever the odd rows hold
    sound = [f"2021-02-12,search,sound {n},1.5,10,1,1,1" for n in range(25)]
    told = read_ad_file(written(file, *sound, *body))
    content = [line for line in body if line.strip(",")]
    # a stray quote may join no lines: each is a row of its own
    assert told.rows_in == len(sound) + len(content)
    assert told.rows_in == len(told.rows) + len(told.quarantined)
    both = pd.concat([told.rows["source_row"], told.quarantined["source_row"]])
    assert sorted(both) == list(range(1, told.rows_in + 1))
    assert told.quarantined["reason"].notna().all()
    _all_rows_are_sound(told)
    days = [date(2021, 2, 12) + timedelta(days=n) for n in range(4)]
    placed = list(by_day(told, days, dated=False))
    assert sum(len(rows) + len(aside) for _, rows, aside in placed) == told.rows_in


def _all_rows_are_sound(told: AdFile) -> None:
    rows = told.rows
    assert rows["spend"].between(0, 1e11).all()
    assert (rows["clicks"] <= rows["impressions"]).fillna(value=True).all()
    assert not (rows[["revenue", "conversions"]] < 0).any(axis=None)
    key = rows[["date", "channel", "campaign"]]
    assert not key.apply(lambda c: c.str.casefold() if c.name != "date" else c).duplicated().any()
    assert np.isfinite(rows["spend"]).all()


@pytest.mark.parametrize(
    "odd",
    ['{"a": ' * 5000, "[" * 5000, '{"date": "2021-02-01", "campaign": "\\ud800", "spend": 1}'],
    ids=["deep", "deep list", "half a sign"],
)
def test_json_that_nothing_can_be_made_of_costs_its_row(tmp_path: Path, odd: str) -> None:
    good = json.dumps({"date": "2021-02-01", "campaign": "a", "spend": 1, "clicks": 2})
    path = tmp_path / "ads.json"
    path.write_text(f"{good}\n{odd}\n", encoding="utf-8")
    told = read_ad_file(path)
    assert (told.rows_in, len(told.rows)) == (2, 1)
    assert told.quarantined["reason"].tolist() == ["malformed"]


@pytest.mark.parametrize("name", ["channel", "campaign", "campaign_id"])
def test_a_name_that_no_platform_takes_costs_its_row(file: Path, name: str) -> None:
    """The search for personal data in names takes time by the square of their length."""
    columns = ("date", "channel", "campaign", "campaign_id", "spend", "clicks")
    good = ("2021-02-01", "search", "a" * 1000, "1", "1", "2")
    bad = dict(zip(columns, good, strict=True)) | {name: "\u00fc" * 1001}
    told = read_ad_file(
        written(file, ",".join(good), ",".join(bad.values()), header=",".join(columns))
    )
    assert told.rows["source_row"].tolist() == [1]
    assert told.quarantined["reason"].tolist() == [f"too_long_{name}"]
    assert told.quarantined["value"].tolist() == [None]
