"""Asset checks that share a step of the run: a step costs more than most of them.

All checks of an asset are one step, whichever stage holds the asset to them; each can still be
asked for alone. What stays out: which checks there are.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from mkt_assets.resources import LakeResource

Context = dg.AssetCheckExecutionContext
Judge = Callable[[Context, LakeResource], dg.AssetCheckResult]
#: what of some checks is asked for in this run, and a result for each of those
JudgeAll = Callable[
    [Context, LakeResource, Collection[dg.AssetCheckKey]], Iterable[dg.AssetCheckResult]
]


@dataclass(frozen=True)
class Checks:
    """Checks that one function judges, in the step of the asset of the first."""

    specs: tuple[dg.AssetCheckSpec, ...]
    judge: JudgeAll

    @property
    def step(self) -> str:
        """The name of the step, after its asset."""
        return "__".join((*self.specs[0].asset_key.path, "checks"))


@dataclass(frozen=True)
class Check(Checks):
    """A single check, which can be called as a function of the run and the lake."""

    ask: Judge

    def __call__(self, context: Context, lake: LakeResource) -> dg.AssetCheckResult:
        """The verdict, without the names that Dagster wants."""
        return self.ask(context, lake)


def check(asset: Sequence[str], *, name: str = "", **told: Any) -> Callable[[Judge], Check]:
    """Make a function of the run and the lake a check of ``asset``.

    Args:
        asset: the asset's key.
        name: that of the check; the function's where none is given.
        told: whatever else an ``AssetCheckSpec`` takes, such as ``blocking`` and ``description``.
    """

    def made(ask: Judge) -> Check:
        spec = dg.AssetCheckSpec(name or ask.__name__, asset=dg.AssetKey(asset), **told)

        def judge(
            context: Context,
            lake: LakeResource,
            asked: Collection[dg.AssetCheckKey],  # noqa: ARG001  it is this one
        ) -> Iterator[dg.AssetCheckResult]:
            yield named(ask(context, lake), spec.key)

        return Check((spec,), judge, ask)

    return made


def named(result: dg.AssetCheckResult, key: dg.AssetCheckKey) -> dg.AssetCheckResult:
    """The result of a check of several, with its name."""
    return result._replace(asset_key=key.asset_key, check_name=key.name)


def in_steps(
    checks: Iterable[Checks | dg.AssetChecksDefinition],
) -> list[dg.AssetChecksDefinition]:
    """The checks as Dagster takes them, one step an asset; what is a step already stays so."""
    steps: defaultdict[str, list[Checks]] = defaultdict(list)
    made: list[dg.AssetChecksDefinition] = []
    for one in checks:
        if isinstance(one, Checks):
            steps[one.step].append(one)
        else:
            made.append(one)
    return made + [_step(name, together) for name, together in steps.items()]


def _step(name: str, together: Sequence[Checks]) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=name, specs=[spec for one in together for spec in one.specs], can_subset=True
    )
    def step(context: Context, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
        for one in together:
            keys = {spec.key for spec in one.specs}
            if asked := keys & set(context.selected_asset_check_keys):
                yield from one.judge(context, lake, asked)

    return step
