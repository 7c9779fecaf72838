"""The data contracts of published tables as suites of expectations, made from where they stand.

Columns, types, keys, nulls, bounds and words come from the contracts registry (tables that Python
writes) and from dbt's YAML (marts); what neither can say stands in ``cross_rules``. What stays out:
running them (``expectations``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mkt_assets.contracts import REGISTRY, Table, mart_columns, mart_key
from mkt_assets.quality.cross_rules import BOUNDS, ORDERS, REFERENCES, WARNINGS
from mkt_assets.quality.outcomes import Kind
from mkt_assets.settings import Settings

#: marts with a row per day and campaign, channel or less: they stay small however many the events.
#: Of those with a row per session, purchase or visitor dbt tests every row in SQL
BOUNDED_MARTS: Final[Mapping[str, frozenset[str]]] = {
    "marketing_clean": frozenset({"ads"}),
    "marketing_kpi": frozenset({"ads"}),
    "kpi_daily": frozenset({"ads"}),
    "kpi_channel_daily": frozenset({"ads"}),
    "mer_daily": frozenset({"ads", "ga4"}),
    "platform_claims_channel": frozenset({"ads", "ga4"}),
    "platform_claims_daily": frozenset({"ads", "ga4"}),
    "fct_attribution_channel": frozenset({"ga4"}),
    "ga4_daily": frozenset({"ga4"}),
    "consent_waterfall": frozenset(),
}
#: one row per visitor: its contract is held in SQL where it is written
_UNBOUNDED: Final = frozenset({"audiences/audience_segments"})
#: a column that the suite adds to its frame: how many values are missing that never may be
MISSING: Final = "missing_values"
_WRONG: Final = "wrong numbers would be published"


@dataclass(frozen=True)
class Expected:
    """One expectation: what it says, and the Great Expectations class with its arguments.

    ``parents`` names the column of ``REFERENCES`` whose values are the allowed ones.
    """

    says: str
    kind: Kind
    expectation: str
    arguments: Mapping[str, Any]
    blocking: bool = True
    why: str = _WRONG
    parents: str = ""


@dataclass(frozen=True)
class Suite:
    """The contract of one table.

    ``types`` are DuckDB's, by column; ``never_null`` are counted together in the column ``MISSING``
    of the frame; ``day`` is the column by which only the last weeks are read, if there is one.
    ``batch`` names the frame where it is not the table itself; ``shown`` are columns that a sample
    shows beside its key.
    """

    table: str
    key: tuple[str, ...]
    types: Mapping[str, str]
    never_null: tuple[str, ...]
    expected: tuple[Expected, ...]
    day: str = ""
    batch: str = ""
    shown: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the frame that it is held against."""
        return self.batch or self.table


def suites(settings: Settings) -> list[Suite]:
    """The suites of everything bounded that these inputs allow, in the order of the data."""
    marts = [
        _mart(name) for name, needs in BOUNDED_MARTS.items() if not needs & settings.absent.keys()
    ]
    models = [
        _model(table)
        for path, table in REGISTRY.items()
        if path not in _UNBOUNDED and not table.needs & settings.absent.keys()
    ]
    return [*marts, *models]


def _mart(name: str) -> Suite:
    columns = mart_columns(name)
    path = f"marts/{name}"
    # "never null" is how the YAML says it, column by column
    never_null = tuple(n for n, told in columns.items() if "never null" in told["description"])
    types = {n: told["data_type"] for n, told in columns.items()}
    bounds = {n: BOUNDS[n] for n in columns if n in BOUNDS}
    key = mart_key(name)
    day = next((n for n in ("date", "partition") if n in columns), "")
    expected = (*_key_rules(key, never_null), *_ranges(bounds), *_cross_rules(path))
    return Suite(path, key, types, never_null, expected, day)


def _model(table: Table) -> Suite:
    never_null = tuple(c.name for c in table.columns if not c.nullable)
    bounds = {
        c.name: (c.low, c.high) for c in table.columns if c.low is not None or c.high is not None
    }
    words = tuple(
        Expected(
            f"{c.name} is one of {', '.join(c.values)}",
            "values",
            "ExpectColumnValuesToBeInSet",
            {"column": c.name, "value_set": list(c.values)},
        )
        for c in table.columns
        if c.values
    )
    expected = (
        *_key_rules(table.key, never_null),
        *_ranges(bounds),
        *words,
        *_cross_rules(table.path),
    )
    return Suite(
        table.path, table.key, {c.name: c.type for c in table.columns}, never_null, expected
    )


def _key_rules(key: tuple[str, ...], never_null: tuple[str, ...]) -> tuple[Expected, ...]:
    unique = (
        ("ExpectCompoundColumnsToBeUnique", {"column_list": list(key), "ignore_row_if": "never"})
        if len(key) > 1
        else ("ExpectColumnValuesToBeUnique", {"column": key[0]})
    )
    return (
        Expected(
            f"there is one row per {', '.join(key)}",
            "uniqueness",
            *unique,
            why="what is there twice is counted twice",
        ),
        Expected(
            f"nothing is missing in {', '.join(never_null)}",
            "completeness",
            "ExpectColumnValuesToBeBetween",
            {"column": MISSING, "max_value": 0},
            why="a sum skips what is missing and looks complete",
        ),
    )


def _ranges(bounds: Mapping[str, tuple[float | None, float | None]]) -> tuple[Expected, ...]:
    return tuple(
        Expected(
            f"{name} is {_between(low, high)}",
            "range",
            "ExpectColumnValuesToBeBetween",
            {"column": name, "min_value": low, "max_value": high},
            blocking=name not in WARNINGS,
            why=WARNINGS.get(name, _WRONG),
        )
        for name, (low, high) in bounds.items()
    )


def _between(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"


def _cross_rules(table: str) -> tuple[Expected, ...]:
    orders = tuple(
        Expected(
            f"{smaller} is not above {greater}",
            "order",
            "ExpectColumnPairValuesAToBeGreaterThanB",
            {
                "column_A": greater,
                "column_B": smaller,
                "or_equal": True,
                "ignore_row_if": "either_value_is_missing",
            },
        )
        for smaller, greater in ORDERS.get(table, ())
    )
    references = tuple(
        Expected(
            f"each {column} is one of the {parents}",
            "reference",
            "ExpectColumnValuesToBeInSet",
            {"column": column},
            why="a figure about something that the marts do not know",
            parents=parents,
        )
        for column, parents in REFERENCES.get(table, {}).items()
    )
    return (*orders, *references)
