"""A stored table that breaks its contract is named with the rule and the number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from mkt_assets.contract_checks import violations
from mkt_assets.contracts import REGISTRY, Column, Table

TABLE = Table(
    "insights",
    "things",
    "Things.",
    ("name",),
    (
        Column("name", "VARCHAR", "Name."),
        Column("share", "DOUBLE", "Share.", low=0, high=1, nullable=True),
        Column("kind", "VARCHAR", "Kind.", values=("a", "b")),
    ),
)
GOOD = "select 'x' as name, 0.5::double as share, 'a' as kind"


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def _stored(tmp_path: Path, sql: str) -> Path:
    path = tmp_path / "t.parquet"
    duckdb.execute(f"copy ({sql}) to '{path}' (format parquet)")
    return path


def test_a_good_table_has_no_violations(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert violations(con, TABLE, _stored(tmp_path, GOOD)) == []


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select 'x' as name, 0.5::double as share", "column kind is missing"),
        (f"select *, 1 as more from ({GOOD})", "column more is not in the contract"),
        (
            "select 'x' as name, 1 as share, 'a' as kind",
            "share is INTEGER, the contract says DOUBLE",
        ),
        (f"{GOOD} union all {GOOD}", "occur more than once"),
        ("select null::varchar as name, 0.5::double as share, 'a' as kind", "name is null"),
        ("select 'x' as name, 1.5::double as share, 'a' as kind", "share is above 1"),
        ("select 'x' as name, 'nan'::double as share, 'a' as kind", "share is not finite"),
        ("select 'x' as name, 0.5::double as share, 'c' as kind", "kind is none of 'a', 'b'"),
    ],
)
def test_each_breach_is_said(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str, words: str
) -> None:
    assert any(words in v for v in violations(con, TABLE, _stored(tmp_path, sql)))


def test_a_table_that_was_not_written_is_a_violation(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    assert "not written" in violations(con, TABLE, tmp_path / "none.parquet")[0]


def test_every_contract_is_complete() -> None:
    for table in REGISTRY.values():
        names = [c.name for c in table.columns]
        assert len(set(names)) == len(names), table.path
        assert set(table.key) <= set(names), table.path
        assert table.description.endswith("."), table.path
        for column in table.columns:
            assert column.description, f"{table.path}.{column.name}"
