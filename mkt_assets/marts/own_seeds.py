"""The dbt seeds that are the property's own: exchange rates, and how each ad platform counts.

Both are small CSV files, checked here so that a fault is named with its row and remedy, and written
where dbt finds them; empty where none is given. What stays out: what dbt makes of them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn
from zoneinfo import available_timezones

from mkt_assets.errors import InputError
from mkt_assets.ingest.amounts import shown
from mkt_assets.ingest.headers import CURRENCY_CODE
from mkt_assets.ingest.locations import resolve
from mkt_assets.lake import replacing
from mkt_assets.settings import Settings

Row = dict[str, str]
Refuse = Callable[[str, str, str], NoReturn]

RATES = ("date", "reference", "currency", "rate")
AD_SOURCES = (
    "channel",
    "time_zone",
    "click_window_days",
    "view_window_days",
    "attribution_model",
)
#: what fits dbt's type of a rate, DECIMAL(20, 10), and is not rounded to nothing
_LEAST_RATE, _RATE_LIMIT = Decimal("1e-9"), Decimal("1e10")
#: platforms offer up to 90 days; more is a typing mistake
_LONGEST_WINDOW = 365


def write_own_seeds(settings: Settings, folder: Path) -> None:
    """Check the user's files and write both seeds into ``folder``.

    Raises:
        InputError: a file is missing or has a row that cannot be used; ``folder`` stays as it was.
    """
    rates, sources = _given(settings.rates_uri), _given(settings.ad_sources_uri)
    found_rates = read_rates(rates) if rates else []
    found_sources = read_ad_sources(sources) if sources else []
    _write(folder / "currency_rates.csv", RATES, found_rates)
    _write(folder / "ad_sources.csv", AD_SOURCES, found_sources)


def ensure_own_seeds(folder: Path) -> None:
    """Empty seeds where there are none yet, so that dbt finds what it is told to load."""
    for name, columns in (("currency_rates", RATES), ("ad_sources", AD_SOURCES)):
        if not (folder / f"{name}.csv").is_file():
            _write(folder / f"{name}.csv", columns, [])


def read_rates(path: Path) -> list[Row]:
    """The rates of a file, in the order of day and currency.

    A row says that on ``date`` one ``reference`` was worth ``rate`` ``currency``.

    Raises:
        InputError: a column is missing, a cell is malformed, a day and currency come twice, or
            there are two references.
    """
    rows: dict[tuple[str, ...], Row] = {}
    references: set[str] = set()
    for number, row in _rows(path, RATES):
        refuse = _refusing(path, number, row)
        _check_date(row["date"], refuse)
        for column in ("reference", "currency"):
            if not CURRENCY_CODE.fullmatch(row[column]):
                refuse(column, "this is no currency code", "Give ISO 4217 codes such as EUR.")
        _check_rate(row["rate"], refuse)
        if row["currency"] == row["reference"]:
            refuse("currency", "a currency has no rate to itself", "Remove the row.")
        references.add(row["reference"])
        if len(references) > 1:
            refuse(
                "reference",
                "the file has two reference currencies, " + " and ".join(sorted(references)),
                "Give all rates against one currency, such as the ECB's against EUR.",
            )
        key = (row["date"], row["currency"])
        if key in rows:
            refuse("date, currency", f"{' '.join(key)} has two rates", "Keep one of them.")
        rows[key] = row
    return [rows[key] for key in sorted(rows)]


def read_ad_sources(path: Path) -> list[Row]:
    """What a file says of each channel, in the order of their names, which become lower case.

    Raises:
        InputError: a column is missing, a cell is malformed, or a channel comes twice.
    """
    rows: dict[str, Row] = {}
    for number, row in _rows(path, AD_SOURCES):
        refuse = _refusing(path, number, row)
        row["channel"] = row["channel"].lower()
        if not row["channel"] or row["channel"] in rows:
            refuse("channel", "the channel is missing or comes twice", "Give each channel one row.")
        if row["time_zone"] and row["time_zone"] not in available_timezones():
            refuse("time_zone", "this is no IANA time zone", "Give a name such as Europe/Berlin.")
        for column in ("click_window_days", "view_window_days"):
            days = row[column]
            if days and not (days.isascii() and days.isdigit() and int(days) <= _LONGEST_WINDOW):
                refuse(column, "this is no number of days", "Give whole days, or leave it blank.")
        rows[row["channel"]] = row
    return [rows[channel] for channel in sorted(rows)]


def _check_date(text: str, refuse: Refuse) -> None:
    try:
        known = date.fromisoformat(text).isoformat() == text
    except ValueError:
        known = False
    if not known:
        refuse("date", "this is no date", "Write dates as 2025-03-31.")


def _check_rate(text: str, refuse: Refuse) -> None:
    try:
        rate = Decimal(text)
    except InvalidOperation:
        rate = Decimal(0)
    if not (rate.is_finite() and _LEAST_RATE <= rate < _RATE_LIMIT):
        refuse("rate", "a rate must be a positive number", "Write it as 1.0812, or remove the row.")


def _refusing(path: Path, number: int, row: Row) -> Refuse:
    """How a fault of the row is told: its column, the problem, the remedy."""

    def refuse(column: str, problem: str, remedy: str) -> NoReturn:
        value = shown(row[column]) if column in row else None
        raise InputError(problem, file=path, row=number, column=column, value=value, remedy=remedy)

    return refuse


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, Row]]:
    """The numbered rows, with exactly ``columns``, without stray blanks."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # blank lines above the header would be taken for it
            reader = csv.DictReader(line for line in file if line.strip())
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"the file lacks {', '.join(missing)}",
                    file=path,
                    remedy=f"Its columns must be {','.join(columns)}.",
                )
            twice = [n for n in columns if (reader.fieldnames or []).count(n) > 1]
            if twice:
                raise InputError(
                    "two columns have one name",
                    file=path,
                    column=twice[0],
                    remedy="Remove or rename one of them.",
                )
            for number, row in enumerate(reader, start=1):
                extra = row.pop(None, [])  # what has no header
                if any(cell.strip() for cell in extra):
                    raise InputError(
                        f"the row has {len(row) + len(extra)} cells, the header {len(row)}",
                        file=path,
                        row=number,
                        remedy="Put quotes around what holds a comma; write rates as 1.0812.",
                    )
                cells = {name: (cell or "").strip() for name, cell in row.items()}
                if any(cells.values()):
                    yield number, {name: cells[name] for name in columns}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"the file cannot be read: {type(error).__name__}",
            file=path,
            remedy="Give a CSV file in UTF-8.",
        ) from error


def _given(template: str | None) -> Path | None:
    if template is None:
        return None
    paths = resolve(template, None)
    if len(paths) > 1:
        raise InputError("this names several files", file=template, remedy="Give one file.")
    return paths[0]


def _write(target: Path, columns: tuple[str, ...], rows: list[Row]) -> None:
    with replacing(target) as writing, writing.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
