"""Counts of A/B tests: read whole in any format, or refused with row, column and remedy."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from mkt_assets.errors import InputError
from mkt_assets.ingest.experiment_files import COLUMNS, read_experiments

HEADER = ",".join(COLUMNS)
GOOD = ("button,2025-03-10,A,0.5,100,7,70.5,800.25", "button,2025-03-10,B,0.5,101,9,,")


def written(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def read(tmp_path: Path) -> pd.DataFrame:
    return read_experiments(written(tmp_path / "tests.csv", *GOOD))


def test_counts_are_whole_and_revenue_may_be_missing(read: pd.DataFrame) -> None:
    assert list(read.columns) == list(COLUMNS)
    assert read["users"].tolist() == [100, 101]
    assert read["users"].dtype == "int64"
    assert read["revenue"].isna().tolist() == [False, True]
    assert read["day"].astype(str).tolist() == ["2025-03-10", "2025-03-10"]


def test_every_format_says_the_same_whatever_the_file_is_called(
    tmp_path: Path, read: pd.DataFrame
) -> None:
    text = (tmp_path / "tests.csv").read_text()
    (tmp_path / "zipped").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "wide.csv").write_text(text, encoding="utf-16")
    (tmp_path / "excel.csv").write_text(text.replace(",", ";"), encoding="utf-8-sig")
    read.to_parquet(tmp_path / "tests.parquet")
    rows = [{k: v for k, v in row.items() if pd.notna(v)} for row in read.to_dict("records")]
    lines = "".join(f"{json.dumps(row, default=str)}\n" for row in rows)
    (tmp_path / "tests.json").write_text(lines)
    for name in ("zipped", "wide.csv", "excel.csv", "tests.parquet", "tests.json"):
        pd.testing.assert_frame_equal(read_experiments(tmp_path / name), read)


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        ("t,2025-03-10,A,0.5,true,7,1,1", "users", "whole number"),
        ("t,2025-03-10,A,0.5,10.5,7,1,1", "users", "whole number"),
        ("t,2025-03-10,A,0.5,,7,1,1", "users", "whole number"),
        ("t,2025-03-10,A,0.5,10,1e30,1,1", "conversions", "whole number"),
        ("t,2025-03-10,A,half,10,7,1,1", "expected_share", "number"),
        ("t,2025-03-10,A,0.5,10,7,inf,1", "revenue", "number"),
        ("t,10.03.2025,A,0.5,10,7,1,1", "day", "date"),
        ("t,2025-02-30,A,0.5,10,7,1,1", "day", "date"),
        (",2025-03-10,A,0.5,10,7,1,1", "test", "missing"),
        ("t,2025-03-10,A,0.5,10,7,1", None, "ragged_row"),
        ('t,2025-03-10,A"x",0.5,"10,7,1,1', None, "malformed"),
    ],
)
def test_a_cell_that_cannot_be_used_refuses_the_file(
    tmp_path: Path, row: str, column: str | None, problem: str
) -> None:
    path = written(tmp_path / "tests.csv", GOOD[0], row)
    with pytest.raises(InputError, match=problem) as refused:
        read_experiments(path)
    assert (refused.value.file, refused.value.row, refused.value.column) == (path, 2, column)
    assert refused.value.remedy


def test_a_value_that_may_be_personal_is_not_repeated(tmp_path: Path) -> None:
    path = written(tmp_path / "tests.csv", "t,2025-03-10,A,0.5,jane@mail.test,7,1,1")
    with pytest.raises(InputError) as refused:
        read_experiments(path)
    assert "jane" not in str(refused.value)


@pytest.mark.parametrize("header", [HEADER.replace("users", "people"), f"{HEADER},users"])
def test_each_column_is_there_once(tmp_path: Path, header: str) -> None:
    path = written(tmp_path / "tests.csv", f"{GOOD[0]},5", header=header)
    with pytest.raises(InputError, match="users") as refused:
        read_experiments(path)
    assert refused.value.remedy


@pytest.mark.parametrize("content", [b"", b"PAR1 and more", b"PK\x03\x04zip", b"<html>"])
def test_another_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tests.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"tests\.csv") as refused:
        read_experiments(path)
    assert refused.value.remedy
