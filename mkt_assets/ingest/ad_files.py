"""An ad platform's report to canonical rows, each row of the file kept or set aside with a reason.

What stays out: the rules for rows (ad_rows), which file belongs to which day (file_source), and
writing (sources). Faulty rows are set aside, the others kept; a file whose every row is faulty is
refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from mkt_assets.errors import InputError
from mkt_assets.ingest import ad_cells, dates, headers
from mkt_assets.ingest.ad_rows import Report, typed_quarantine

#: what to do where a whole file fails for one reason
_REMEDIES = {
    "other_currency": "Set MKT_CURRENCY to the currency of the report, or export it in yours.",
    "unknown_currency": "Give ISO 4217 codes such as EUR, or leave the column blank.",
    "missing_spend": "Export the report with its costs; 0 is a value, blank is not.",
    "clicks_above_impressions": "Leave impressions blank where they are not measured.",
}


@dataclass(frozen=True)
class AdFile:
    """A report that was read; ``rows_in == len(rows) + len(quarantined)``.

    ``rows`` has ``COLUMNS``; counts are Int64, money and conversions float64 rounded to four
    decimals, so that sums are exact in DECIMAL(18,4). ``quarantined`` has ``QUARANTINE_COLUMNS``:
    ``raw`` is the row's text and may hold personal data, ``value`` never does; ``date`` is the
    day where it could be read. ``mapping`` is canonical column -> header found; ``columns`` are all
    columns of the file with their types.
    """

    rows: pd.DataFrame
    quarantined: pd.DataFrame
    rows_in: int
    mapping: dict[str, str]
    date_format: str
    notes: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)


def read_ad_file(
    path: Path,
    *,
    currency: str = "USD",
    date_order: dates.Order | None = None,
    allow_empty: bool = False,
    one_currency: bool = True,
) -> AdFile:
    """Read one ad report: CSV, NDJSON (plain or gzipped) or Parquet.

    Args:
        path: the file.
        currency: the property's currency, taken where the file does not say.
        date_order: the order of dates that would otherwise be ambiguous.
        allow_empty: take a file with a header but no rows as a day without campaigns.
        one_currency: set rows in another currency aside; otherwise they are kept as they are, for
            whoever has exchange rates.

    Raises:
        InputError: a file that cannot be read, lacks a column, means one twice, has ambiguous
            dates or numbers, or has no usable row.
    """
    cells = ad_cells.read(path, allow_empty=allow_empty)
    mapping = headers.map_headers(cells.headers, file=path)
    with _naming(path):
        report = Report(cells, mapping, currency, date_order, one_currency=one_currency)
    rows, aside = report.split()
    if rows.empty and len(aside):
        raise _nothing_left(path, aside)
    return AdFile(
        rows,
        aside,
        cells.rows_in,
        mapping.columns,
        report.date_format,
        report.notes(rows, aside),
        cells.types,
    )


def by_day(
    report: AdFile, days: Sequence[date], *, dated: bool
) -> Iterator[tuple[date, pd.DataFrame, pd.DataFrame]]:
    """The kept and the set-aside rows of each asked day.

    Of a dated file, every row belongs to the one asked day, and rows of other days are set aside
    as ``wrong_day``. Of an undated file, a row without a readable date is counted with the nearest
    readable row above it (below it at the top), so that each is counted on exactly one day.

    Raises:
        InputError: a dated file holds none of the asked days.
    """
    if dated and report.rows_in:
        report = _only(report, days)
    placed = _placed(report)
    for day in days:
        at = pd.Timestamp(day)
        rows = report.rows[report.rows["date"] == at].reset_index(drop=True)
        aside = report.quarantined[(placed == at).to_numpy()].reset_index(drop=True)
        yield day, rows, aside


def _only(report: AdFile, days: Sequence[date]) -> AdFile:
    asked = report.rows["date"].isin([pd.Timestamp(day) for day in days])
    if not asked.any():
        first, last = report.rows["date"].min(), report.rows["date"].max()
        raise InputError(
            f"the file is for the wrong day: asked for {days[0]}, it holds {first:%Y-%m-%d} "
            f"to {last:%Y-%m-%d}",
            column=report.mapping["date"],
            remedy="Check the {date} in the location, or transfer the file of that day.",
        )
    strays = report.rows[~asked]
    # no rows at all are told as one empty line
    raw = strays.to_json(orient="records", lines=True, date_format="iso").splitlines()
    wrong = pd.DataFrame(
        {
            "source_row": strays["source_row"],
            "date": strays["date"],
            "column": report.mapping["date"],
            "reason": "wrong_day",
            "value": strays["date"].dt.strftime("%Y-%m-%d"),
            "raw": raw[: len(strays)],
        }
    )
    aside = pd.concat([report.quarantined, typed_quarantine(wrong)], ignore_index=True)
    # whatever could not be read or is of another day, this partition answers for it
    aside["date"] = pd.Timestamp(days[0])
    kept = report.rows[asked].reset_index(drop=True)
    return replace(report, rows=kept, quarantined=aside)


def _placed(report: AdFile) -> pd.Series[Any]:
    """The day on which each set-aside row is counted."""
    both = pd.concat([frame[["source_row", "date"]] for frame in (report.rows, report.quarantined)])
    known = both.set_index("source_row")["date"].sort_index()
    return known.ffill().bfill().reindex(report.quarantined["source_row"])


def _nothing_left(path: Path, aside: pd.DataFrame) -> InputError:
    counts = Counter(aside["reason"])
    told = ", ".join(f"{n} {reason}" for reason, n in counts.most_common())
    first = aside.iloc[0]
    return InputError(
        f"no row of the file can be used: {told}",
        file=path,
        row=int(first["source_row"]),
        column=first["column"],
        value=first["value"],
        remedy=_REMEDIES.get(counts.most_common(1)[0][0], "Correct the report and read it again."),
    )


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in refusals of modules that do not know it."""
    try:
        yield
    except InputError as error:
        raise InputError(
            error.problem,
            file=path,
            row=error.row,
            column=error.column,
            value=error.value,
            remedy=error.remedy,
        ) from None
