"""The files of the fuzz campaign: good rows, how they are written, and how many rows a file has in the end.

What stays out: what is done to them (fuzz_mutations.py), and reading them with the product (fuzz.py).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mkt_assets.ingest import sample

DAY = date(2025, 3, 10)
SIZE = {"seed": 5, "events_per_day": 100}
#: personal values that stand in the files and may stand in no message
CANARY_MAIL, CANARY_PHONE, CANARY_LOGIN = (
    "canary.bird@private-mail.test",
    "+4915112345678",
    "crm-login-99-canary",
)
_ROWS = (1, 40)

Row = dict[str, Any]
KINDS = {
    "ads": ("csv", "ndjson", "parquet"),
    "events": ("csv", "ndjson", "parquet"),
    "items": ("csv", "parquet"),
    "consent": ("csv", "ndjson", "parquet"),
    "contacts": ("csv", "ndjson", "parquet"),
    "experiments": ("csv", "parquet"),
    "rates": ("csv",),
    "ad_sources": ("csv",),
}
#: what dbt is given as seeds, and its name there
SEEDS = {"rates": "currency_rates.csv", "ad_sources": "ad_sources.csv"}
#: by case number: a table and a format
ROTA = tuple((table, kind) for table, kinds in KINDS.items() for kind in kinds)


@dataclass
class Case:
    """One file in the making; ``content`` is None where another thing stands in its place."""

    number: int
    table: str
    kind: str
    rng: Random
    rows: list[Row]
    names: list[str]
    text: str = ""
    content: bytes | None = b""
    delimiter: str = ","
    encoding: str = "utf-8"
    done: list[str] = field(default_factory=list)
    #: what is put there when it is no file
    instead: str = ""

    def cell(self) -> tuple[Row, str] | None:
        """A random cell."""
        return (
            (self.rng.choice(self.rows), self.rng.choice(self.names))
            if self.rows and self.names
            else None
        )


@cache
def _base(table: str) -> pa.Table | list[Row]:
    if table == "events":
        return sample.events(DAY, days_late=9, timezone="UTC", currency="EUR", **SIZE)
    if table == "consent":
        return sample.consent_log(DAY, timezone="UTC", **SIZE)
    if table == "contacts":
        return sample.contacts(DAY, timezone="UTC", **SIZE)
    if table == "experiments":
        return sample.experiments(DAY, **SIZE)
    return _made_up(table)


def _made_up(table: str) -> list[Row]:
    if table == "ads":
        places = [(channel, number) for channel in ("Search", "Social") for number in range(20)]
        return [
            {
                "date": f"{DAY}", "channel": channel, "campaign": f"{channel} {number} Größe", "impressions": 1000 + number,
                "clicks": 50 + number, "spend": round(20.5 + number, 2), "conversions": 2, "revenue": 90.25,
                "currency": "EUR",
            }
            for channel, number in places
        ]  # fmt: skip
    if table == "items":
        start = 1_741_600_000_000_000
        return [
            {
                "user_pseudo_id": f"{7_654_321 + n // 3}.1741600000", "event_date": f"{DAY:%Y%m%d}", "item_id": f"sku{n % 5}",
                "event_timestamp": start + n // 2 * 10**7, "item_name": f"Shoe {n % 5}", "quantity": 1, "price": 5.5,
                "item_revenue": 5.5 if n % 9 else None,
            }
            for n in range(60)
        ]  # fmt: skip
    if table == "rates":
        return [
            {"date": f"2025-03-{day:02}", "reference": "EUR", "currency": code, "rate": rate}
            for day in range(1, 21)
            for code, rate in (("USD", 1.0812), ("GBP", 0.8399))
        ]
    names = ("search", "social", "video", "display", "mail")
    return [
        {"channel": n, "time_zone": "Europe/Berlin", "click_window_days": 7, "view_window_days": 1, "attribution_model": "last"}
        for n in names
    ]  # fmt: skip


@cache
def people() -> frozenset[str]:
    """Every identifier that stands in the files."""
    found = {CANARY_MAIL, CANARY_PHONE, CANARY_LOGIN}
    for table, columns in (("events", ("user_pseudo_id", "user_id")), ("items", ("user_pseudo_id",)), ("consent", ("subject_id",)),
                           ("contacts", ("subject_id", "email", "phone"))):  # fmt: skip
        base = _base(table)
        rows = base if isinstance(base, list) else base.select(columns).to_pylist()
        found |= {
            v.strip() for row in rows for c in columns if (v := row[c]) and len(v.strip()) > 6
        }
    return frozenset(found)


def some(table: str, rng: Random | None) -> tuple[list[Row], list[str]]:
    """Good rows, as many as ``rng`` likes, and their columns; without it all there are."""
    base = _base(table)
    start, many = (rng.randrange(len(base)), rng.randint(*_ROWS)) if rng else (0, len(base))
    if isinstance(base, list):
        rows = [dict(row) for row in base[start : start + many]]
    else:
        rows = base.slice(start, many).to_pylist()
    if table == "events":
        rows[0]["user_id"] = CANARY_LOGIN
        rows[0]["event_params"].append(
            {"key": "page_title", "value": {"string_value": f"Dear {CANARY_MAIL}"}}
        )
    if table == "contacts":
        rows[0] |= {"email": CANARY_MAIL, "phone": CANARY_PHONE}
    return rows, list(rows[0])


# --- writing ---


def as_cell(value: Any) -> str:
    """A value as text files have it: records as JSON."""
    if value is None:
        return ""
    return json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)


def write(case: Case) -> None:
    """The rows as text, or as the bytes of a Parquet file."""
    if case.kind == "parquet":
        case.content = _parquet(case)
    elif case.kind == "csv":
        out = io.StringIO()
        writer = csv.writer(out, delimiter=case.delimiter, lineterminator="\n")
        writer.writerow(case.names)
        writer.writerows([as_cell(row.get(name)) for name in case.names] for row in case.rows)
        case.text = out.getvalue()
    else:
        kept = ({n: row[n] for n in case.names if row.get(n) is not None} for row in case.rows)
        case.text = "".join(f"{json.dumps(row, default=str, ensure_ascii=False)}\n" for row in kept)


def _parquet(case: Case) -> bytes:
    columns = [_column([row.get(name) for row in case.rows]) for name in case.names]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, names=case.names), out)
    return out.getvalue()


def _column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array(
            [None if value is None else as_cell(value) for value in values], pa.string()
        )


def encode(case: Case) -> None:
    """The text as bytes."""
    if case.kind != "parquet" and case.content is not None:
        case.content = case.text.encode(
            case.encoding, "surrogatepass" if case.encoding == "utf-8" else "replace"
        )


# --- what is really in it ---


def rows_in(case: Case) -> int | None:
    """How many rows the file has, read by csv, json's lines or pyarrow; None where nobody can say.

    Of Parquet the footer says it, of NDJSON each line that is not blank is a row. Of CSV it is said where the csv
    module, strict, finds records whose quotes are whole; a record of nothing but empty cells is none, in rates and ad
    sources one of nothing but blanks neither. The delimiter is what the file was written with: where a mutation made the
    header look like another one, nobody can say, nor where a record of several lines has too many or too few cells: the
    product takes its quote for a stray one and reads on at its second line, so as to lose none.
    """
    if case.content is None:
        return None
    try:
        if case.content.startswith(b"PAR1"):
            return int(pq.ParquetFile(io.BytesIO(case.content)).metadata.num_rows)
        text = _decoded(case.content)
        if case.kind == "ndjson" or text.lstrip("\ufeff \t\r\n").startswith("{"):
            return sum(bool(line.strip()) for line in re.split("\r\n|\r|\n", text))
        return _records(text, case.delimiter, str.strip if case.table in SEEDS else str)
    except (pa.ArrowException, OSError, EOFError, ValueError, csv.Error):
        return None


def _decoded(content: bytes) -> str:
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    return content.decode("utf-8-sig", "surrogateescape")


def _records(text: str, delimiter: str, bare: Callable[[str], str]) -> int | None:
    header = next((line for line in re.split("\r\n|\r|\n", text) if line.strip()), "")
    if max(",;\t|", key=header.count) != delimiter or '"' in header:
        return None
    records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    filled = [record for record in records if any(map(bare, record))]
    if any(
        "\n" in cell or "\r" in cell for row in filled if len(row) != len(filled[0]) for cell in row
    ):
        return None
    # blank lines of blanks alone above the header are no rows
    first = next(
        (place for place, record in enumerate(filled) if any(map(str.strip, record))), None
    )
    return None if first is None else len(filled) - first - 1


def place(case: Case, folder: Path) -> Path:
    """Put the file, or what stands in its place, where the product will look for it."""
    suffix = {"csv": "csv", "ndjson": "json", "parquet": "parquet"}[case.kind]
    path = folder / f"{case.table}_{DAY:%Y%m%d}.{suffix}"
    if case.content is not None:
        path.write_bytes(case.content)
    elif case.instead == "directory":
        path.mkdir()
    elif case.instead == "link":
        path.symlink_to(folder / "gone")
    elif case.instead == "pipe":
        os.mkfifo(path)
    return path


def described(case: Case) -> Mapping[str, Any]:
    """What the report says of a case."""
    return {"case": case.number, "table": case.table, "kind": case.kind, "done": case.done}
