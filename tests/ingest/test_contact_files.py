"""Contacts: every row is landed or set aside with its text, and no message quotes a cell."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mkt_assets.errors import InputError
from mkt_assets.ingest.contact_files import ContactsLanded, read_contacts
from mkt_assets.ingest.file_source import FileSource
from mkt_assets.ingest.sources import CONTACTS, raw_whole, read_manifest
from mkt_assets.lake import Lake
from mkt_assets.settings import Settings

JANE = ("s", "jane@example.com", "+12025550142")


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def read(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[ContactsLanded, list[Any]]:
    out, aside = path.parent / "out" / "contacts.parquet", path.parent / "aside" / "c.parquet"
    told = read_contacts(con, path, out, aside, source="file:///x")
    assert told.rows_in == told.rows_out + sum(told.quarantined.values())
    assert aside.is_file() == bool(told.quarantined)
    for file in (out, aside) if aside.is_file() else (out,):
        assert file.stat().st_mode & 0o777 == 0o600
    rows = con.execute(f"select * from read_parquet('{out}') order by source_row").fetchall()
    return told, rows


def written(path: Path, *rows: str, header: str = "subject_id,email,phone") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    "header",
    [
        "subject_id,email,phone",
        "User Pseudo ID,E-Mail,Phone Number",
        "client_id,Email Address,Mobile",
        "SUBJECT_ID,mail,telephone",
    ],
)
def test_usual_headers_are_understood(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, header: str
) -> None:
    told, rows = read(con, written(tmp_path / "c.csv", ",".join(JANE), header=header))
    assert rows == [(*JANE, "file:///x", 1)]
    assert (told.rows_in, told.quarantined) == (1, {})


def test_one_of_the_two_is_enough(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", "s, jane@example.com ", header="subject_id,email")
    assert read(con, path)[1] == [("s", "jane@example.com", None, "file:///x", 1)]


def test_all_formats_say_the_same(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    names = ("subject_id", "email", "phone")
    lines = tmp_path / "c.json"
    lines.write_text(json.dumps(dict(zip(names, JANE, strict=True))) + "\n")
    zipped = tmp_path / "c.csv.gz"
    zipped.write_bytes(gzip.compress(f"{','.join(names)}\n{','.join(JANE)}\n".encode()))
    table = tmp_path / "c.parquet"
    con.execute(f"copy (select * from read_json('{lines}')) to '{table}'")
    found = [read(con, path)[1] for path in (lines, zipped, table)]
    assert found == [[(*JANE, "file:///x", 1)]] * 3


def test_numbers_that_came_as_numbers_are_text(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    table = tmp_path / "c.parquet"
    con.execute(f"copy (select 7 as subject_id, 12025550142 as phone) to '{table}'")
    assert read(con, table)[1] == [("7", None, "12025550142", "file:///x", 1)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",jane@example.com,", "missing_subject"),
        ("  ,jane@example.com,", "missing_subject"),
        ("s,,", "no_contact"),
        ("s, , ", "no_contact"),
        ("s,jane@example.com", "ragged_row"),
        ('s,"jane@example.com,+1', "malformed"),
    ],
)
def test_a_row_that_cannot_be_used_is_set_aside_with_its_text(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, row: str, reason: str
) -> None:
    told, rows = read(con, written(tmp_path / "c.csv", row, ",".join(JANE)))
    assert told.quarantined == {reason: 1}
    assert [r[0] for r in rows] == ["s"]
    aside = tmp_path / "aside" / "c.parquet"
    [(number, why)] = con.execute(f"select source_row, reason from '{aside}'").fetchall()
    assert (number, why) == (1, reason)


def test_json_lines_that_are_none_are_set_aside(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    lines = tmp_path / "c.json"
    good = json.dumps({"user_pseudo_id": "s", "E-mail": "jane@example.com", "odd/~key'": 1})
    lines.write_text(f"{good}\n{{broken\n[1]\n")
    told, rows = read(con, lines)
    assert told.quarantined == {"malformed": 1, "missing_subject": 1}
    assert rows == [("s", "jane@example.com", None, "file:///x", 1)]


def test_several_files_are_one_table_and_old_rows_set_aside_go(tmp_path: Path) -> None:
    written(tmp_path / "c1.csv", ",".join(JANE), "s,,")
    written(tmp_path / "c2.csv", "t,roe@example.com,")
    known = Settings(
        ga4_uri="x", consent_uri="x", contacts_uri=str(tmp_path / "c*.csv"), data_dir=tmp_path / "d"
    )
    lake = Lake(known.data_dir)
    lake.prepare()
    source, table = FileSource(lake, known), raw_whole(lake, CONTACTS)
    for quarantined in ({"no_contact": 1}, {}):
        landed = source.land_contacts(date(2025, 3, 10))
        assert [item.source for item in read_manifest(table)] == [item.source for item in landed]
        assert [(item.rows, item.quarantined) for item in landed] == [(1, quarantined), (1, {})]
        rows = duckdb.sql(f"select subject_id, source_file from '{table}' order by 1").fetchall()
        assert rows == [("s", landed[0].source.uri), ("t", landed[1].source.uri)]
        assert len(list((lake.landing / "quarantine").iterdir())) == len(quarantined)
        written(tmp_path / "c1.csv", ",".join(JANE))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("email,phone", "subject_id"),
        ("subject_id,name", "email"),
        ("subject_id,email,e_mail", "two columns mean 'email'"),
        ("x1,roe@example.com,+12025550199", "subject_id"),
    ],
)
def test_a_file_without_the_columns_is_refused_and_not_quoted(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, header: str, message: str
) -> None:
    width = header.count(",")
    path = written(tmp_path / "c.csv", "jane@example.com" + "," * width, header=header)
    with pytest.raises(InputError, match=message) as refusal:
        read(con, path)
    assert "jane" not in str(refusal.value)
    assert "roe@" not in str(refusal.value)
    assert refusal.value.__context__ is None


@pytest.mark.parametrize("columns", [3, 600])
def test_a_row_set_aside_keeps_its_text_however_wide_the_file_is(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, columns: int
) -> None:
    more = [f"extra_{number}" for number in range(columns - 3)]
    header = ",".join(["subject_id,email,phone", *more])
    rows = [",".join([*cells, *("x" for _ in more)]) for cells in (("s", "", ""), JANE)]
    told, kept = read(con, written(tmp_path / "c.csv", *rows, header=header))
    assert (told.rows_in, told.quarantined, len(kept)) == (2, {"no_contact": 1}, 1)
    [(raw,)] = con.execute(f"select raw from '{tmp_path}/aside/c.parquet'").fetchall()
    assert '"s"' in raw or raw.startswith("s,")
