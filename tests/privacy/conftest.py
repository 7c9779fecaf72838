"""Raw GA4 partitions of a test's own making, and a guard to put them through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mkt_assets.ingest.ga4_schema import RAW_EVENT_COLUMNS, SOURCE_COLUMNS
from mkt_assets.privacy import quiet
from mkt_assets.privacy.fates import Fates
from mkt_assets.privacy.guard_consent import guard_consent
from mkt_assets.privacy.guard_events import guard_events
from mkt_assets.privacy.policy import POLICY_V1
from mkt_assets.privacy.pseudonyms import Key

DAY = date(2025, 3, 10)
NOON = int(datetime(2025, 3, 10, 12, tzinfo=UTC).timestamp() * 1e6)
PROCESSED_AT = datetime(2025, 3, 11, 6, tzinfo=UTC)
KEY = Key("k1", bytes(range(32)))
SOURCE = "drops/events_20250310.ndjson"


class Workplace:
    """Files and a connection for one test; every ``guard`` starts from fresh outputs."""

    NOON = NOON

    def __init__(self, folder: Path, con: duckdb.DuckDBPyConnection) -> None:
        self.folder, self.con = folder, con
        columns = {**RAW_EVENT_COLUMNS, **SOURCE_COLUMNS}
        empty = ", ".join(f'null::{kind} as "{name}"' for name, kind in columns.items())
        self.raw_schema = con.sql(f"select {empty}").to_arrow_table().schema
        self.landing = folder / "raw.parquet"
        self.consent: Path | None = None
        self.out = folder / "events.parquet"
        self.cookieless = folder / "cookieless.parquet"
        self.quarantine = folder / "quarantine.parquet"

    @staticmethod
    def event(**changes: Any) -> dict[str, Any]:
        """A raw event with consent; ``params`` is a plain mapping of strings and numbers."""
        params = changes.pop("params", {"ga_session_id": 17, "page_title": "Shoes"})
        row: dict[str, Any] = {
            "event_date": "20250310",
            "event_timestamp": NOON,
            "event_name": "page_view",
            "event_bundle_sequence_id": 1,
            "user_pseudo_id": "1234567.1700000000",
            "privacy_info": {"analytics_storage": "Yes", "ads_storage": "Unset"},
            "items": [],
            "source_file": SOURCE,
            "source_row": 1,
        }
        row["event_params"] = [
            {"key": k, "value": {"int_value" if isinstance(v, int) else "string_value": v}}
            for k, v in params.items()
        ]
        return row | changes

    def land(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the raw partition."""
        pq.write_table(pa.Table.from_pylist(list(rows), schema=self.raw_schema), self.landing)

    def log(self, rows: Sequence[tuple[Any, ...]], *, key: Key = KEY) -> Fates:
        """Guard a consent log: subject, time, ad_storage, analytics, user data, personalization."""
        raw, self.consent = self.folder / "log.parquet", self.folder / "consent_log.parquet"
        signals = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
        schema = pa.schema(
            [("subject_id", pa.string()), ("changed_at", pa.timestamp("us", "UTC"))]
            + [(signal, pa.string()) for signal in signals]
        )
        named = [dict(zip(schema.names, row, strict=True)) for row in rows]
        pq.write_table(pa.Table.from_pylist(named, schema=schema), raw)
        return guard_consent(
            self.con, raw=raw, out=self.consent, key=key, processed_at=PROCESSED_AT
        )

    def guard(self, rows: Sequence[Mapping[str, Any]] | None = None, **changes: Any) -> Fates:
        """Land ``rows`` and guard them."""
        if rows is not None:
            self.land(rows)
        basis = "privacy_info+consent_log" if self.consent else "privacy_info"
        asked: dict[str, Any] = {
            "landing": self.landing,
            "consent": self.consent,
            "day": DAY,
            "out": self.out,
            "cookieless_out": self.cookieless,
            "quarantine_out": self.quarantine,
            "key": KEY,
            "policy": POLICY_V1,
            "consent_basis": basis,
            "lineage_of": {SOURCE: "ln_one"},
            "processed_at": PROCESSED_AT,
        }
        return guard_events(self.con, **(asked | changes))

    def kept(self, columns: str = "*") -> list[dict[str, Any]]:
        """The guarded events."""
        return self.read(self.out, columns)

    def read(self, path: Path, columns: str = "*") -> list[dict[str, Any]]:
        """The rows of a file."""
        rows: list[dict[str, Any]] = (
            self.con.sql(f"select {columns} from '{path}'").to_arrow_table().to_pylist()
        )
        return rows


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    with quiet.connect(tmp_path) as con:
        yield Workplace(tmp_path, con)
