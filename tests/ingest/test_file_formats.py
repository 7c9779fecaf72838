"""The content says what a file is; what is not read is refused with what to do."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mkt_assets.errors import InputError
from mkt_assets.ingest.file_formats import open_bytes, recognise


def test_names_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "events_000000000000"
    for content, kind in ((b'{"a":1}\n', "ndjson"), (b"a,b\n", "csv"), (b"\n \n{}", "ndjson")):
        path.write_bytes(content)
        assert recognise(path) == kind
        path.write_bytes(gzip.compress(content, mtime=0))
        assert recognise(path) == kind
    pq.write_table(pa.table({"a": [1]}), path)
    assert recognise(path) == "parquet"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b" \n\n", "empty"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "empty"),
        ("a.parquet", b"", "empty"),
        ("a.parquet", b"a,b\n1,2\n", "not a Parquet"),
        ("a.csv", b"PK\x03\x04rest", "Excel"),
        ("a.csv", b"a\x00,\x00b\x00", "UTF-16"),
        ("a.json", b'[{"a":1}]', "array"),
        ("a.csv", gzip.compress(b"a,b\n", mtime=0)[:-6], "truncated"),
        ("a.csv", b"\x1f\x8b\x08junkjunkjunk", "damaged"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        recognise(path)
    assert name in str(caught.value)
    assert caught.value.remedy


def test_a_gzip_that_ends_early_is_found_wherever_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    whole = gzip.compress(bytes(range(256)) * 4000)
    path.write_bytes(whole[: len(whole) - 1])
    with pytest.raises(InputError, match="truncated"), open_bytes(path) as stream:
        stream.read()
