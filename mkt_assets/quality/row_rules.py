"""Rules over many rows, as one SQL query a table: guarded events and ad rows of the run's days.

The columns' types come from dbt's sources, like dbt's own reading of them. Sessions and purchases
are held to their contract by dbt's tests, which are SQL too. What stays out: bounded tables
(``suites``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import duckdb

from mkt_assets.contracts import lake_columns
from mkt_assets.lake import Lake
from mkt_assets.privacy import quiet
from mkt_assets.privacy.policy import Policy
from mkt_assets.privacy.quiet import quietly
from mkt_assets.quality.outcomes import SAMPLE_KEYS, Kind, Outcome

#: no time zone's day begins earlier or ends later, in microseconds from midnight UTC
_DAY_BEGINS, _DAY_ENDS = -14 * 3_600_000_000, 36 * 3_600_000_000


@dataclass(frozen=True)
class RowRule:
    """``breaks`` is SQL that is true of a row that breaks the rule, and never null."""

    says: str
    kind: Kind
    breaks: str
    blocking: bool
    why: str


def event_rules(policy: Policy | None) -> tuple[RowRule, ...]:
    """What holds of every guarded event; no ``policy`` where consent was collected upstream."""
    return (
        RowRule(
            "event_date, event_timestamp, event_name, event_key, user_key and lineage_id are there",
            "completeness",
            "event_date is null or event_timestamp is null or event_name is null "
            "or event_key is null or user_key is null or lineage_id is null",
            blocking=True,
            why="an event without them is counted nowhere or twice",
        ),
        RowRule(
            "event_timestamp lies within its day, in some time zone",
            "range",
            "coalesce(event_timestamp - epoch_us(event_date::timestamp) "
            f"not between {_DAY_BEGINS} and {_DAY_ENDS}, false)",
            blocking=False,
            why="clocks of devices are wrong, and GA4's day is the one that counts",
        ),
        RowRule(
            "purchase_revenue is at least 0",
            "range",
            "coalesce(purchase_revenue < 0, false)",
            blocking=False,
            why="shops book corrections as purchases",
        ),
        *([_consented(policy)] if policy else []),
    )


def _consented(policy: Policy) -> RowRule:
    return RowRule(
        f"every event has the consent that policy {policy.stamp} asks for",
        "consent",
        f"({policy.refusal_sql()}) is not null",
        blocking=True,
        why="an event without consent must not be published",
    )


AD_RULES: Final = (
    RowRule(
        "date, channel, campaign and lineage_id are there",
        "completeness",
        "date is null or channel is null or campaign is null or lineage_id is null",
        blocking=True,
        why="a row without them is counted nowhere or twice",
    ),
    RowRule(
        "spend, impressions, clicks, leads and conversions are at least 0",
        "range",
        "coalesce(least(spend, impressions, clicks, leads, conversions) < 0, false)",
        blocking=True,
        why="a negative cost makes every ratio better than it is",
    ),
    RowRule(
        "clicks are not above impressions",
        "order",
        "coalesce(clicks > impressions, false)",
        blocking=True,
        why="one of the two counts is of something else",
    ),
    RowRule(
        "revenue is at least 0",
        "range",
        "coalesce(revenue < 0, false)",
        blocking=False,
        why="platforms take back conversions of earlier days",
    ),
)


#: what a sample of events shows: enough of the key to find it, and not what looks like a person's
EVENT_KEY: Final = "concat_ws(' ', event_date, 'event_key', left(event_key, 8) || '...')"
#: what a sample of ad rows shows
AD_KEY: Final = "concat_ws(', ', date, channel, campaign)"


def judge_rows(
    lake: Lake, table: str, days: Sequence[date], rules: Sequence[RowRule], key: str
) -> list[Outcome]:
    """Hold each rule against the partitions of ``days``.

    Args:
        lake: where they lie.
        table: a guarded table by day.
        days: those that this run wrote.
        rules: what must hold of each row.
        key: SQL of what a sample shows: never a personal value.
    """
    files = [str(path) for day in days if (path := lake.partition(table, day)).is_file()]
    if not files:
        return []
    relation = "read_parquet($files, hive_partitioning = false, union_by_name = true)"
    with quiet.connect(lake.landing) as con:
        schema = _schema(con, table, relation, files)
        if not schema.holds:
            return [schema]
        told = ", ".join(
            f"count(*) filter (where {rule.breaks}), "
            f"min({key}, {SAMPLE_KEYS}) filter (where {rule.breaks})"
            for rule in rules
        )
        (row,) = quietly(con, f"select count(*), {told} from {relation}", {"files": files})
    return [
        schema,
        *(
            Outcome(
                f"privacy/{table}",
                rule.says,
                rule.kind,
                "SQL",
                tested=row[0],
                broken=row[1 + 2 * place],
                samples=tuple(map(str, row[2 + 2 * place] or ())),
                blocking=rule.blocking,
                why=rule.why,
            )
            for place, rule in enumerate(rules)
        ),
    ]


def _schema(
    con: duckdb.DuckDBPyConnection, table: str, relation: str, files: Sequence[str]
) -> Outcome:
    stored = {
        row[0]: row[1]
        for row in quietly(con, f"describe select * from {relation}", {"files": list(files)})
    }
    stated = {c.name: str(duckdb.sqltype(c.type)) for c in lake_columns(table)}
    wrong = [
        f"column {name} is {stored.get(name, 'missing')}, the contract says {kind}"
        for name, kind in stated.items()
        if stored.get(name) != kind
    ]
    return Outcome(
        f"privacy/{table}",
        "the columns and their types are those that dbt reads",
        "schema",
        "SQL",
        tested=len(stated),
        broken=len(wrong),
        samples=tuple(wrong[:SAMPLE_KEYS]),
        blocking=True,
        why="dbt would read something else, or nothing",
    )
