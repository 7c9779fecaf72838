"""Bounds and orders of all suites as pairs of numbers of which one may not be above the other.

Great Expectations spends milliseconds on a rule whatever its rows, and four rules of five say no
more than "this is not above that". Side by side in one frame they are one expectation, and the rows
that break it say which rule they are of. What stays out: the verdict (``expectations``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from mkt_assets.errors import MktError
from mkt_assets.quality.suites import Expected

Numbers = npt.NDArray[np.float64]

_BETWEEN: Final = "ExpectColumnValuesToBeBetween"
_ORDER: Final = "ExpectColumnPairValuesAToBeGreaterThanB"
#: rows of all rules that are held together, so that a frame of them stays below 100 MB
_ROWS_TOGETHER: Final = 1_000_000
#: what must hold of the frame that ``side_by_side`` makes
IN_ORDER: Final = Expected(
    "nothing is above what it may be",
    "order",
    _ORDER,
    {
        "column_A": "greater",
        "column_B": "smaller",
        "or_equal": True,
        "ignore_row_if": "either_value_is_missing",
    },
)


def is_comparison(expected: Expected) -> bool:
    """Whether a rule is about bounds of a column or the order of two."""
    return expected.expectation in (_BETWEEN, _ORDER)


class Compared(NamedTuple):
    """A rule that is a comparison, with the table and the frame that it is about."""

    table: str
    expected: Expected
    frame: pd.DataFrame

    def pairs(self) -> Iterator[tuple[Numbers, Numbers]]:
        """What may not be above what, row by row, for each bound."""
        told = self.expected.arguments
        if self.expected.expectation == _ORDER:
            yield self._numbers(told["column_B"]), self._numbers(told["column_A"])
            return
        values = self._numbers(told["column"])
        low, high = told.get("min_value"), told.get("max_value")
        if low is not None:
            yield np.full(len(values), float(low)), values
        if high is not None:
            yield values, np.full(len(values), float(high))

    def _numbers(self, name: str) -> Numbers:
        column = self.frame[name]
        if pd.api.types.is_datetime64_any_dtype(column):
            # DuckDB's dates and times differ in their unit; rounding keeps the order of any two
            since = column.dt.as_unit("us").astype("int64").astype("float64").where(column.notna())
            return np.asarray(since, dtype=np.float64)
        # pandas would take digits for a number
        if column.isna().all() or not pd.api.types.is_string_dtype(column):
            with suppress(TypeError, ValueError):
                return np.asarray(column.to_numpy("float64", na_value=np.nan), dtype=np.float64)
        raise MktError(
            f"{self.table}: the rule {self.expected.says!r} could not be evaluated: {name} "
            f"holds {column.dtype} and no numbers or times; a bug, report it"
        )


def in_groups(rules: Sequence[Compared]) -> Iterator[Sequence[Compared]]:
    """The rules in their order, as many together as fit a frame of some two million pairs."""
    group: list[Compared] = []
    size = 0
    for rule in rules:
        if group and size + len(rule.frame) > _ROWS_TOGETHER:
            yield group
            group, size = [], 0
        group.append(rule)
        size += len(rule.frame)
    if group:
        yield group


def side_by_side(rules: Sequence[Compared]) -> pd.DataFrame:
    """The pairs of some rules in one frame.

    Returns:
        A row for each row and bound of each rule: ``rule`` and ``row`` are places in ``rules`` and
        in that rule's frame; ``smaller`` and ``greater`` are numbers, NaN where one is missing.

    Raises:
        MktError: a column holds something else than numbers or what pandas calls ``datetime64``.
    """
    parts = [
        pd.DataFrame({"rule": n, "row": np.arange(len(low)), "smaller": low, "greater": high})
        for n, rule in enumerate(rules)
        for low, high in rule.pairs()
    ]
    return pd.concat(parts, ignore_index=True)
