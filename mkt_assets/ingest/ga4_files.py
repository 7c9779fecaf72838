"""A GA4 export file to raw event partitions.

Every row of the file lands, is a duplicate, or is set aside. Events never enter pandas: text is
staged as Parquet, the rest is SQL. What stays out: which file belongs to which day (file_source),
consent and personal data (the guard).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Literal

import duckdb

from mkt_assets.errors import InputError
from mkt_assets.ingest import ga4_items, own_columns, staging
from mkt_assets.ingest.ga4_items import DUPLICATE
from mkt_assets.ingest.ga4_rows import DAY, REASON, WEIGHT, typed_events
from mkt_assets.ingest.ga4_schema import RAW_EVENT_COLUMNS, SOURCE_COLUMNS
from mkt_assets.ingest.staging import RAW
from mkt_assets.lake import replacing, sql_text

_EVENT = ", ".join(f'"{name}"' for name in RAW_EVENT_COLUMNS)
_LANDED = ", ".join(f'"{name}"' for name in (*RAW_EVENT_COLUMNS, *SOURCE_COLUMNS))
#: swept by the lake when a run is killed
_STAGING_PREFIX = ".writing-"
#: day, verdict -> (rows of the file, events)
_Counts = dict[tuple[date | None, str | None], tuple[int, int]]


@dataclass(frozen=True)
class EventsLanded:
    """What one file gave to one day, in rows of the file.

    ``rows_in == rows_out + duplicates + sum(quarantined)``. ``events`` is what was written: it
    equals ``rows_out`` but for an item list, where an event stands for as many rows as it has
    items. ``other_days`` rows of the file belong to other days; ``unplaced`` rows of an undated
    file have no readable day, are kept in ``unplaced_path`` and told with the first asked day.
    ``columns`` are those of the file with their types.
    """

    rows_in: int
    rows_out: int
    events: int
    quarantined: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    quarantine_path: Path | None = None
    other_days: int = 0
    unplaced: int = 0
    unplaced_path: Path | None = None
    grain: Literal["event", "item"] = "event"
    notes: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)


def land_events(  # noqa: PLR0913 - what is read, for which days, and where to
    con: duckdb.DuckDBPyConnection,
    path: Path,
    *,
    days: Sequence[date],
    dated: bool,
    out_for_day: Callable[[date], Path],
    quarantine_for_day: Callable[[date], Path],
) -> dict[date, EventsLanded]:
    """Read an export once and write every asked day of it, empty days too.

    Args:
        con: a DuckDB connection.
        path: Parquet, or NDJSON or CSV, plain or gzipped; or an item list (see ``ga4_items``).
        days: the days asked for.
        dated: the file is of ``days`` alone: rows of another day are set aside as ``wrong_day``
            and rows without a readable day count for the first asked day.
        out_for_day: where the events of a day go.
        quarantine_for_day: where the rows set aside go, with their raw text; nothing is written
            where there are none.

    Raises:
        InputError: the file cannot be read, is no GA4 export, or is dated and holds none of
            the asked days.
    """
    first = out_for_day(days[0]).parent
    first.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_STAGING_PREFIX, dir=first) as folder:
        rows = staging.open_rows(con, path, Path(folder))
        if ga4_items.is_item_list(rows):
            for statement in ga4_items.item_tables(rows):
                staging.ask(con, statement, path)
            relation, notes = ga4_items.typed_items(rows, path), ga4_items.told(con)
        else:
            relation, notes = typed_events(con, rows, path), ()
        if rows.kind != "parquet":
            relation = _settled(con, relation, Path(folder) / "typed.parquet", path)
        landing = _Landing(con, path, relation, days, dated)
        grain: Literal["event", "item"] = "item" if notes else "event"
        own = _own_columns(rows)
        return {
            day: replace(
                landing.land(day, out_for_day(day), quarantine_for_day(day), grain, notes),
                columns=own,
            )
            for day in days
        }


def _own_columns(rows: staging.Rows) -> dict[str, str]:
    """The file's columns; text has no types, and NDJSON no columns."""
    if rows.kind == "csv":
        return own_columns.from_headers(list(rows.types))
    return own_columns.from_types(rows.types) if rows.kind == "parquet" else {}


def _settled(con: duckdb.DuckDBPyConnection, relation: str, typed: Path, path: Path) -> str:
    """Type the text once, however many days are asked; the raw text only of rows set aside."""
    staging.ask(
        con,
        f"copy (select * replace (case when {REASON} is not null then {RAW} end as {RAW}) "
        f"from {relation}) to '{sql_text(typed)}' (format parquet, compression lz4)",
        path,
    )
    return f"(from read_parquet('{sql_text(typed)}', hive_partitioning = false))"


