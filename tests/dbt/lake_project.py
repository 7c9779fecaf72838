"""A tiny lake and a warehouse for the repository's dbt project, and rows to fill it with."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import yaml

from mkt_assets.marts.dbt_tests import failing_rows, messages
from mkt_assets.project import dbt_project_dir

PROJECT = dbt_project_dir()
DAY_1, DAY_2 = dt.date(2024, 3, 1), dt.date(2024, 3, 2)
NOON = 1_709_294_400_000_000  # 2024-03-01 12:00 UTC in microseconds

#: of a file descriptor, above all that a test has open
HOME_NUMBER = 199
_KEPT = tempfile.TemporaryDirectory()
#: from one project to the next
SHARED = Path(_KEPT.name) / "partial_parse.msgpack"

Row = dict[str, Any]


def _lake_types() -> dict[str, dict[str, str]]:
    sources = yaml.safe_load((PROJECT / "models/staging/_sources.yml").read_text())["sources"]
    return {
        table["name"]: {column["name"]: column["data_type"] for column in table["columns"]}
        for table in sources[0]["tables"]
    }


@dataclass
class Project:
    """A lake and a warehouse of its own for the repository's dbt project."""

    home: Path
    types: dict[str, dict[str, str]] = field(default_factory=_lake_types)
    source: Path = PROJECT

    @property
    def lake(self) -> Path:
        # blanks and apostrophes occur in people's home folders
        return self.home / "o'brien's lake"

    def write(self, table: str, rows: Iterable[Row], day: dt.date | None = None) -> None:
        """One partition of a lake table, with exactly the guard's types."""
        folder = self.lake / table / (f"event_date={day}" if day else "")
        folder.mkdir(parents=True, exist_ok=True)
        source = self.home / "rows.json"
        source.write_text("\n".join(json.dumps(row, default=str) for row in rows))
        types = self.types[table]
        columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        with duckdb.connect() as con:
            con.execute("set timezone = 'UTC'")
            con.execute(f"create table rows ({columns})")
            if source.stat().st_size:
                con.execute(
                    "insert into rows by name select * from read_json($1, columns = $2)",
                    [str(source), types],
                )
            con.table("rows").write_parquet(str(folder / f"{table}.parquet"))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A dbt process; what it says is to be read from its ``stdout``."""
        program = str(Path(sys.executable).with_name("dbt"))
        place = ("--project-dir", str(self.source), "--profiles-dir", str(self.source))
        self._take_what_is_parsed()
        with self._home_by_number() as home:
            return subprocess.Popen(
                [program, *arguments, *place],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                pass_fds=(HOME_NUMBER,),
                env={
                    # of every made-up amount that does not say otherwise
                    "MKT_DBT_CURRENCY": "EUR",
                    **os.environ,
                    "MKT_LAKE_DIR": f"{home}/{self.lake.name}",
                    "MKT_WAREHOUSE_PATH": f"{home}/warehouse.duckdb",
                    "DBT_TARGET_PATH": str(self.target),
                    "DBT_LOG_PATH": str(self.home / "logs"),
                },
            )

    def dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        said, _ = process.communicate()
        if self.source == PROJECT and not SHARED.is_file() and self.parsed.is_file():
            shutil.copyfile(self.parsed, SHARED)
        return subprocess.CompletedProcess(process.args, process.returncode, said)

    @property
    def target(self) -> Path:
        return self.home / "target"

    @property
    def parsed(self) -> Path:
        """What dbt remembers of the project's files, and checks before it believes it."""
        return self.target / SHARED.name

    def _take_what_is_parsed(self) -> None:
        """To parse everything costs dbt as much as a small build; the first project did it."""
        # a copy of the project too: dbt reads anew what is not as it was parsed
        if SHARED.is_file() and not self.parsed.is_file():
            self.target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(SHARED, self.parsed)

    @contextmanager
    def _home_by_number(self) -> Iterator[str]:
        """The home under one name for all projects: dbt forgets all when the warehouse moves."""
        opened = os.open(self.home, os.O_RDONLY)
        try:
            os.dup2(opened, HOME_NUMBER)
            yield f"/proc/self/fd/{HOME_NUMBER}"
        finally:
            os.close(opened)
            os.close(HOME_NUMBER)

    def build(self, *arguments: str) -> None:
        done = self.dbt("build", "--exclude-resource-type", "unit_test", *arguments)
        assert done.returncode == 0, done.stdout

    @staticmethod
    def variable(name: str) -> Any:
        """A variable of dbt_project.yml."""
        return yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"][name]

    @contextmanager
    def reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The warehouse, whose views of the lake know the home by its number."""
        with (
            self._home_by_number(),
            duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as con,
        ):
            yield con

    def query(self, sql: str) -> pd.DataFrame:
        with self.reader() as con:
            return con.execute(sql).df()

    def broken(self, model: str) -> set[str]:
        """What the failed test of a model's rows says of the rows that it found."""
        results = self.target
        (test,) = (one for one in messages(results) if f".{model}_rows_are_sound." in one)
        failing = failing_rows(results, test)
        assert failing is not None, f"{test} did not fail"
        return set(self.query(failing)["broken"])

    def marts(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every mart, in stored order."""
        with self.reader() as con:
            names = con.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts' order by 1"
            ).fetchall()
            return {
                n: con.execute(f"from marts.{n} select cast({n} as varchar)").fetchall()
                for (n,) in names
            }


def event(name: str, user: str, minute: int, **values: Any) -> Row:
    """An event of session 1 of the user, ``minute`` minutes after noon."""
    timestamp = NOON + minute * 60_000_000
    day = dt.datetime.fromtimestamp(timestamp / 1e6, tz=dt.UTC).date()
    return {
        "event_date": day,
        "event_timestamp": timestamp,
        "event_name": name,
        "event_key": f"{user}-{minute}-{name}-{values.get('transaction_id', '')}",
        "user_key": user,
        "ga_session_id": 1,
        "stream_id": "web",
        "lineage_id": f"events-{day}",
        "processed_at": "2024-03-03 00:00:00+00",
    } | values


def ad(day: dt.date, channel: str, campaign: str, **values: Any) -> Row:
    return {
        "date": day,
        "channel": channel,
        "campaign": campaign,
        "currency": "EUR",
        "impressions": 0,
        "clicks": 0,
        "spend": "0",
        "lineage_id": f"ads-{day}",
        "processed_at": "2024-03-03 00:00:00+00",
    } | values


def ledger_row(**values: Any) -> Row:
    fates = ("kept", "dropped_consent", "cookieless", "duplicate", "quarantined", "erased")
    reasons = ("consent_denied", "cookieless", "duplicate", "no_timestamp", "erased")
    row = {
        "lineage_id": "l",
        "table_name": "events",
        "partition": DAY_1,
        "rows_in": 6,
        "reasons": json.dumps(dict.fromkeys(reasons, 1)),
    }
    return row | dict.fromkeys((f"rows_{fate}" for fate in fates), 1) | values
