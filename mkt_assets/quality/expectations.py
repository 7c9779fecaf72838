"""Runs suites in Great Expectations: pandas batches, an ephemeral context, no network.

The import alone costs seconds, so it happens inside, once a run, for all suites together. What
stays out: what is expected (``suites``), and reading the tables.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import duckdb
import pandas as pd

from mkt_assets.errors import MktError
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
    found: list[Outcome] = []
    for suite in suites:
        there = {*frames[suite.name].columns, MISSING}
        found += [] if suite.batch else [schemas[suite.table]]
        # where columns are missing, what is said of them cannot be asked
        asked = [e for e in suite.expected if _columns(e) <= there]
        found += runner.run(suite, asked, frames[suite.name], parents)
    return found


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

    def run(
        self, suite: Suite, asked: Sequence[Expected], frame: pd.DataFrame, parents: Parents
    ) -> Iterator[Outcome]:
        """The outcomes of one suite, in its order."""
        never_null = [name for name in suite.never_null if name in frame]
        frame = frame.assign(**{MISSING: frame[never_null].isna().sum(axis=1)})
        filled = [_with_parents(expected, parents) for expected in asked]
        for expected, places in zip(filled, self._validate(suite.name, filled, frame), strict=True):
            broken = frame.loc[list(places)]
            yield Outcome(
                suite.table,
                expected.says,
                expected.kind,
                _ENGINE,
                tested=len(frame),
                broken=len(broken),
                samples=_samples(suite, expected, broken, never_null),
                blocking=expected.blocking,
                why=expected.why,
                means="" if expected.kind == "distribution" else _REMEDY,
            )

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
