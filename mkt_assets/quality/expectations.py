"""Runs suites in Great Expectations: pandas batches, an ephemeral context, no network.

The import alone costs seconds, so it happens inside, once a run, for all suites together. What
stays out: what is expected (``suites``), and reading the tables.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import duckdb
import pandas as pd

from mkt_assets.errors import MktError
from mkt_assets.quality.comparisons import (
    IN_ORDER,
    Compared,
    in_groups,
    is_comparison,
    side_by_side,
)
from mkt_assets.quality.outcomes import SAMPLE_KEYS, Outcome
from mkt_assets.quality.suites import MISSING, Expected, Suite

_ENGINE: Final = "Great Expectations"
_REMEDY: Final = "materialize the table again; if it stays, report it with these keys"
_ABSENT: Final = "is missing"
_EXTRA: Final = "not in the contract"
#: a column of neither kind is compared by nothing
_NESTED: Final = ("[", "STRUCT", "MAP")

#: the values that a reference may take, by the name that a suite gives them
Parents = Callable[[str], Sequence[Any]]


def import_meanwhile() -> None:
    """Start the import that ``judge`` needs, for when this process is about to wait for another.

    Whoever needs it sooner waits for the rest of it, and meets the same error if it fails.
    """
    _stay_silent()
    threading.Thread(target=import_module, args=("great_expectations",)).start()


def _stay_silent() -> None:
    # it would report its usage; nothing here may reach the network
    os.environ["GX_ANALYTICS_ENABLED"] = "false"


def judge(
    suites: Sequence[Suite],
    frames: Mapping[str, pd.DataFrame],
    types: Mapping[str, Mapping[str, str]],
    parents: Parents,
) -> list[Outcome]:
    """Hold each suite against its frame.

    Args:
        suites: the contracts.
        frames: by the suite's name; the stored columns, without nested ones.
        types: by table, the stored columns with DuckDB's types.
        parents: gives the values that a reference may take.

    Raises:
        MktError: an expectation could not be evaluated, which says nothing about the data.
    """
    runner = _Runner()
    schemas = runner.schemas([s for s in suites if not s.batch], types)
    tables = [
        _table(suite, frames[suite.name], types.get(suite.table, {}), parents) for suite in suites
    ]
    verdicts = runner.places(tables)
    found: list[Outcome] = []
    for table, places in zip(tables, verdicts, strict=True):
        found += [] if table.suite.batch else [schemas[table.suite.table]]
        found += map(table.outcome, table.rules, places)
    return found


@dataclass(frozen=True)
class _Table:
    """A frame with the rules of its suite that can be asked of it."""

    suite: Suite
    rules: list[Expected]
    frame: pd.DataFrame
    never_null: list[str]

    def outcome(self, expected: Expected, places: Sequence[int]) -> Outcome:
        """What a rule found, given the rows that break it by their place in the frame."""
        samples: tuple[str, ...] = ()
        if places:
            broken = self.frame.iloc[list(places)]
            samples = _samples(self.suite, expected, broken, self.never_null)
        return Outcome(
            self.suite.table,
            expected.says,
            expected.kind,
            _ENGINE,
            tested=len(self.frame),
            broken=len(places),
            samples=samples,
            blocking=expected.blocking,
            why=expected.why,
            means="" if expected.kind == "distribution" else _REMEDY,
        )


def _table(
    suite: Suite, frame: pd.DataFrame, stored: Mapping[str, str], parents: Parents
) -> _Table:
    # what is said of a column that is missing, or of another type, cannot be asked
    odd = {n for n, kind in suite.types.items() if n in stored and type_name(kind) != stored[n]}
    there = {*frame.columns, MISSING} - odd
    asked = [_with_parents(e, parents) for e in suite.expected if _columns(e) <= there]
    never_null = [name for name in suite.never_null if name in frame]
    frame = frame.reset_index(drop=True)
    counted = frame.assign(**{MISSING: frame[never_null].isna().sum(axis=1)})
    return _Table(suite, asked, counted, never_null)


class _Runner:
    """One ephemeral context for all suites."""

    def __init__(self) -> None:
        _stay_silent()
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        self._gx = gx
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = context.data_sources.add_pandas("published")
        asset = source.add_dataframe_asset("tables")
        self._batches = asset.add_batch_definition_whole_dataframe("whole")

    def schemas(
        self, suites: Sequence[Suite], types: Mapping[str, Mapping[str, str]]
    ) -> dict[str, Outcome]:
        """Whether each table has the columns of its contract, in their types: one batch for all."""
        frame = pd.DataFrame(
            [row for suite in suites for row in _columns_beside(suite, types[suite.table])],
            columns=["table", "column", "stated", "stored"],
        )
        says = "the columns and their types are those of the contract"
        rule = Expected(
            says,
            "schema",
            "ExpectColumnPairValuesToBeEqual",
            {"column_A": "stated", "column_B": "stored", "ignore_row_if": "neither"},
        )
        (places,) = self._validate("schemas", [rule], frame)
        broken = frame.loc[list(places)]
        outcomes = {}
        for suite in suites:
            mine = broken[broken["table"] == suite.table]
            outcomes[suite.table] = Outcome(
                suite.table,
                says,
                "schema",
                _ENGINE,
                tested=int((frame["table"] == suite.table).sum()),
                broken=len(mine),
                samples=tuple(_told_of_column(row) for row in mine.head(SAMPLE_KEYS).itertuples()),
                blocking=True,
                why="what reads the table breaks, or reads something else",
                means=_REMEDY,
            )
        return outcomes

    def places(self, tables: Sequence[_Table]) -> list[list[Sequence[int]]]:
        """For each table and each of its rules, the rows that break it."""
        comparisons = [
            Compared(t.suite.name, e, t.frame) for t in tables for e in t.rules if is_comparison(e)
        ]
        compared = (rows for group in in_groups(comparisons) for rows in self._compared(group))
        found = []
        for table in tables:
            asked = [e for e in table.rules if not is_comparison(e)]
            others = iter(self._validate(table.suite.name, asked, table.frame))
            found.append([next(compared if is_comparison(e) else others) for e in table.rules])
        return found

    def _compared(self, rules: Sequence[Compared]) -> list[Sequence[int]]:
        frame = side_by_side(rules)
        (places,) = self._validate("comparisons", [IN_ORDER], frame)
        broken = frame.iloc[list(places)].drop_duplicates(["rule", "row"])
        rows: dict[int, list[int]] = {}
        for number, row in zip(broken["rule"], broken["row"], strict=True):
            rows.setdefault(number, []).append(row)
        return [sorted(rows.get(number, ())) for number in range(len(rules))]

    def _validate(
        self, name: str, asked: Sequence[Expected], frame: pd.DataFrame
    ) -> list[Sequence[int]]:
        """For each of ``asked`` the rows that break it, by their place in the frame."""
        if not asked:
            return []
        batch = self._batches.get_batch({"dataframe": frame})
        # listing rows doubles the cost of a rule, so only those of broken rules are asked for
        holds = self._results(batch, name, asked, "BOOLEAN_ONLY")
        broken = [e for e, result in zip(asked, holds, strict=True) if not result.success]
        listed = iter(self._results(batch, name, broken, "COMPLETE") if broken else ())
        return [() if result.success else _places(next(listed)) for result in holds]

    def _results(self, batch: Any, name: str, asked: Sequence[Expected], detail: str) -> list[Any]:
        """The results in the order of ``asked``, which Great Expectations does not keep."""
        known = self._gx.expectations
        suite = self._gx.ExpectationSuite(
            name=name,
            expectations=[
                getattr(known, e.expectation)(
                    **e.arguments,
                    meta={"place": place},
                    severity="critical" if e.blocking else "warning",
                )
                for place, e in enumerate(asked)
            ],
        )
        found = batch.validate(suite, result_format={"result_format": detail}).results
        for result in found:
            _refuse_failure(name, asked[result.expectation_config.meta["place"]], result)
        return sorted(found, key=lambda result: int(result.expectation_config.meta["place"]))


def _refuse_failure(name: str, expected: Expected, result: Any) -> None:
    """A rule that could not be evaluated has neither held nor been broken."""
    if result.exception_info and result.exception_info.get("raised_exception", True):
        raise MktError(
            f"{name}: the rule {expected.says!r} could not be evaluated by Great Expectations; "
            f"{expected.expectation} with {', '.join(expected.arguments)}: a bug, report it"
        )


def _places(result: Any) -> list[int]:
    """The rows that break the rule, by their place in the frame."""
    return sorted(result.result.get("unexpected_index_list") or ())


def _with_parents(expected: Expected, parents: Parents) -> Expected:
    if not expected.parents:
        return expected
    values = {**expected.arguments, "value_set": list(parents(expected.parents))}
    return Expected(
        expected.says, expected.kind, expected.expectation, values, expected.blocking, expected.why
    )


def _columns(expected: Expected) -> set[str]:
    told = expected.arguments
    named = [told[name] for name in ("column", "column_A", "column_B") if name in told]
    return {*named, *told.get("column_list", ())}


def _samples(
    suite: Suite, expected: Expected, broken: pd.DataFrame, never_null: Sequence[str]
) -> tuple[str, ...]:
    key = [name for name in suite.key if name in broken]
    shown = []
    for _, row in broken.drop_duplicates(key or None).head(SAMPLE_KEYS).iterrows():
        more = [f"{name} {_plain(row[name])}" for name in suite.shown]
        if expected.kind == "completeness":
            more = [name for name in never_null if pd.isna(row[name])]
        place = ", ".join(_plain(row[name]) for name in key)
        shown.append(f"{place}: {', '.join(more)}" if more else place)
    return tuple(shown)


def _plain(value: Any) -> str:
    if pd.isna(value):
        return "NULL"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return str(value.date() if isinstance(value, pd.Timestamp) else value)


def _columns_beside(suite: Suite, stored: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    for name in dict.fromkeys((*suite.types, *stored)):
        stated = type_name(suite.types[name]) if name in suite.types else _EXTRA
        yield suite.table, name, stated, stored.get(name, _ABSENT)


def _told_of_column(row: Any) -> str:
    if row.stored == _ABSENT:
        return f"column {row.column} is missing"
    if row.stated == _EXTRA:
        return f"column {row.column} is not in the contract"
    return f"column {row.column} is {row.stored}, the contract says {row.stated}"


def type_name(stated: str) -> str:
    """A type in DuckDB's own spelling: ``decimal(18,4)`` and ``DECIMAL(18, 4)`` are one."""
    return str(duckdb.sqltype(stated))


def flat_columns(types: Mapping[str, str]) -> list[str]:
    """The columns without lists and structs, which pandas and its expectations cannot compare."""
    return [name for name, kind in types.items() if not any(sign in kind for sign in _NESTED)]
