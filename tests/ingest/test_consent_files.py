"""Consent logs: a change is read, or set aside with its text; unset is never granted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from mkt_assets.errors import InputError
from mkt_assets.ingest.consent_files import SIGNALS, ConsentLanded, read_consent_log

HEADER = f"subject_id,changed_at,{','.join(SIGNALS)}"
AT = datetime(2021, 2, 1, 12, tzinfo=UTC)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def read(
    con: duckdb.DuckDBPyConnection, path: Path
) -> tuple[ConsentLanded, list[tuple[object, ...]]]:
    out = path.parent / "out" / "consent_log.parquet"
    told = read_consent_log(con, path, out)
    # the last column says which file a row came from
    return told, con.execute(f"select * exclude (source_file) from '{out}'").fetchall()


def written(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    "time",
    [
        "2021-02-01T12:00:00Z",
        "2021-02-01 12:00:00",
        "2021-02-01T13:00:00+01:00",
        "1612180800000000",
    ],
)
def test_times_are_read_as_utc(con: duckdb.DuckDBPyConnection, tmp_path: Path, time: str) -> None:
    path = written(tmp_path / "c.csv", f"s,{time},granted,DENIED,Yes,false")
    told, rows = read(con, path)
    assert (told.rows_in, told.rows_out) == (1, 1)
    [(subject, changed, *signals)] = rows
    assert (subject, signals) == ("s", ["granted", "denied", "granted", "denied"])
    assert changed.astimezone(UTC) == AT  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("s,2021-02-30T12:00:00Z,granted,granted,granted,granted", "bad_time"),
        ("s,soon,granted,granted,granted,granted", "bad_time"),
        ("s,1612180800,granted,granted,granted,granted", "bad_time"),
        ("s,,granted,granted,granted,granted", "bad_time"),
        (",2021-02-01,granted,granted,granted,granted", "missing_subject"),
        ("s,2021-02-01,granted,maybe,granted,granted", "unknown_signal"),
        ("s,2021-02-01,granted,granted", "ragged_row"),
    ],
)
def test_a_change_that_cannot_be_read_is_set_aside(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, row: str, reason: str
) -> None:
    good = "t,2021-02-01,granted,granted,granted,granted"
    told, rows = read(con, written(tmp_path / "c.csv", row, good))
    assert (told.rows_in, told.rows_out, told.quarantined) == (2, 1, {reason: 1})
    assert [r[0] for r in rows] == ["t"]
    assert told.quarantine_path is not None
    [(number, why)] = con.execute(
        f"select source_row, reason from read_parquet('{told.quarantine_path}')"
    ).fetchall()
    assert (number, why) == (1, reason)
    assert any("stay in force" in note for note in told.notes)


def test_unset_is_not_granted(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    told, rows = read(con, written(tmp_path / "c.csv", "s,2021-02-01,granted,granted,,"))
    assert rows[0][2:] == ("granted", "granted", None, None)
    assert any("blank" in note for note in told.notes)


def test_ndjson_and_parquet_are_read_too(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    change = {"user_pseudo_id": "s", "changed_at": "2021-02-01T12:00:00Z"} | dict.fromkeys(
        SIGNALS, "granted"
    )
    lines = tmp_path / "c.json"
    lines.write_text(json.dumps(change) + "\n{broken\n")
    table = tmp_path / "c.parquet"
    con.execute(
        f"copy (select * replace (changed_at::timestamptz as changed_at) from "
        f"read_json('{lines}', ignore_errors = true) where user_pseudo_id is not null) to '{table}'"
    )
    told, of_lines = read(con, lines)
    assert told.quarantined == {"malformed": 1}
    assert read(con, table)[1] == of_lines
    assert len(of_lines) == 1


@pytest.mark.parametrize("missing", ["subject_id", "changed_at", "ad_user_data"])
def test_a_missing_column_is_refused(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, missing: str
) -> None:
    path = written(tmp_path / "c.csv", "s,2021-02-01,a,b,c,d", header=HEADER.replace(missing, "x"))
    with pytest.raises(InputError, match=missing):
        read(con, path)
    lines = tmp_path / "c.json"
    lines.write_text(json.dumps({name: "x" for name in HEADER.split(",") if name != missing}))
    with pytest.raises(InputError, match=missing):
        read(con, lines)


@pytest.mark.parametrize("spoiled", ["footer", "page"])
def test_a_damaged_parquet_log_is_refused_by_name_and_quotes_nobody(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, spoiled: str
) -> None:
    signals = ", ".join(f"'granted' as {name}" for name in SIGNALS)
    path = tmp_path / "log.parquet"
    con.execute(
        f"copy (select 'person-' || range as subject_id, '2021-02-01' as changed_at, {signals} "
        f"from range(50)) to '{path}' (format parquet, compression uncompressed)"
    )
    content = path.read_bytes()
    if spoiled == "footer":
        content = b"PAR1" + content
    else:
        # not UTF-8 any more, which DuckDB says with the whole value
        content = content.replace(b"person-7", b"person-\xff")
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"log\.parquet.*Transfer or export it again") as refused:
        read(con, path)
    assert "person" not in f"{refused.value} {refused.value.__cause__} {refused.value.__context__}"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("login-of-jane,2021-02-01,granted,denied,yes,no", "there is no subject_id"),
        ("login-of-jane,2021-02-01,login-of-jane,denied,yes,no", "two columns have one name"),
    ],
)
def test_a_log_without_a_header_line_shows_nobody(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, line: str, problem: str
) -> None:
    path = tmp_path / "c.csv"
    path.write_text(f"{line}\n" * 2)
    with pytest.raises(InputError, match=problem) as refused:
        read(con, path)
    assert "jane" not in str(refused.value)
