"""Runs the daily job in this process and tells a person how it goes; the graph is elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mkt_assets.data_directory import refuse_unusable
from mkt_assets.failures import (
    failed_check,
    is_blocking,
    is_of_a_check,
    root_of,
    step_name,
    words_of,
)
from mkt_assets.lake import Lake
from mkt_assets.locks import exclusive
from mkt_assets.settings import Settings

#: the one thing that a step says which a waiting person must see; failures come as events
_WORTH_A_LINE = "waiting for"
_DAGSTER_YAML = """\
storage:
  custom:
    module: mkt_assets.local_history
    class: LocalHistory
    config:
      base_dir: {env: DAGSTER_HOME}
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 1
  pools:
    granularity: run
    default_limit: 1
run_monitoring:
  enabled: true
  start_timeout_seconds: 600
run_retries:
  enabled: true
  max_retries: 1
  retry_on_asset_or_op_failure: false
"""


@dataclass
class Outcome:
    """How a run ended, in words that can be printed or turned into JSON."""

    success: bool
    run_id: str = ""
    seconds: float = 0.0
    assets: dict[str, int | None] = field(default_factory=dict)
    checks_passed: int = 0
    warnings: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    log: str = ""


class Reporter:
    """Turns Dagster's events into one line an asset, or a progress bar on a terminal."""

    def __init__(self, console: Console, total: int) -> None:
        self.outcome = Outcome(success=False)
        self._console = console
        self._started: dict[str, float] = {}
        self._pending: dict[str, tuple[int | None, int]] = {}
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=total)

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show the bar while the body runs."""
        with self._bar:
            yield

    def handle(self, event: Any) -> None:
        """One Dagster event."""
        kind = event.event_type_value
        if kind == "STEP_START":
            self._started[event.step_key] = time.monotonic()
            self._bar.update(self._task, description=step_name(event.step_key))
        elif kind == "ASSET_MATERIALIZATION":
            self._materialized(event)
        elif kind == "ASSET_CHECK_EVALUATION":
            self._checked(event.asset_check_evaluation_data)
        elif kind == "STEP_SUCCESS":
            self._finish(event.step_key)
        elif kind in ("STEP_FAILURE", "RESOURCE_INIT_FAILURE"):
            self._failed(event)

    def say(self, message: str) -> None:
        """A line from inside a step, such as waiting for a lock."""
        self._bar.console.print(f"  {message}", markup=False, highlight=False)

    def _materialized(self, event: Any) -> None:
        key = event.asset_key.to_user_string()
        rows = event.materialization.metadata.get("dagster/row_count")
        count = None if rows is None else int(rows.value)
        _, days = self._pending.get(key, (None, 0))
        self._pending[key] = (count, days + 1)

    def _finish(self, step: str) -> None:
        seconds = time.monotonic() - self._started.get(step, time.monotonic())
        for key in list(self._pending):
            self._line(key, f"{seconds:6.1f} s")

    def _line(self, key: str, took: str) -> None:
        rows, days = self._pending.pop(key)
        self.outcome.assets[key] = rows
        size = "" if rows is None else f"{rows:>10,} rows"
        span = f"{days} days" if days > 1 else ""
        self._bar.console.print(
            f"  ok  {key:<34}{size:>16}  {span:>8}  {took}".rstrip(), markup=False, highlight=False
        )
        self._bar.advance(self._task)

    def _checked(self, evaluation: Any) -> None:
        if evaluation.passed:
            self.outcome.checks_passed += 1
            return
        told, blocking = failed_check(evaluation), is_blocking(evaluation)
        (self.outcome.failures if blocking else self.outcome.warnings).append(told)
        self.say(f"{'FAILED' if blocking else 'warning'} check {told}")

    def _failed(self, event: Any) -> None:
        error = root_of(event.event_specific_data.error)
        if is_of_a_check(error):
            return
        # before the first step there is the data directory: its lock, its owner, its files
        words = words_of(error)
        told = f"{step_name(event.step_key)}: {words}" if event.step_key else words
        self.outcome.failures.append(told)
        self.say(f"FAILED {told}")


class _Handler(logging.Handler):
    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.DEBUG)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_event", None)
        if event is not None:
            self._reporter.handle(event)
        elif _WORTH_A_LINE in record.getMessage():
            meta = getattr(record, "dagster_meta", {})
            self._reporter.say(meta.get("orig_message", record.getMessage()))


def run_days(settings: Settings, first: date, last: date, out: TextIO) -> Outcome:
    """Materialize the whole graph for the days ``first`` to ``last``; progress goes to ``out``.

    Raises:
        MktError: the days are outside the calendar, or the graph cannot be loaded.
    """
    return run_job(settings, "daily_marketing", (first, last), out)


def run_job(
    settings: Settings,
    job: str,
    days: tuple[date, date],
    out: TextIO,
    config: Mapping[str, Any] | None = None,
) -> Outcome:
    """Run a job for the days from the first to the last of ``days``; progress goes to ``out``.

    ``config`` is what the job's assets are told, by step; Dagster keeps it, so it holds no secret.
    """
    refuse_unusable(Lake(settings.data_dir))
    started = time.monotonic()
    log = _log_file(settings)
    with _own_terminal(out, log) as terminal, warnings.catch_warnings():
        # Dagster says of its own current interface that parts of it are beta
        warnings.simplefilter("ignore")
        ops = {step: {"config": told} for step, told in (config or {}).items()}
        outcome = _execute(settings, job, days, ops, terminal)
    outcome.seconds = time.monotonic() - started
    outcome.log = str(log)
    return outcome


def _execute(
    settings: Settings, name: str, days: tuple[date, date], ops: Mapping[str, Any], out: TextIO
) -> Outcome:
    import dagster as dg

    from mkt_assets.definitions import build_defs
    from mkt_assets.partitions import range_tags

    console = Console(file=out, soft_wrap=True)
    holder: list[Reporter] = []

    @dg.logger(None, description="one line an asset")
    def mkt(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("mkt", logging.DEBUG)  # noqa: LOG001  Dagster owns it
        logger.addHandler(_Handler(holder[0]))
        return logger

    defs = build_defs(loggers={"mkt": mkt})
    job = defs.resolve_job_def(name)
    reporter = Reporter(console, total=len(list(job.asset_layer.executable_asset_keys)))
    holder.append(reporter)
    with dagster_instance(settings) as instance, reporter.live():
        result = job.execute_in_process(
            instance=instance,
            tags=range_tags(*days),
            run_config={"loggers": {"mkt": {}}, "ops": ops},
            raise_on_error=False,
        )
    reporter.outcome.run_id = result.run_id
    reporter.outcome.success = result.success and not reporter.outcome.failures
    return reporter.outcome


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[Any]:
    """Dagster's history: DAGSTER_HOME where it is set, else a folder of the data directory."""
    import dagster as dg

    if "DAGSTER_HOME" not in os.environ:
        home = settings.data_dir / "dagster"
        home.mkdir(parents=True, exist_ok=True)
        config = home / "dagster.yaml"
        if not config.is_file():
            config.write_text(_DAGSTER_YAML, encoding="utf-8")
        os.environ["DAGSTER_HOME"] = str(home)
    # two first runs at once would both create Dagster's tables, and one would fail
    lock = Lake(settings.data_dir).locks / "dagster.lock"
    with exclusive(lock, "the opening of Dagster's history", timeout=settings.lock_timeout_seconds):
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance


def _log_file(settings: Settings) -> Path:
    path = settings.data_dir / "logs" / f"run-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def _own_terminal(out: TextIO, log: Path) -> Iterator[TextIO]:
    """Keep the terminal for our own lines: what dbt and the libraries print goes to a log file."""
    sys.stdout.flush()
    sys.stderr.flush()
    terminal = os.fdopen(os.dup(out.fileno()), "w", encoding="utf-8", buffering=1)
    saved = [os.dup(1), os.dup(2)]
    with log.open("ab") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    try:
        yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in enumerate(saved, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        terminal.close()
