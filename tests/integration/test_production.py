"""The production profile on a real PostgreSQL: code server, daemon and webserver apart."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PROGRAMS = Path(sys.executable).parent
#: processes start in seconds; on a busy machine in minutes
PATIENCE_SECONDS = 900
LAUNCH = """
mutation Launch($told: ExecutionParams!) {
  launchRun(executionParams: $told) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}
"""
STATUS = "query S($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


def _server_programs() -> Path | None:
    """Where a PostgreSQL server lies: on the path, or where Debian puts it."""
    named = shutil.which("initdb")
    found = [Path(named).resolve().parent] if named else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in found if (place / "postgres").is_file()), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _not_root() -> int | None:
    """PostgreSQL refuses to run as root: any other user will do."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return names.get("postgres", names["nobody"])


@contextmanager
def process(log: Path, *command: object, **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a process group of its own, which ends with it."""
    with log.open("ab") as sink:
        started = subprocess.Popen(
            [*map(str, command)], stdout=sink, stderr=sink, start_new_session=True, **how
        )
    try:
        yield started
    finally:
        kill(started)


def kill(started: subprocess.Popen[bytes]) -> None:
    # it may have ended by itself
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def wait_for(what: Callable[[], Any], *logs: Path) -> Any:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not (found := what()):
        told = [log.read_text(errors="replace")[-2000:] for log in logs if log.exists()]
        assert time.monotonic() < give_up, told
        time.sleep(1)
    return found


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of an empty database on this machine."""
    programs = _server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    import psycopg2

    # not below pytest's own folder, which is closed to other users
    home = Path(tempfile.mkdtemp(prefix="mkt-postgres-"))
    user, port = _not_root(), _free_port()
    if user is not None:
        os.chown(home, user, -1)
    address = f"postgresql://dagster@127.0.0.1:{port}/postgres"

    def answers() -> bool:
        try:
            psycopg2.connect(address).close()
        except psycopg2.OperationalError:
            return False
        return True

    made = subprocess.run(
        [programs / "initdb", "--pgdata", home / "db", "--username", "dagster", "--auth", "trust"],
        user=user, cwd=home, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    command = (programs / "postgres", "-D", home / "db", "-p", port, "-k", home, "-h", "127.0.0.1")
    log = Path(tempfile.mkstemp(prefix="mkt-postgres-", suffix=".log")[1])
    try:
        with process(log, *command, user=user, cwd=home):
            wait_for(answers, log)
            yield address
    finally:
        shutil.rmtree(home)
        log.unlink()


class Production:
    """The processes of the compose file, on this machine, with the files of `deploy/`."""

    def __init__(self, home: Path, product: Product, database: str) -> None:
        shutil.copy(DEPLOY / "dagster.yaml", home)
        self.home, self.code_port, self.port = home, _free_port(), _free_port()
        workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())
        workspace["load_from"][0]["grpc_server"] |= {"host": "127.0.0.1", "port": self.code_port}
        self.workspace = home / "workspace.yaml"
        self.workspace.write_text(yaml.safe_dump(workspace))
        header = "date,channel,campaign,impressions,clicks,spend,conversions,revenue"
        line = "2025-01-02,Search,brand,1000,50,20.5,2,90.25"
        (home / "ads.csv").write_text(f"{header}\n{line}\n")
        self.environment = product(
            home,
            {
                "MKT_SOURCE": "files",
                "MKT_ADS_URI": str(home / "ads.csv"),
                "DAGSTER_HOME": str(home),
                "DAGSTER_COMPUTE_LOGS": str(home / "logs"),
                "DAGSTER_POSTGRES_URL": database.replace("postgresql:", "postgresql+psycopg2:"),
                "no_proxy": "127.0.0.1",
            },
        ).environment

    def start(self, program: str, *arguments: object) -> Any:
        log = self.home / f"{program}.log"
        return process(log, PROGRAMS / program, *arguments, env=self.environment, cwd=self.home)

    def code(self) -> Any:
        told = ("--host", "127.0.0.1", "--port", self.code_port)
        return self.start("dagster", "code-server", "start", *told, "-m", "mkt_assets.definitions")

    def daemon(self) -> Any:
        return self.start("dagster-daemon", "run", "--workspace", self.workspace)

    def webserver(self) -> Any:
        told = ("--host", "127.0.0.1", "--port", self.port)
        return self.start("dagster-webserver", *told, "--workspace", self.workspace)

    def ask(self, query: str, variables: Told) -> Told:
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/graphql", body, headers)
        # this machine's proxy, where it has one, does not know our loopback
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=120) as answer:
                told: Told = json.loads(answer.read())
        except OSError:
            return {}
        return told

    def launch(self) -> str:
        selector = {
            "repositoryLocationName": "mkt_assets",
            "repositoryName": "__repository__",
            "jobName": "daily_marketing",
            "assetSelection": [{"path": ["ingest", "raw_ad_performance"]}],
        }
        tags = [{"key": "dagster/partition", "value": "2025-01-02"}]
        told = {"selector": selector, "executionMetadata": {"tags": tags}}

        def launched() -> str | None:
            answer = self.ask(LAUNCH, {"told": told})
            found = ((answer.get("data") or {}).get("launchRun") or {}).get("run")
            return str(found["runId"]) if found else None

        return str(wait_for(launched, *self.home.glob("*.log")))

    def outcome(self, run_id: str) -> str:
        def ended() -> str | None:
            answer = self.ask(STATUS, {"id": run_id})
            status = ((answer.get("data") or {}).get("runOrError") or {}).get("status")
            return status if status in {"SUCCESS", "FAILURE", "CANCELED"} else None

        return str(wait_for(ended, *self.home.glob("*.log")))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, product: Product, database: str) -> Told:
    import psycopg2

    production = Production(tmp_path_factory.mktemp("production"), product, database)
    with ExitStack() as processes:
        processes.enter_context(production.code())
        processes.enter_context(production.webserver())
        with production.daemon() as daemon:
            first = production.launch()
            outcomes = [production.outcome(first)]
            kill(daemon)
        second = production.launch()
        with production.daemon():
            outcomes.append(production.outcome(second))
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select run_id, count(*) from event_logs where dagster_event_type in "
            "('ASSET_MATERIALIZATION', 'PIPELINE_SUCCESS') group by run_id"
        )
        events = dict(cursor.fetchall())
        cursor.execute(
            "select event::json #>> '{dagster_event,event_specific_data,error,message}' "
            "from event_logs where dagster_event_type in ('STEP_FAILURE', 'ENGINE_EVENT')"
        )
        errors = [message for (message,) in cursor.fetchall() if message]
    home = production.home
    return {
        "outcomes": outcomes, "runs": [first, second], "events": events, "errors": errors,
        "sqlite": [str(p) for p in home.rglob("*.db")],
        "logs": [p for run in (first, second) for p in (home / "logs" / run).rglob("*.out")],
    }  # fmt: skip


def test_a_launched_run_succeeds_and_so_does_one_after_the_daemon_was_killed(told: Told) -> None:
    assert told["errors"] == []
    assert told["outcomes"] == ["SUCCESS", "SUCCESS"]


def test_the_events_are_in_postgresql_and_nowhere_else(told: Told) -> None:
    assert all(told["events"].get(run, 0) >= 2 for run in told["runs"])
    assert told["sqlite"] == []


def test_what_steps_print_lies_in_the_shared_folder(told: Told) -> None:
    assert len(told["logs"]) >= 2
