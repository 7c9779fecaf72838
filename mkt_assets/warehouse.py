"""The one way to the DuckDB warehouse: dbt alone writes it, everything else reads it read-only."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
from dagster_duckdb import DuckDBResource

from mkt_assets.errors import MktError
from mkt_assets.lake import replacing, sync
from mkt_assets.locks import wait_until_closed

_READ_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.2
#: DuckDB has one class of error for all of these
NEWER = "created with a newer version of DuckDB"
_DAMAGED = ("not a valid DuckDB database", "Could not read enough bytes", "Corrupt database file")


@dataclass(frozen=True)
class Relation:
    """What dbt built: where, how many rows, and its columns with their types."""

    schema: str
    rows: int
    columns: dict[str, str]


@dataclass(frozen=True)
class Build:
    """What the marts are now: equal contents have equal ids."""

    id: str
    tables: dict[str, dict[str, object]]


class Warehouse(DuckDBResource):
    """A read-only reader on top of dagster-duckdb's resource.

    The resource itself opens read-write, leaves its connection open when the body raises, and gives
    no word while it waits for a lock; this one does none of that.
    """

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection that is closed however the body ends.

        Raises:
            MktError: there is no warehouse yet, or somebody writes it for longer than a minute.
        """
        if not Path(self.database).is_file():
            raise MktError(f"there is no warehouse at {self.database}: materialize the marts first")
        connection = self._wait_for_reader()
        try:
            yield connection
        finally:
            connection.close()

    def _wait_for_reader(self) -> duckdb.DuckDBPyConnection:
        give_up = time.monotonic() + _READ_WAIT_SECONDS
        while True:
            try:
                return duckdb.connect(self.database, read_only=True, config=self.connection_config)
            except duckdb.IOException as error:
                if "lock" not in str(error).lower():
                    raise
                if time.monotonic() > give_up:
                    raise MktError(
                        f"{self.database} is being written by another process: {error}. Only dbt "
                        "may open the warehouse; point BI tools at serving/mkt_bi.duckdb."
                    ) from error
                time.sleep(_POLL_SECONDS)

    def query(self, sql: str, parameters: list[object] | None = None) -> pd.DataFrame:
        """The rows of one query as a frame; DECIMAL becomes float64."""
        with self.get_connection() as connection:
            return connection.execute(sql, parameters or []).df()

    def stamp_build(self) -> dict[str, dict[str, object]]:
        """Fingerprint the marts and remember it as the current build, when dbt has ended."""
        with self.get_connection() as connection:
            prints = {t: fingerprint(connection, f"marts.{t}") for t in mart_tables(connection)}
        build_id = hashlib.sha256(json.dumps(prints, sort_keys=True).encode()).hexdigest()[:16]
        with replacing(self._build_file) as writing:
            writing.write_text(json.dumps({"build_id": build_id, "tables": prints}, indent=1))
        return prints

    def relations(self) -> dict[str, Relation]:
        """Everything that dbt built, views too, by name."""
        with self.get_connection() as connection:
            found = connection.execute(
                "select table_schema, table_name from information_schema.tables "
                "where table_schema in ('staging', 'intermediate', 'marts') order by 1, 2"
            ).fetchall()
            return {name: _relation(connection, schema, name) for schema, name in found}

    def build(self) -> Build:
        """The current build of the marts.

        Raises:
            MktError: there is none, or the last one did not end well.
        """
        if not self._build_file.is_file():
            raise MktError(
                "the marts have no build id: they were never built, or their last build did not "
                "end well. Materialize the marts first."
            )
        told = json.loads(self._build_file.read_text(encoding="utf-8"))
        return Build(str(told["build_id"]), told["tables"])

    def make_ready(self, *, timeout: float, say: Callable[[str], object]) -> None:
        """Before dbt begins: nobody else has the file open, it can be read, and no build is known.

        A build that does not end well thus has no id, and nothing of it is published.

        Raises:
            MktError: somebody has it open for too long, or a newer DuckDB wrote it.
        """
        database = Path(self.database)
        wait_until_closed(database, timeout=timeout, say=say)
        self._build_file.unlink(missing_ok=True)
        if database.is_file():
            sync(database.parent)
            self.drop_if_damaged(say, read_all=False)

    def drop_if_damaged(self, say: Callable[[str], object], *, read_all: bool = True) -> bool:
        """Remove a file that cannot be read: all that it holds is built anew from the lake.

        Raises:
            MktError: it is whole, but a newer DuckDB wrote it.
        """
        try:
            with duckdb.connect(self.database, read_only=True) as connection:
                for table in mart_tables(connection) if read_all else []:
                    fingerprint(connection, f"marts.{table}")
        except duckdb.Error as error:
            problem = str(error)
        else:
            return False
        if NEWER in problem:
            raise MktError(
                f"{self.database} was written by a newer DuckDB than {duckdb.__version__}: upgrade "
                "this installation, or remove the file, and the next run builds it anew."
            )
        if not any(words in problem for words in _DAMAGED):
            return False
        Path(self.database).unlink()
        Path(f"{self.database}.wal").unlink(missing_ok=True)
        say(f"{self.database} was damaged ({problem.splitlines()[0]}): it is built anew")
        return True

    @property
    def _build_file(self) -> Path:
        return Path(self.database).with_name("build.json")


def _relation(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> Relation:
    table = f'{schema}."{name}"'
    counted = connection.execute(f"select count(*) from {table}").fetchone()
    described = connection.execute(f"describe {table}").fetchall()
    columns = {row[0]: row[1] for row in described}
    return Relation(schema, int(counted[0]) if counted else 0, columns)


def mart_tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The tables of schema ``marts``, by name."""
    rows = connection.execute(
        "select table_name from information_schema.tables where table_schema = 'marts' order by 1"
    ).fetchall()
    return [row[0] for row in rows]


def fingerprint(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, object]:
    """Row count and an order-free hash of every value of ``table``."""
    rows, total = connection.execute(
        "select count(*), coalesce(sum(md5_number_lower(t::varchar)::hugeint), 0)::varchar "
        f"from {table} t"
    ).fetchone() or (0, "0")
    return {"rows": rows, "hash": total}
