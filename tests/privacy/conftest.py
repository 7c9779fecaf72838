"""Raw GA4 partitions of a test's own making, and a guard to put them through."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mkt_assets.ingest.ga4_schema import RAW_EVENT_COLUMNS, SOURCE_COLUMNS
from mkt_assets.ingest.sources import CONSENT, EVENTS, SampleSource
from mkt_assets.lake import Lake
from mkt_assets.privacy import quiet, vault
from mkt_assets.privacy.erasure_list import listed
from mkt_assets.privacy.fates import Fates
from mkt_assets.privacy.guard_consent import guard_consent
from mkt_assets.privacy.guard_contacts import guard_contacts, not_granted
from mkt_assets.privacy.guard_events import guard_events
from mkt_assets.privacy.guarding import Guard
from mkt_assets.privacy.ledger import waterfall
from mkt_assets.privacy.policy import POLICY_V1
from mkt_assets.privacy.pseudonyms import Key, KeyRing, pseudonym
from mkt_assets.settings import Settings, load_settings

DAY = date(2025, 3, 10)
NOON = int(datetime(2025, 3, 10, 12, tzinfo=UTC).timestamp() * 1e6)
PROCESSED_AT = datetime(2025, 3, 11, 6, tzinfo=UTC)
#: when the partitions are guarded: after everything that is in them
NOW = datetime(2025, 3, 20, tzinfo=UTC)
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
            "now": NOW,
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


class House:
    """A data directory with three guarded days of the sample source."""

    DAYS = (date(2025, 3, 10), date(2025, 3, 11), date(2025, 3, 12))
    RING = KeyRing((KEY,))

    def __init__(self, root: Path) -> None:
        self.lake = Lake(root)
        self.settings: Settings = load_settings(data_dir=root, sample_events_per_day=300)

    def run(self, *, ring: KeyRing = RING) -> House:
        """Land and guard; what the daily job does of it."""
        self.lake.prepare()
        source = SampleSource(self.lake, self.settings, date(2025, 3, 20))
        source.land_consent(self.DAYS[-1])
        source.land_contacts(self.DAYS[-1])
        source.land_events(self.DAYS)
        guard = Guard(
            self.lake, self.settings, "run", key=ring.active, erased=listed(self.lake, ring)
        )
        with quiet.connect(self.lake.landing) as con:
            guard.consent(con)
            guard.contacts(con, self.DAYS[-1])
        guard.events_of(self.DAYS)
        return self

    def rows(self, table: str) -> Counter[str]:
        """Every stored row as text."""
        place = self.lake.guarded / table / ("*/*.parquet" if table == EVENTS else "*.parquet")
        with duckdb.connect() as con:
            con.execute("set timezone = 'UTC'")
            found = con.execute(f"select t::varchar from '{place}' as t").fetchall()
        return Counter(row for (row,) in found)

    def fates(self) -> list[dict[str, Any]]:
        """The waterfall of all days."""
        rows: list[dict[str, Any]] = waterfall(self.lake, []).to_dict("records")
        return rows


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("house") / "data"
    House(root).run()
    return root


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Callable[[str], House]:
    def copy(name: str) -> House:
        return House(Path(shutil.copytree(built, tmp_path / name)))

    return copy


@pytest.fixture
def house(copied: Callable[[str], House]) -> House:
    return copied("data")


@pytest.fixture(scope="session")
def member(built: Path) -> dict[str, str]:
    """Somebody with a login, stored rows and an entry in the consent log."""
    events = built / "landing" / EVENTS / "*" / "*.parquet"
    log = built / "landing" / CONSENT / "consent_log.parquet"
    with duckdb.connect() as con:
        rows = con.execute(
            f"select user_id, user_pseudo_id from '{events}' "
            f"where user_id is not null and user_pseudo_id in (select subject_id from '{log}') "
            "group by all order by count(*) desc, user_id limit 20"
        ).fetchall()
        stored = {
            key
            for (key,) in con.execute(
                f"select distinct user_key from '{built}/lake/events/*/*.parquet'"
            ).fetchall()
        }
    login, device = next(r for r in rows if pseudonym(r[1], House.RING.active) in stored)
    return {"login": login, "device": device}


class PowerCut(BaseException):
    """What a kill looks like from inside."""


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], bool]:
    """Run something that is cut off at its n-th write to the disk; whether it was."""

    def run(writes: int, work: Callable[[], object]) -> bool:
        real, left = os.fsync, [writes]

        def fsync(descriptor: int) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise PowerCut
            real(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            try:
                work()
            except PowerCut:
                return True
        return False

    return run


class Vault:
    """A vault of one test: contacts and a consent log in, the two lists out."""

    RETENTION = 30

    def __init__(self, workplace: Workplace) -> None:
        self.workplace, self.lake = workplace, Lake(workplace.folder / "data")
        self.raw = workplace.folder / "contacts.parquet"

    def bring_up_to(
        self,
        day: date,
        contacts: Sequence[tuple[str | None, str | None, str | None]],
        log: Sequence[tuple[str, datetime, str | None, str | None]],
        **changes: Any,
    ) -> Fates:
        """Guard contacts (subject, e-mail, phone) under a log (subject, time, data, personal)."""
        key = changes.get("key", KEY)
        self.workplace.log([(who, at, None, None, *two) for who, at, *two in log], key=key)
        assert self.workplace.consent is not None
        names = ("subject_id", "email", "phone", "source_file")
        rows = [dict(zip(names, (*row, SOURCE), strict=True)) for row in contacts]
        schema = pa.schema([(name, pa.string()) for name in names])
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), self.raw)
        asked: dict[str, Any] = {
            "raw": self.raw,
            "consent": self.workplace.consent,
            "lake": self.lake,
            "key": key,
            "policy": POLICY_V1,
            "day": day,
            "retention_days": self.RETENTION,
            "region": None,
        }
        return guard_contacts(self.workplace.con, **(asked | changes))

    def rows(self, table: str, destination: str = "google_ads") -> list[dict[str, Any]]:
        """A file of the vault."""
        rows: list[dict[str, Any]] = vault.read(self.lake, table, destination).to_pylist()
        return rows

    def stored_keys(self, destination: str = "google_ads") -> set[tuple[str, str, str]]:
        """The stored keys as (pseudonym, kind, key)."""
        rows = self.rows(vault.MATCH_KEYS, destination)
        return {(row["user_key"], row["kind"], row["match_key"]) for row in rows}

    def removed(self, destination: str = "google_ads") -> dict[tuple[str, str], str]:
        """The remove list as (pseudonym, key) to reason."""
        rows = self.rows(vault.REMOVE_LIST, destination)
        return {(row["user_key"], row["match_key"]): row["reason"] for row in rows}

    def not_granted(self) -> dict[str, int]:
        """What the blocking check asks."""
        assert self.workplace.consent is not None
        return not_granted(
            self.workplace.con,
            lake=self.lake,
            consent=self.workplace.consent,
            policy=POLICY_V1,
        )

    def bytes(self) -> dict[str, bytes]:
        """Every file of the vault."""
        files = sorted(self.lake.vault.rglob("*.parquet"))
        return {str(path.relative_to(self.lake.vault)): path.read_bytes() for path in files}


@pytest.fixture
def safe(workplace: Workplace) -> Vault:
    return Vault(workplace)
