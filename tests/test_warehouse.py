"""The warehouse is dbt's alone; what cannot be read is built anew, and a half build has no id."""

from __future__ import annotations

import struct
from pathlib import Path

import duckdb
import pytest

from mkt_assets.errors import MktError
from mkt_assets.warehouse import Warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    database = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(database)) as con:
        con.execute("create schema marts")
        con.execute("create table marts.a as select n, hash(n) as h from range(400_000) t(n)")
    return Warehouse(database=str(database))


def _file(warehouse: Warehouse) -> Path:
    return Path(warehouse.database)


def test_equal_marts_have_equal_ids(warehouse: Warehouse) -> None:
    warehouse.stamp_build()
    first = warehouse.build()
    with duckdb.connect(warehouse.database) as con:
        con.execute("create or replace table marts.a as from marts.a order by n desc")
    warehouse.stamp_build()
    assert warehouse.build() == first
    with duckdb.connect(warehouse.database) as con:
        con.execute("delete from marts.a where n = 0")
    warehouse.stamp_build()
    assert warehouse.build().id != first.id


def test_a_build_that_did_not_end_has_no_id(warehouse: Warehouse) -> None:
    said: list[str] = []
    warehouse.stamp_build()
    warehouse.make_ready(timeout=1, say=said.append)
    with pytest.raises(MktError, match=r"did not end well.*Materialize the marts"):
        warehouse.build()
    assert said == []
    assert _file(warehouse).is_file()


@pytest.mark.parametrize("left", [0, 1_000, 12_288, 2_000_000])
def test_a_warehouse_that_was_cut_off_is_built_anew(warehouse: Warehouse, left: int) -> None:
    said: list[str] = []
    content = _file(warehouse).read_bytes()
    assert left < len(content)
    _file(warehouse).write_bytes(content[:left])
    warehouse.make_ready(timeout=1, say=said.append)
    assert not _file(warehouse).exists()
    assert "was damaged" in said[0]


def test_a_flipped_bit_is_found_when_everything_is_read(warehouse: Warehouse) -> None:
    said: list[str] = []
    content = bytearray(_file(warehouse).read_bytes())
    content[len(content) // 2] ^= 1
    _file(warehouse).write_bytes(content)
    assert warehouse.drop_if_damaged(said.append)
    assert not _file(warehouse).exists()
    assert "Corrupt" in said[0]


def test_a_whole_warehouse_stays(warehouse: Warehouse) -> None:
    assert not warehouse.drop_if_damaged(print)
    assert _file(warehouse).is_file()


def test_a_newer_duckdbs_warehouse_is_refused_and_stays(warehouse: Warehouse) -> None:
    """The version stands after a checksum of DuckDB's and four letters."""
    content = bytearray(_file(warehouse).read_bytes())
    (version,) = struct.unpack_from("<Q", content, 12)
    struct.pack_into("<Q", content, 12, version + 1_000)
    struct.pack_into("<Q", content, 0, _checksum(bytes(content[8:4096])))
    _file(warehouse).write_bytes(content)
    with pytest.raises(MktError, match=r"newer DuckDB than .*: upgrade"):
        warehouse.make_ready(timeout=1, say=print)
    assert _file(warehouse).read_bytes() == content


def _checksum(block: bytes) -> int:
    told = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        told ^= word * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return told
