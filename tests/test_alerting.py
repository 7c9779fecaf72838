"""Who is told of a failed run, in which words, and what happens when nobody listens."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest

from mkt_assets.alerting import PAUSES_SECONDS, alert, post
from mkt_assets.errors import InputError, MktError
from mkt_assets.settings import load_settings, settings

SECRET_PATH = "/services/T0/s3cr3t-hook"
CANARY = "ada.lovelace@example.org"


class Hook:
    """A web hook on this machine that answers as it is told, then with 200."""

    def __init__(self) -> None:
        self.took: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.asked = 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.asked += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = hook.answers.pop(0) if hook.answers else 200
                if status == 200:
                    hook.took.append(json.loads(body))
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}{SECRET_PATH}"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    there = Hook()
    thread = threading.Thread(target=there.server.serve_forever, daemon=True)
    thread.start()
    yield there
    there.server.shutdown()
    there.server.server_close()


@dg.asset(check_specs=[dg.AssetCheckSpec("rows_add_up", asset="kpi", blocking=True)])
def kpi() -> Iterator[Any]:
    yield dg.MaterializeResult()
    yield dg.AssetCheckResult(passed=False, description=f"3 of 7 rows are gone, one of {CANARY}")


@dg.asset
def refused() -> None:
    raise InputError("no column 'spend'", file="/srv/ads.csv", remedy="Rename it.")


@dg.asset
def foreign() -> None:
    raise ValueError(f"could not convert string to float: '{CANARY}'")


def _dies() -> None:
    raise MktError("locks/run.lock was still held by run 4ea37e1f after 1 s")


def _failed(asset: Any, resources: Any = None) -> tuple[dg.DagsterInstance, Any]:
    instance = dg.DagsterInstance.ephemeral()
    done = dg.materialize([asset], instance=instance, raise_on_error=False, resources=resources)
    assert not done.success
    return instance, done


def _alert(asset: Any, resources: Any = None) -> dict[str, Any]:
    _, done = _failed(asset, resources)
    return alert({"job": "daily_marketing", "run_id": done.run_id}, done.all_events)


def test_a_blocking_check_is_named_without_anybody_in_it() -> None:
    told = _alert(kpi)
    (failure,) = told["failures"]
    assert failure.startswith("blocking check kpi: rows_add_up: 3 of 7 rows are gone")
    assert CANARY not in json.dumps(told)


def test_a_refusal_speaks_for_itself() -> None:
    told = _alert(refused)
    assert told["failures"] == [
        "step refused: no column 'spend' (file /srv/ads.csv). Rename it.",
    ]
    assert told["text"] == f"daily_marketing failed: {told['failures'][0]}"


def test_of_a_foreign_error_only_its_class_leaves_the_house() -> None:
    told = _alert(foreign)
    assert told["failures"] == ["step foreign: ValueError, its words are in the run's log"]


def test_a_run_that_failed_before_its_first_step_says_why() -> None:
    @dg.resource
    def lake(_: Any) -> None:
        _dies()

    @dg.asset(required_resource_keys={"lake"})
    def waits() -> None:
        return

    told = _alert(waits, {"lake": lake})
    assert any("still held by run 4ea37e1f" in failure for failure in told["failures"])


def test_a_killed_run_says_so() -> None:
    instance = dg.DagsterInstance.ephemeral()
    job = dg.define_asset_job("daily").resolve(
        asset_graph=dg.Definitions(assets=[refused]).resolve_asset_graph()
    )
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    instance.report_run_failed(run, "The process of this run was killed.")
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id)]
    told = alert({"job": "daily", "run_id": run.run_id}, [e for e in events if e])
    assert told["failures"] == ["The process of this run was killed."]


def test_an_avalanche_is_cut_short() -> None:
    _, done = _failed(refused)
    events = [e for e in done.all_events if e.event_type_value == "STEP_FAILURE"]
    (event,) = events
    many = [event._replace(step_key=f"step_{n}") for n in range(100)]
    assert len(alert({"job": "daily", "run_id": "1"}, many)["failures"]) == 20


def test_the_hook_gets_it(hook: Hook) -> None:
    post(hook.url, {"text": "größer", "run_id": "1"})
    assert hook.took == [{"text": "größer", "run_id": "1"}]


def test_what_may_pass_is_tried_again(hook: Hook) -> None:
    hook.answers = [503, 429]
    rests: list[float] = []
    post(hook.url, {"run_id": "1"}, pause=rests.append)
    assert len(hook.took) == 1
    assert rests == list(PAUSES_SECONDS)


@pytest.mark.parametrize(("answers", "attempts"), [([500] * 9, 3), ([404] * 9, 1), ([302] * 9, 1)])
def test_a_hook_that_refuses_is_an_error_that_keeps_its_secret(
    hook: Hook, answers: list[int], attempts: int
) -> None:
    hook.answers = answers
    with pytest.raises(MktError, match="MKT_ALERT_URL") as refusal:
        post(hook.url, {"run_id": "1"}, pause=lambda _: None)
    assert hook.asked == attempts
    assert str(answers[0]) in str(refusal.value)
    assert "s3cr3t" not in str(refusal.value)


def test_nobody_listens(hook: Hook) -> None:
    hook.server.server_close()
    with pytest.raises(MktError, match=r"did not reach 127\.0\.0\.1: ConnectionRefusedError"):
        post(hook.url, {"run_id": "1"}, pause=lambda _: None)


@pytest.mark.parametrize("address", ["hooks.example.com/s3cr3t", "ftp://host/s3cr3t", "https://"])
def test_an_address_that_is_none_is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MKT_ALERT_URL", address)
    with pytest.raises(MktError, match="MKT_ALERT_URL") as refusal:
        load_settings()
    assert "s3cr3t" not in str(refusal.value)


@pytest.fixture
def sensed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], Any]:
    """The sensor as the daemon calls it, after a failed run."""
    monkeypatch.setenv("MKT_SOURCE", "files")
    monkeypatch.setenv("MKT_ADS_URI", "ads.csv")

    def call(url: str | None) -> Any:
        if url is not None:
            monkeypatch.setenv("MKT_ALERT_URL", url)
        settings.cache_clear()
        from mkt_assets.schedules import failed_runs

        instance, done = _failed(kpi)
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_runs",
            dagster_instance=instance,
            dagster_run=done.dagster_run,
            dagster_event=done.get_run_failure_event(),
        ).for_run_failure()
        return failed_runs(context)

    return call


def test_the_sensor_posts_which_check_failed(hook: Hook, sensed: Callable[..., Any]) -> None:
    sensed(hook.url)
    (told,) = hook.took
    assert told["event"] == "run_failed"
    assert "blocking check kpi: rows_add_up" in told["text"]
    assert CANARY not in json.dumps(told)


def test_without_a_hook_the_sensor_says_that_nobody_is_told(sensed: Callable[..., Any]) -> None:
    assert "nobody is told" in str(sensed(None))


def test_a_dead_hook_fails_the_tick(hook: Hook, sensed: Callable[..., Any]) -> None:
    hook.answers = [404]
    with pytest.raises(Exception, match="MKT_ALERT_URL"):
        sensed(hook.url)
