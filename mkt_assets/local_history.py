"""Dagster's SQLite history at less cost: the same files, opened once and synced when a run ends.

For each of a run's hundreds of events Dagster makes SQLAlchemy engines anew, which then compile
their statements anew, opens two files, waits for the disk and closes them. Here engines are kept,
and connections too: to the file that all runs share, and to those of runs that this process writes.
A power cut may lose the last seconds of a history, never its consistency (SQLite's ``synchronous =
normal`` with a write-ahead log); a killed process loses nothing. What stays out: PostgreSQL, which
keeps its engine by itself.

Limits: whoever opens such a file as plain bytes in a process that keeps it open takes SQLite's
locks away from under it (POSIX), so nothing here does.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

from dagster import DagsterEventType, EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.event import listen
from sqlalchemy.pool import NullPool, QueuePool

#: runs that are written or looked at together; the UI may look through many, one after the other
_KEPT: Final = 8
#: the file that all runs share
_INDEX: Final = "index"
#: after these a run's history is made safe against a power cut
_ENDS: Final = frozenset(
    {DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED}
)


class KeptEngines(SqliteEventLogStorage):
    """The events of each run in a file of its own, as Dagster keeps them."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        #: shards whose connection is kept: those that this process writes
        self._kept: set[str] = {_INDEX}
        #: tables that the shared file is known to have, which Dagster asks for at most events
        self._tables: set[str] = set()
        self._one_at_a_time = threading.Lock()
        super().__init__(base_dir, inst_data)

    def has_table(self, table_name: str) -> bool:
        """Whether the shared file has a table; what it has, it keeps until it is wiped."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, and tell whoever follows the run."""
        if event.run_id not in self._kept:
            self._close(event.run_id)
            self._kept.add(event.run_id)
        super().store_event(event)
        # the UI watches the run's file, and what is new stands in the log beside it
        os.utime(self.path_for_shard(event.run_id))
        if event.is_dagster_event and event.dagster_event_type in _ENDS:
            for shard in (event.run_id, _INDEX):
                self._sync(shard)
            self._close(event.run_id, _INDEX)

    def _sync(self, shard: str) -> None:
        # closing does as much only where no other process has the file open
        with self._one_at_a_time:
            # another thread may have ended a run, or looked through many, and closed it meanwhile
            if engine := self._engines.get(shard):
                with engine.connect() as connection:
                    connection.exec_driver_sql("pragma wal_checkpoint(passive)")

    def run_connection(self, run_id: str | None = None) -> AbstractContextManager[Connection]:
        """A transaction on the file of a run."""
        made = super().run_connection
        return self._connection(str(run_id), lambda: made(run_id))

    def index_connection(self) -> AbstractContextManager[Connection]:
        """A transaction on the file of what is asked across runs."""
        return self._connection(_INDEX, super().index_connection)

    def wipe(self) -> None:
        """Remove every file."""
        super().wipe()
        self._tables.clear()
        self._close(*tuple(self._engines))

    def dispose(self) -> None:
        """Sync and close what is open; what is asked afterwards opens it again."""
        super().dispose()
        self._close(*tuple(self._engines))

    def _close(self, *shards: str) -> None:
        with self._one_at_a_time:
            for shard in shards:
                if engine := self._engines.pop(shard, None):
                    engine.dispose()
            self._kept = {_INDEX, *(self._kept - {*shards})}

    @contextmanager
    def _connection(
        self, shard: str, made: Callable[[], AbstractContextManager[Connection]]
    ) -> Iterator[Connection]:
        with self._one_at_a_time:
            if shard not in self._engines:
                # Dagster makes the file and its tables where there are none
                with made():
                    pass
                self._engines[shard] = self._engine(shard)
            self._engines.move_to_end(shard)
            while len(self._engines) > _KEPT:
                unused = next(name for name in self._engines if name != _INDEX)
                self._engines.pop(unused).dispose()
                self._kept -= {unused}
            with self._engines[shard].begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=QueuePool if shard in self._kept else NullPool,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
        )
        if shard in self._kept:
            listen(engine, "connect", _sync_at_checkpoints)
        return engine


def _sync_at_checkpoints(connection: Any, _: Any) -> None:
    connection.execute("pragma synchronous = normal")


class LocalHistory(DagsterSqliteStorage):
    """Runs, events and schedules below one folder, where Dagster's own storage has them."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        super().__init__(base_dir, inst_data)
        self._events = KeptEngines(str(Path(base_dir) / "history" / "runs"))

    @property
    def event_log_storage(self) -> EventLogStorage:
        """What Dagster writes events to and reads them from."""
        return self._events

    def register_instance(self, instance: Any) -> None:
        """Make the instance known to each storage."""
        super().register_instance(instance)
        if not self._events.has_instance:
            self._events.register_instance(instance)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> LocalHistory:
        """The storage that dagster.yaml asks for."""
        return cls.from_local(inst_data=inst_data, **config_value)
