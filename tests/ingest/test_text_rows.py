"""Every line of a text ends in exactly one record, whatever is wrong with it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkt_assets.errors import InputError
from mkt_assets.ingest import text_rows

HEADER = "a,b,c\n"


def records(path: Path, content: bytes | str) -> list[text_rows.Record]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(text_rows.csv_records(path))


lines = st.text(st.sampled_from('ab1,"; \té'), max_size=12)


@given(st.lists(lines, max_size=30))
def test_no_line_is_lost_or_told_twice(
    tmp_path_factory: pytest.TempPathFactory, body: list[str]
) -> None:
    found = records(tmp_path_factory.mktemp("t") / "f.csv", HEADER + "\n".join(body))
    told = [line for record in found for line in record.raw.split("\n")]
    there = [line for line in body if line.strip(',"')]
    # lines of nothing but commas and quotes may be blank rows; everything else must be there
    assert [line for line in told if line.strip(',"')] == there
    assert [record.row for record in found] == list(range(1, len(found) + 1))
    assert all((record.fields is None) == (record.fault is not None) for record in found)


cell = st.text(st.sampled_from('ab;," \n\u00e9'), min_size=1, max_size=6)


@given(st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=10), st.sampled_from(",;\t|"))
def test_what_a_csv_writer_wrote_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], delimiter: str
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([("a", "b", "c"), *rows])
    found = records(tmp_path_factory.mktemp("t") / "f.csv", text.getvalue())
    assert [record.fields for record in found] == [list(row) for row in rows]


def test_after_a_stray_quote_reading_goes_on_at_the_next_line(tmp_path: Path) -> None:
    found = records(tmp_path / "f.csv", HEADER + '1,"x,3\n1,2,3\n1,2,3\n')
    assert [record.fault for record in found] == ["malformed", None, None]


def test_ragged_lines_and_broken_bytes_lose_only_themselves(tmp_path: Path) -> None:
    found = records(tmp_path / "f.csv", b"a,b,c\n1,2\n1,2,3,4\n1,\xff\xfe,3\n1,2,3\n\n,,\n")
    assert [r.fault for r in found] == ["ragged_row", "ragged_row", "encoding_error", None]
    assert found[2].raw == "1,\\xff\\xfe,3"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, end: str) -> None:
    text = end.join(["a;b", "1;ü", "2;x"])
    found = records(tmp_path / "f.csv", text.encode(encoding))
    assert text_rows.csv_header(tmp_path / "f.csv") == ["a", "b"]
    assert [record.fields for record in found] == [["1", "ü"], ["2", "x"]]


def test_excels_own_delimiter_line(tmp_path: Path) -> None:
    assert records(tmp_path / "f.csv", "sep=;\na;b\n1;2\n")[0].fields == ["1", "2"]


def test_a_header_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="UTF-8"):
        records(tmp_path / "f.csv", b"a,b\xff\n1,2\n")
