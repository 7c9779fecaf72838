"""What a rule of data quality found: how many rows it broke, which ones, and what that means.

Everything that judges data here, Great Expectations, SQL or a comparison with past weeks, ends in
an ``Outcome``, so that checks, metadata and data docs tell it in one form. What stays out: judging.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "schema", "completeness", "uniqueness", "range", "values", "reference", "order",
    "distribution", "volume", "consent",
]  # fmt: skip
#: what held the rule against the data
Engine = Literal["Great Expectations", "SQL", "history"]

#: enough keys to look at by hand; the count says how many there are
SAMPLE_KEYS: Final = 5


@dataclass(frozen=True)
class Outcome:
    """One rule held against one table.

    ``table`` is ``stage/name``; ``rule`` says what must hold; ``tested`` and ``broken`` count rows
    (days, for rules about days); ``samples`` are keys of broken rows: dates, campaigns, channels or
    keys of events, never personal values. ``blocking`` rules keep a version from being published;
    ``why`` says why; ``means`` says, of a broken rule, what follows and what to do.
    """

    table: str
    rule: str
    kind: Kind
    engine: Engine
    tested: int
    broken: int = 0
    samples: tuple[str, ...] = ()
    blocking: bool = False
    why: str = ""
    means: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing breaks the rule."""
        return not self.broken

    def sentence(self) -> str:
        """For people: the rule, or how far and where it is broken."""
        if self.holds:
            return self.rule
        where = f" ({'; '.join(self.samples)})" if self.samples else ""
        means = f": {self.means}" if self.means else ""
        return f"not so in {self.broken:,} of {self.tested:,}: {self.rule}{where}{means}"


def told(outcomes: Sequence[Outcome], otherwise: str) -> str:
    """The broken rules in one line, those that block first; ``otherwise`` where there are none."""
    broken = sorted((o for o in outcomes if not o.holds), key=lambda o: not o.blocking)
    return "; ".join(o.sentence() for o in broken[:SAMPLE_KEYS]) or otherwise


def blocked(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The broken rules that keep a version from being published."""
    return [o for o in outcomes if o.blocking and not o.holds]
