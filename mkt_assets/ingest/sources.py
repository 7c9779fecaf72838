"""Where rows come from: the sample or the user's files; both land the same raw partitions.

A landed partition is a Parquet file in the closed landing area plus a manifest that says which
source objects it came from and which rows were set aside on the way. Nothing is judged here:
consent and personal data are the guard's work.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mkt_assets.ingest import own_columns, sample
from mkt_assets.ingest.locations import SourceObject
from mkt_assets.lake import Lake, replacing
from mkt_assets.settings import Settings

EVENTS, ADS, CONSENT, EXPERIMENTS = "events", "ad_performance", "consent_log", "experiments"
CONTACTS = "contacts"
#: their rows carry the file and the row that they came from
_TRACED = (EVENTS, ADS, CONSENT, CONTACTS)


@dataclass(frozen=True)
class Landed:
    """One source object's share of a partition, in rows of the source.

    ``rows_in == rows + duplicates + sum(quarantined)``. ``folded`` of the ``rows`` were written as
    part of another row: an item list has a row an item, the landing area a row a purchase.
    ``columns`` are the object's own columns with their types (see ``own_columns``).
    """

    source: SourceObject
    rows_in: int
    rows: int
    quarantined: Mapping[str, int] = field(default_factory=dict)
    duplicates: int = 0
    folded: int = 0
    notes: Sequence[str] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """Rows that are unaccounted for; 0 unless there is a bug."""
        return self.rows_in - self.rows - self.duplicates - sum(self.quarantined.values())


def too_many_aside(
    reasons: Mapping[str, int], read: int, limit: float, where: str = ""
) -> str | None:
    """What to say where more than the share ``limit`` of ``read`` rows were set aside.

    ``where`` tells some of them.
    """
    aside = sum(reasons.values())
    if not read or aside / read <= limit:
        return None
    told = ", ".join(f"{n} {why}" for why, n in Counter(reasons).most_common())
    return (
        f"{aside} of {read} rows were set aside ({told}){f', first {where}' if where else ''}: "
        "mend the source, or raise "
        f"MKT_QUARANTINE_LIMIT above {limit:g} to go on without them"
    )


class Source(Protocol):
    """What a source can do; each call lands whole partitions and says what they came from."""

    def land_events(self, days: Sequence[date]) -> dict[date, list[Landed]]:
        """Land GA4 events."""
        ...

    def land_ads(self, days: Sequence[date]) -> dict[date, list[Landed]]:
        """Land ad performance."""
        ...

    def land_consent(self, upto: date) -> list[Landed]:
        """Land the whole consent log as known at the end of ``upto``."""
        ...

    def land_contacts(self, upto: date) -> list[Landed]:
        """Land the e-mail addresses and phone numbers of known visitors."""
        ...

    def land_experiments(self, upto: date) -> list[Landed]:
        """Land the daily counts of A/B tests."""
        ...


def manifest_path(landed: Path) -> Path:
    """The manifest that lies beside a landed file."""
    return landed.with_suffix(".sources.json")


def write_manifest(landed: Path, objects: Iterable[Landed]) -> None:
    """Say beside a landed file where its rows came from."""
    with replacing(manifest_path(landed), mode=0o600) as writing:
        writing.write_text(json.dumps([asdict(o) for o in objects], indent=1), encoding="utf-8")


def read_manifest(landed: Path) -> list[Landed]:
    """The source objects of a landed file; an empty list where none was written."""
    path = manifest_path(landed)
    if not path.is_file():
        return []
    told = json.loads(path.read_text(encoding="utf-8"))
    return [Landed(**{**entry, "source": SourceObject(**entry["source"])}) for entry in told]


@dataclass(frozen=True)
class SampleSource:
    """Data of our own making, the same for the same day, seed and size."""

    lake: Lake
    settings: Settings
    today: date

    def land_events(self, days: Sequence[date]) -> dict[date, list[Landed]]:
        """Land generated events; what is late on the day of the run is not there yet."""
        landed = {}
        for day in days:
            table = sample.events(
                day,
                seed=self.settings.sample_seed,
                events_per_day=self.settings.sample_events_per_day,
                days_late=(self.today - day).days - 1,
                timezone=self.settings.timezone,
                currency=self.settings.currency,
            )
            landed[day] = [self._write(EVENTS, self.lake.landed(EVENTS, day), table, str(day))]
        return landed

    def land_ads(self, days: Sequence[date]) -> dict[date, list[Landed]]:
        """Land generated ad rows of the same campaigns."""
        landed = {}
        for day in days:
            table = sample.ad_performance(
                day,
                seed=self.settings.sample_seed,
                events_per_day=self.settings.sample_events_per_day,
                currency=self.settings.currency,
            )
            landed[day] = [self._write(ADS, self.lake.landed(ADS, day), table, str(day))]
        return landed

    def land_consent(self, upto: date) -> list[Landed]:
        """Land the generated consent log."""
        table = sample.consent_log(
            upto,
            seed=self.settings.sample_seed,
            events_per_day=self.settings.sample_events_per_day,
            timezone=self.settings.timezone,
        )
        return [self._write(CONSENT, raw_whole(self.lake, CONSENT), table, "all")]

    def land_contacts(self, upto: date) -> list[Landed]:
        """Land the generated contacts, dirt included."""
        table = sample.contacts(
            upto,
            seed=self.settings.sample_seed,
            events_per_day=self.settings.sample_events_per_day,
            timezone=self.settings.timezone,
        )
        return [self._write(CONTACTS, raw_whole(self.lake, CONTACTS), table, "all")]

    def land_experiments(self, upto: date) -> list[Landed]:
        """Land three generated tests: one without effect, one with, one broken."""
        table = sample.experiments(
            upto,
            seed=self.settings.sample_seed,
            events_per_day=self.settings.sample_events_per_day,
        )
        return [self._write(EXPERIMENTS, raw_whole(self.lake, EXPERIMENTS), table, "all")]

    def _write(self, name: str, path: Path, table: pa.Table, part: str) -> Landed:
        uri = f"sample://{name}/{part}?seed={self.settings.sample_seed}"
        rows, columns = len(table), own_columns.from_arrow(table.schema)
        if name in _TRACED:
            table = table.append_column("source_file", pa.array([uri] * rows, pa.string()))
            table = table.append_column("source_row", pa.array(np.arange(1, rows + 1)))
        with replacing(path, mode=0o600) as writing:
            pq.write_table(table, writing, compression="zstd")
        content = path.read_bytes()
        source = SourceObject(uri, len(content), hashlib.sha256(content).hexdigest())
        landed = Landed(source, rows, rows, columns=columns)
        write_manifest(path, [landed])
        return landed


def raw_whole(lake: Lake, table: str) -> Path:
    """A raw table without partitions."""
    return lake.landing / table / f"{table}.parquet"


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory connection whose times are UTC wherever the machine stands."""
    con = duckdb.connect()
    con.execute("set timezone = 'UTC'")
    return con
