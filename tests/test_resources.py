"""A run holds its data directory, and a killed one does not hold up those that come after it."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from mkt_assets.data_directory import claim
from mkt_assets.lake import Lake
from mkt_assets.resources import LakeResource, end_dead_runs, remove_step_logs
from mkt_assets.runner import _DAGSTER_YAML

HOLD = """
import sys, time
from pathlib import Path
from mkt_assets.locks import present
with present(Path(sys.argv[1]), "run"):
    print("held", flush=True)
    time.sleep(60)
"""


@dg.op
def look(context: dg.OpExecutionContext, lake: LakeResource) -> dict[str, Any]:
    """What a step sees of its own run."""
    return {
        "lock": (lake.lake.locks / "run.lock").read_text(),
        "present": lake.lake.presence(context.run_id).exists(),
    }


@dg.job
def looking() -> None:
    look()


def _started(instance: dg.DagsterInstance) -> str:
    run = instance.create_run_for_job(looking, status=dg.DagsterRunStatus.STARTED)
    return run.run_id


def _status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def _run(root: Path, instance: dg.DagsterInstance | None = None) -> dg.ExecuteInProcessResult:
    resources = {"lake": LakeResource(root=str(root), lock_timeout_seconds=1)}
    return looking.execute_in_process(resources=resources, instance=instance, raise_on_error=False)


def test_a_run_is_named_in_its_lock_and_present_until_its_end(tmp_path: Path) -> None:
    done = _run(tmp_path)
    seen = done.output_for_node("look")
    assert done.run_id[:8] in seen["lock"]
    assert seen["present"]
    assert not Lake(tmp_path).presence(done.run_id).exists()


def test_only_runs_whose_process_is_gone_are_ended(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        killed, alive, elsewhere = (_started(instance) for _ in range(3))
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", HOLD, str(lake.presence(run))],
                stdout=subprocess.PIPE,
                text=True,
            )
            for run in (killed, alive)
        ]
        try:
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "held\n"
            assert end_dead_runs(instance, lake) == []
            processes[0].kill()
            processes[0].wait()
            assert end_dead_runs(instance, lake) == [killed]
        finally:
            for process in processes:
                process.kill()
                process.wait()
        assert _status(instance, killed) == dg.DagsterRunStatus.FAILURE
        assert _status(instance, alive) == dg.DagsterRunStatus.STARTED
        assert _status(instance, elsewhere) == dg.DagsterRunStatus.STARTED
        # the next run does the same by itself, and its own end is no crash
        done = _run(tmp_path, instance)
        assert done.success
        assert _status(instance, alive) == dg.DagsterRunStatus.FAILURE
        assert _status(instance, done.run_id) == dg.DagsterRunStatus.SUCCESS
        assert list(lake.presence("any").parent.iterdir()) == []


def test_a_run_does_not_begin_where_another_property_lies(tmp_path: Path) -> None:
    lake_there = Lake(tmp_path)
    lake_there.partition("events", date(2026, 1, 2)).parent.mkdir(parents=True)
    claim(lake_there, {"source": "sample"})
    lake = LakeResource(root=str(tmp_path), identity={"source": "files"})
    done = looking.execute_in_process(resources={"lake": lake}, raise_on_error=False)
    assert not done.success


def test_every_instance_of_ours_is_configured_alike() -> None:
    shipped = yaml.safe_load((Path(__file__).parents[1] / "dagster.yaml").read_text())
    of_runs = yaml.safe_load(_DAGSTER_YAML)
    places = [told["storage"]["custom"].pop("config") for told in (shipped, of_runs)]
    assert [*map(list, places)] == [["base_dir"], ["base_dir"]]
    assert {k: shipped[k] for k in of_runs} == of_runs
    assert shipped["concurrency"]["runs"] == {"max_concurrent_runs": 1}
    assert shipped["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}
    assert shipped["run_retries"]["retry_on_asset_or_op_failure"] is False


@pytest.mark.parametrize("config", ["dagster.yaml"])
def test_the_shipped_configuration_is_valid(tmp_path: Path, config: str) -> None:
    shipped = yaml.safe_load((Path(__file__).parents[1] / config).read_text())
    kept = {k: v for k, v in shipped.items() if k not in ("storage", "compute_logs")}
    kept.pop("local_artifact_storage")
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(kept))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_monitoring_enabled
        assert not instance.run_retries_enabled or instance.run_retries_max_retries == 1


@dg.job
def talking() -> None:
    @dg.op
    def talk() -> None:
        sys.stdout.write("a line of a step")

    talk()


def test_what_old_runs_printed_goes_and_what_they_made_stays(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        ended = talking.execute_in_process(instance=instance).run_id
        going_on = _started(instance)
        (tmp_path / "storage" / going_on / "compute_logs").mkdir(parents=True)
        assert list((tmp_path / "storage" / ended).rglob("*.out"))

        assert remove_step_logs(instance, days=7, now=datetime.now(UTC)) == 0
        assert list((tmp_path / "storage" / ended).rglob("*.out"))

        later = datetime.now(UTC) + timedelta(days=8)
        assert remove_step_logs(instance, days=7, now=later) == 1
        assert not list((tmp_path / "storage").rglob("*.out"))
        assert (tmp_path / "storage" / going_on).is_dir()
        assert instance.all_logs(ended)
