"""Asset checks that share a step of the run: a step costs more than most of them.

Of an asset those that block are one step and those that warn another, whichever stage holds the
asset to them; each can still be asked for alone, and one that raises takes no verdict from the
others. What stays out: which checks there are; those that need more than the lake are steps of
their own.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from mkt_assets.errors import MktError
from mkt_assets.resources import LakeResource

Context = dg.AssetCheckExecutionContext
Judge = Callable[[Context, LakeResource], dg.AssetCheckResult]


@dataclass(frozen=True)
class Check:
    """A check of an asset, which can be called as a function of the run and the lake."""

    spec: dg.AssetCheckSpec
    judge: Judge

    @property
    def step(self) -> str:
        """The name of its step, after the asset and what happens if it does not pass."""
        kind = "checks" if self.spec.blocking else "warnings"
        return "__".join((*self.spec.asset_key.path, kind))

    def __call__(self, context: Context, lake: LakeResource) -> dg.AssetCheckResult:
        """The verdict, with the names that Dagster wants."""
        found = self.judge(context, lake)
        return found._replace(asset_key=self.spec.asset_key, check_name=self.spec.name)


def check(asset: Sequence[str], *, name: str = "", **told: Any) -> Callable[[Judge], Check]:
    """Make a function of the run and the lake a check of ``asset``.

    Args:
        asset: the asset's key.
        name: that of the check; the function's where none is given.
        told: whatever else an ``AssetCheckSpec`` takes, such as ``blocking`` and ``description``.
    """

    def made(judge: Judge) -> Check:
        spec = dg.AssetCheckSpec(name or judge.__name__, asset=dg.AssetKey(asset), **told)
        return Check(spec, judge)

    return made


def in_steps(
    checks: Iterable[Check | dg.AssetChecksDefinition],
) -> list[dg.AssetChecksDefinition]:
    """The checks as Dagster takes them; what is a step already stays so."""
    steps: defaultdict[str, list[Check]] = defaultdict(list)
    made: list[dg.AssetChecksDefinition] = []
    for one in checks:
        if isinstance(one, Check):
            steps[one.step].append(one)
        else:
            made.append(one)
    return made + [_step(name, together) for name, together in steps.items()]


def _step(name: str, together: Sequence[Check]) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(name=name, specs=[one.spec for one in together], can_subset=True)
    def step(context: Context, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
        raised: dict[str, Exception] = {}
        for one in together:
            if one.spec.key in context.selected_asset_check_keys:
                try:
                    verdict = one(context, lake)
                except Exception as error:  # noqa: BLE001  raised below, when all were asked
                    raised[one.spec.name] = error
                else:
                    yield verdict
        if raised:
            first = next(iter(raised.values()))
            raise MktError(f"{', '.join(raised)} could not be asked: {first}") from first

    return step
