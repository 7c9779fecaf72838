"""Dagster's SQLite history, asked by engines that are made once: the same files, at less cost.

For each of a run's hundreds of events Dagster makes SQLAlchemy engines anew, which then compile
their statements anew, and opens and closes two files. Engines are kept here. So is the connection
to the file that all runs share; that of a run is closed each time, since the UI follows a run by
changes of its file. What stays out: PostgreSQL, which keeps its engine by itself.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool, QueuePool

#: runs that are written or looked at together; the UI may look through many, one after the other
_KEPT: Final = 8
#: the file that all runs share
_INDEX: Final = "index"


class KeptEngines(SqliteEventLogStorage):
    """The events of each run in a file of its own, as Dagster keeps them."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._one_at_a_time = threading.Lock()
        super().__init__(base_dir, inst_data)

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
        self._close()

    def dispose(self) -> None:
        """Close what is open; what is asked afterwards opens it again."""
        super().dispose()
        self._close()

    def _close(self) -> None:
        with self._one_at_a_time:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()

    @contextmanager
    def _connection(
        self, shard: str, made: Callable[[], AbstractContextManager[Connection]]
    ) -> Iterator[Connection]:
        with self._one_at_a_time:
            if shard not in self._engines:
                # Dagster makes the file and its tables where there are none
                with made():
                    pass
                self._engines[shard] = create_engine(
                    self.conn_string_for_shard(shard),
                    poolclass=QueuePool if shard == _INDEX else NullPool,
                    connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
                )
            self._engines.move_to_end(shard)
            while len(self._engines) > _KEPT:
                _, unused = self._engines.popitem(last=False)
                unused.dispose()
            with self._engines[shard].begin() as connection:
                yield connection


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