class _Landing:
    """One file with typed rows, its counts, and the writing of its days."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        path: Path,
        relation: str,
        days: Sequence[date],
        dated: bool,
    ) -> None:
        self._con, self._path, self._relation = con, path, relation
        self._days, self._dated = days, dated
        counted = staging.ask(
            con,
            f"select {DAY}, {REASON}, sum({WEIGHT})::bigint, count(*) from {relation} "
            "group by 1, 2",
            path,
        )
        self._counts: _Counts = {(day, why): (rows, n) for day, why, rows, n in counted}
        there = sorted({day for day, _ in self._counts if day is not None})
        if dated and there and not set(there) & set(days):
            raise InputError(
                f"the file is for the wrong day: asked for {days[0]}, it holds {there[0]} "
                f"to {there[-1]}",
                file=path,
                column="event_date",
                remedy="Check the {date} in the location, or transfer the file of that day.",
            )

    def land(
        self,
        day: date,
        out: Path,
        quarantine: Path,
        grain: Literal["event", "item"],
        notes: tuple[str, ...],
    ) -> EventsLanded:
        """Write one day and say what became of its rows."""
        mine = f"{DAY} = date '{day}'"
        self._copy(f"select {_LANDED} from {self._relation} where {mine} and {REASON} is null", out)
        rows_out, events = self._counts.get((day, None), (0, 0))
        duplicates = self._counts.get((day, DUPLICATE), (0, 0))[0]
        reasons = self._reasons(lambda of: of == day)
        is_first, aside = day == self._days[0], f"{mine} and {REASON} is not null"
        unplaced: dict[str, int] = {}
        if is_first and self._dated:
            reasons |= self._strays()
            asked = ", ".join(f"date '{one}'" for one in self._days)
            aside = f"({aside} or {DAY} is null or {DAY} not in ({asked}))"
        elif is_first:
            unplaced = self._reasons(lambda of: of is None)
        unplaced_path = quarantine.with_stem(f"{quarantine.stem}-unplaced") if unplaced else None
        if reasons:
            self._set_aside(aside, quarantine)
        if unplaced_path:
            self._set_aside(f"{DAY} is null", unplaced_path)
        elsewhere = (of not in (day, None) for of, _ in self._counts)
        others = sum(
            n for (n, _), is_other in zip(self._counts.values(), elsewhere, strict=True) if is_other
        )
        return EventsLanded(
            rows_in=rows_out + duplicates + sum(reasons.values()),
            rows_out=rows_out,
            events=events,
            quarantined=reasons,
            duplicates=duplicates,
            quarantine_path=quarantine if reasons else None,
            other_days=0 if self._dated else others,
            unplaced=sum(unplaced.values()),
            unplaced_path=unplaced_path,
            grain=grain,
            notes=notes + _told(unplaced),
        )

    def _reasons(self, of_day: Callable[[date | None], bool]) -> dict[str, int]:
        """Rows set aside by reason, in the order of the reasons."""
        found: dict[str, int] = {}
        for (day, reason), (rows, _) in self._counts.items():
            if of_day(day) and reason not in (None, DUPLICATE):
                found[str(reason)] = found.get(str(reason), 0) + rows
        return dict(sorted(found.items()))

    def _strays(self) -> dict[str, int]:
        """Rows of a dated file that are of no asked day."""
        wrong = sum(
            rows
            for (day, _), (rows, _) in self._counts.items()
            if day is not None and day not in self._days
        )
        return self._reasons(lambda of: of is None) | ({"wrong_day": wrong} if wrong else {})

    def _set_aside(self, where: str, target: Path) -> None:
        asked = ", ".join(f"date '{one}'" for one in self._days)
        wrong = f"{DAY} not in ({asked})" if self._dated else "false"
        self._copy(
            f"select source_file, source_row, case when {wrong} then 'wrong_day' else {REASON} end "
            f"as reason, coalesce({RAW}, to_json(struct_pack({_EVENT}))::varchar) as raw "
            f"from {self._relation} where {where} and coalesce({REASON}, '') <> '{DUPLICATE}'",
            target,
        )

    def _copy(self, query: str, target: Path) -> None:
        with replacing(target, mode=0o600) as writing:
            copy = f"copy ({query}) to '{sql_text(writing)}' (format parquet, compression zstd)"
            staging.ask(self._con, copy, self._path)


def _told(unplaced: dict[str, int]) -> tuple[str, ...]:
    if not unplaced:
        return ()
    reasons = ", ".join(f"{n} {reason}" for reason, n in unplaced.items())
    return (f"{sum(unplaced.values())} rows of the file belong to no day ({reasons})",)
