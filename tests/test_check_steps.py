"""Checks that share a step of a run, in real Dagster runs."""

from pathlib import Path

import dagster as dg
import pytest

from mkt_assets.check_steps import Check, Context, check, in_steps
from mkt_assets.privacy.checks import metadata_of
from mkt_assets.resources import LakeResource


@dg.asset
def rows() -> None: ...


@dg.asset(deps=[rows])
def total() -> None: ...


def made(name: str, *, passed: bool, asset: str = "rows", blocking: bool = True) -> Check:
    @check([asset], name=name, blocking=blocking, description=f"{name} holds")
    def judged(_context: Context, _lake: LakeResource) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=passed, description=f"said by {name}")

    return judged


def run(
    tmp_path: Path, *checks: Check, asked: dg.AssetSelection | None = None
) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [rows, total, *in_steps(checks)],
        resources={"lake": LakeResource(root=str(tmp_path))},
        selection=asked,
        raise_on_error=False,
    )


def verdicts(done: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {e.check_name: e.passed for e in done.get_asset_check_evaluations()}


def test_what_blocks_at_an_asset_is_one_step_and_what_warns_another(tmp_path: Path) -> None:
    here = [made("unique", passed=True), made("known", passed=True)]
    warns = made("complete", passed=False, blocking=False)
    done = run(tmp_path, *here, warns, made("sums", passed=True, asset="total"))
    assert done.success
    steps = {event.step_key for event in done.all_events if event.is_step_success}
    assert steps == {"rows", "total", "rows__checks", "rows__warnings", "total__checks"}
    assert verdicts(done) == {"unique": True, "known": True, "complete": False, "sums": True}
    told = {e.check_name: e.description for e in done.get_asset_check_evaluations()}
    assert told["complete"] == "said by complete"


def test_each_check_of_a_step_can_be_asked_for_alone(tmp_path: Path) -> None:
    unique = made("unique", passed=True)
    asked = dg.AssetSelection.checks(unique.spec.key)
    done = run(tmp_path, unique, made("complete", passed=False), asked=asked)
    assert done.success
    assert verdicts(done) == {"unique": True}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_blocking_check_of_a_step_stops_what_is_made_of_the_asset(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    both = [made("unique", passed=False), made("complete", passed=True)]
    done = run(tmp_path, *(both[n] for n in order))
    assert not done.success
    # the others are asked even so: a person sees all that is wrong at once
    assert verdicts(done) == {"unique": False, "complete": True}
    assert not done.asset_materializations_for_node("total")


def broken(name: str, *, blocking: bool) -> Check:
    @check(["rows"], name=name, blocking=blocking)
    def judged(_context: Context, _lake: LakeResource) -> dg.AssetCheckResult:
        raise ValueError(f"{name} has no answer")

    return judged


def test_a_check_that_raises_stops_the_run_and_takes_no_verdict_from_the_others(
    tmp_path: Path,
) -> None:
    around = made("unique", passed=False), made("complete", passed=True)
    done = run(tmp_path, broken("odd", blocking=True), *around, broken("strange", blocking=True))
    assert not done.success
    assert verdicts(done) == {"unique": False, "complete": True}
    assert not done.asset_materializations_for_node("total")
    (failure,) = (e.step_failure_data for e in done.all_events if e.is_step_failure)
    told = failure.error.to_string() if failure.error else ""
    assert "odd, strange could not be asked: odd has no answer" in told


def test_a_warning_that_raises_does_not_keep_others_from_the_asset(tmp_path: Path) -> None:
    done = run(tmp_path, made("unique", passed=True), broken("odd", blocking=False))
    assert not done.success
    assert verdicts(done) == {"unique": True}
    assert done.asset_materializations_for_node("total")


def test_what_a_run_told_since_a_check_is_found_however_much_it_is(tmp_path: Path) -> None:
    seen: dict[str, list[str]] = {}
    many = dg.multi_asset(
        name="many", specs=[dg.AssetSpec(f"a{n}", deps=["total"]) for n in range(150)]
    )(lambda: (dg.MaterializeResult(asset_key=f"a{n}", metadata={"n": n}) for n in range(150)))

    @check(["rows"], blocking=True)
    def early(_context: Context, _lake: LakeResource) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True, metadata={"mark": "of the early check"})

    @check(["a0"], additional_deps=[f"a{n}" for n in range(1, 150)])
    def late(context: Context, _lake: LakeResource) -> dg.AssetCheckResult:
        seen["all"] = list(metadata_of(context))
        seen["since"] = list(metadata_of(context, since=early.spec.key))
        return dg.AssetCheckResult(passed=True)

    done = dg.materialize(
        [rows, total, many, *in_steps([early, late])],
        resources={"lake": LakeResource(root=str(tmp_path))},
    )
    assert done.success
    assert len(seen["all"]) == 150 + 2 + 1
    assert len(seen["since"]) == 150 + 1
    assert sum("of the early check" in event for event in seen["all"]) == 1
    assert not any("of the early check" in event for event in seen["since"])
    assert set(seen["since"]) < set(seen["all"])
