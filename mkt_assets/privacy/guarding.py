"""One partition of each table through its guard: manifest in, guarded rows and ledger lines out.

What stays out: the rules themselves (guard_*), and Dagster.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mkt_assets.errors import MktError
from mkt_assets.ingest.sources import (
    ADS,
    CONSENT,
    CONTACTS,
    EVENTS,
    EXPERIMENTS,
    Landed,
    raw_whole,
    read_manifest,
)
from mkt_assets.lake import Lake, replacing, sql_text
from mkt_assets.privacy import quiet, unlinked
from mkt_assets.privacy.erasure_list import Listed, refuse
from mkt_assets.privacy.fates import Fates
from mkt_assets.privacy.guard_ads import guard_ads
from mkt_assets.privacy.guard_consent import guard_consent
from mkt_assets.privacy.guard_contacts import guard_contacts
from mkt_assets.privacy.guard_events import guard_events
from mkt_assets.privacy.ledger import FOLDED, FOLDED_COOKIELESS, lines_path
from mkt_assets.privacy.lineage import ALSO, FATES, NO_KEY, ledger_rows, lineage_id
from mkt_assets.privacy.lineage_history import replace_lines
from mkt_assets.privacy.policy import UPSTREAM, Policy
from mkt_assets.privacy.pseudonyms import Key
from mkt_assets.privacy.standing_refusals import refused_before
from mkt_assets.settings import Settings

COOKIELESS = "cookieless_daily"
_WORKERS = 2
#: above this a day keeps all cores busy by itself, and two would need twice the memory
_SMALL_DAY_BYTES = 16 * 1024**2
#: what differs between two runs that did the same
_OF_THE_RUN = frozenset({"run_id", "processed_at"})

_EXPERIMENTS = """
    select
        test::varchar as test, day::date as day, arm::varchar as arm,
        expected_share::double as expected_share, users::bigint as users,
        conversions::bigint as conversions, revenue::double as revenue,
        revenue_sq::double as revenue_sq
    from read_parquet({file}) order by test, day, arm
"""


def consent_basis(settings: Settings) -> str:
    """On what word events are kept, as the ledger records it."""
    if settings.consent_upstream:
        return f"{UPSTREAM} {settings.consent_upstream}"
    return "privacy_info+consent_log" if settings.has_consent_log else "privacy_info"


@dataclass(frozen=True)
class Guard:
    """What every partition of a run is guarded with."""

    lake: Lake
    settings: Settings
    run_id: str
    key: Key | None = None
    erased: Listed | None = None
    #: of the whole run, so that two days do not disagree on what is in the future
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def policy(self) -> Policy:
        """The consent policy that the settings state."""
        return self.settings.policy

    def events_of(self, days: Sequence[date]) -> dict[date, Fates]:
        """Guard several days of events; small days two at a time, since each is mostly planning."""
        largest = max(self.lake.landed(EVENTS, day).stat().st_size for day in days)
        workers = min(_WORKERS, len(days)) if largest < _SMALL_DAY_BYTES else 1

        def guard_some(some: Sequence[date]) -> dict[date, Fates]:
            with quiet.connect(self.lake.landing) as con:
                return {day: self.events(con, day) for day in some}

        with ThreadPoolExecutor(workers) as pool:
            parts = list(pool.map(guard_some, [days[start::workers] for start in range(workers)]))
        unlinked.forget(self.lake, [unlinked.place_of(EVENTS, day) for day in days])
        return {day: fates for part in parts for day, fates in part.items()}

    def events(self, con: duckdb.DuckDBPyConnection, day: date) -> Fates:
        """Guard one day of events.

        Raises:
            MktError: the source says nothing about consent and nobody vouches for it.
        """
        landing, key = self.lake.landed(EVENTS, day), self._key()
        basis = consent_basis(self.settings)
        if basis == "privacy_info":
            _refuse_silence(con, landing, day)
        consent = self.lake.whole(CONSENT) if self.settings.has_consent_log else None
        book = self._book(EVENTS, read_manifest(landing), day, key.id)

        def write(lineage_of: Mapping[str, str], processed_at: datetime) -> Fates:
            with (
                replacing(self.lake.partition(EVENTS, day)) as out,
                replacing(self.lake.partition(COOKIELESS, day)) as cookieless_out,
                replacing(self.lake.quarantined("guard_events", day), mode=0o600) as aside,
            ):
                return guard_events(
                    con,
                    landing=landing,
                    consent=consent,
                    day=day,
                    now=self.now,
                    out=out,
                    cookieless_out=cookieless_out,
                    quarantine_out=aside,
                    key=key,
                    policy=self.policy,
                    consent_basis=basis,
                    lineage_of=lineage_of,
                    processed_at=processed_at,
                    erased=self.erased,
                    folding=[item.source.uri for item in book.landed if item.folded],
                )

        return book.enter(write, basis)

    def ads(self, day: date) -> Fates:
        """Guard one day of ad performance: no identifiers, but names may hold personal data."""
        landing = self.lake.landed(ADS, day)
        book = self._book(ADS, read_manifest(landing), day, NO_KEY)

        def write(lineage_of: Mapping[str, str], processed_at: datetime) -> Fates:
            frame = pd.read_parquet(landing)
            table, redactions = guard_ads(
                frame, day=day, lineage_of=lineage_of, processed_at=processed_at
            )
            with replacing(self.lake.partition(ADS, day)) as out:
                pq.write_table(table, out, compression="zstd")
            by_source = frame["source_file"].value_counts()
            return Fates(
                rows_in=len(frame),
                kept=table.num_rows,
                redactions=redactions,
                per_source={
                    str(source): Fates(rows_in=int(n), kept=int(n))
                    for source, n in by_source.items()
                },
            )

        return book.enter(write, "aggregated, no consent needed")

    def consent(self, con: duckdb.DuckDBPyConnection) -> Fates:
        """Guard the whole consent log."""
        raw, key = raw_whole(self.lake, CONSENT), self._key()
        book = self._book(CONSENT, read_manifest(raw), None, key.id)

        def write(_: Mapping[str, str], processed_at: datetime) -> Fates:
            if self.erased is not None:
                learned = refused_before(con, raw=raw, erased=self.erased, key=key)
                refuse(self.lake, learned)
            with replacing(self.lake.whole(CONSENT)) as out:
                return guard_consent(
                    con,
                    raw=raw,
                    out=out,
                    key=key,
                    processed_at=processed_at,
                    erased=self.erased,
                )

        fates = book.enter(write, "the consent log itself")
        unlinked.forget(self.lake, [CONSENT])
        return fates

    def contacts(self, con: duckdb.DuckDBPyConnection, day: date) -> Fates:
        """Bring the vault of match keys up to ``day``, under the consent log as it stands now."""
        raw, key = raw_whole(self.lake, CONTACTS), self._key()
        book = self._book(CONTACTS, read_manifest(raw), None, key.id)

        def write(_: Mapping[str, str], __: datetime) -> Fates:
            return guard_contacts(
                con,
                raw=raw,
                consent=self.lake.whole(CONSENT),
                lake=self.lake,
                key=key,
                policy=self.policy,
                day=day,
                retention_days=self.settings.vault_retention_days,
                region=self.settings.phone_region,
            )

        fates = book.enter(write, "the consent log at the time of use")
        unlinked.forget(self.lake, [CONTACTS])
        return fates

    def experiments(self, con: duckdb.DuckDBPyConnection) -> Fates:
        """Type the daily counts of A/B tests; they hold no personal data."""
        raw = raw_whole(self.lake, EXPERIMENTS)
        book = self._book(EXPERIMENTS, read_manifest(raw), None, NO_KEY)

        def write(_: Mapping[str, str], __: datetime) -> Fates:
            query = _EXPERIMENTS.format(file=f"'{sql_text(raw)}'")
            with replacing(self.lake.whole(EXPERIMENTS)) as out:
                con.execute(f"copy ({query}) to '{sql_text(out)}' (format parquet)")
            rows = pq.read_metadata(raw).num_rows
            return Fates(rows_in=rows, kept=rows)

        return book.enter(write, "aggregated, no consent needed")

    def _key(self) -> Key:
        if self.key is None:
            raise MktError("there is no pseudonym key: set MKT_PII_KEYS")
        return self.key

    def _book(self, table: str, landed: Sequence[Landed], day: date | None, key_id: str) -> _Book:
        return _Book(self, table, landed, day, key_id)


@dataclass(frozen=True)
class _Book:
    """The ledger lines of one partition of one table."""

    guard: Guard
    table: str
    landed: Sequence[Landed]
    day: date | None
    key_id: str

    def enter(self, write: Callable[[Mapping[str, str], datetime], Fates], basis: str) -> Fates:
        """Guard the partition and replace its lines.

        The same result keeps its first ``processed_at`` and run: running again changes no byte.
        """
        lineage_of = {
            item.source.uri: lineage_id(
                item.source.sha256, self.day, self.guard.policy.stamp, self.key_id
            )
            for item in self.landed
        }
        path = lines_path(self.guard.lake, self.table, self.day)
        before = pq.read_table(path).to_pylist() if path.is_file() else []
        now = datetime.now(UTC)
        first = min((line["processed_at"] for line in before), default=now)
        fates = write(lineage_of, first)
        lines = self._lines(lineage_of, fates, basis, first)
        if _without_run(lines.to_pylist()) == _without_run(before):
            return fates
        if before:
            fates = write(lineage_of, now)
            lines = self._lines(lineage_of, fates, basis, now)
        replace_lines(self.guard.lake, self.table, self.day, lines, now=now)
        return fates

    def _lines(
        self, lineage_of: Mapping[str, str], fates: Fates, basis: str, processed_at: datetime
    ) -> pa.Table:
        """One line a source object: its own rows, with those that ingest had already set aside."""
        lines = []
        for item in self.landed:
            guarded = _share(fates, item, alone=len(self.landed) == 1)
            reasons = Counter(guarded.reasons) + Counter(item.quarantined)
            reasons["duplicate"] += item.duplicates
            reasons[FOLDED] += guarded.folded.get("kept", 0)
            reasons[FOLDED_COOKIELESS] += guarded.folded.get("cookieless", 0)
            lines.append(
                {
                    "lineage_id": lineage_of[item.source.uri],
                    "table_name": self.table,
                    "partition": self.day,
                    "source_uri": item.source.uri,
                    "source_bytes": item.source.bytes,
                    "source_sha256": item.source.sha256,
                    "rows_in": item.rows_in,
                    "rows_kept": guarded.kept,
                    "rows_dropped_consent": guarded.rows_dropped,
                    "rows_cookieless": guarded.cookieless,
                    "rows_duplicate": guarded.duplicates + item.duplicates,
                    "rows_quarantined": guarded.rows_quarantined + sum(item.quarantined.values()),
                    "rows_erased": guarded.erased,
                    "reasons": json.dumps({k: n for k, n in sorted(reasons.items()) if n}),
                    "new_parameters": json.dumps(dict(guarded.new_parameters)),
                    "policy_version": self.guard.policy.stamp,
                    "consent_basis": basis,
                    "key_id": self.key_id,
                    "code_version": version("mkt-assets"),
                    "run_id": self.guard.run_id,
                    "processed_at": processed_at,
                }
            )
        return ledger_rows(_together(lines))


def _together(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Equal content is one source object, however many files have it: one line for them all."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        first = found.setdefault(line["lineage_id"], line)
        if first is line:
            continue
        for name in ("rows_in", *FATES):
            first[name] += line[name]
        for name in ("reasons", "new_parameters"):
            counted = Counter(json.loads(first[name])) + Counter(json.loads(line[name]))
            first[name] = json.dumps(dict(sorted(counted.items())))
        first["source_uri"] = ALSO.join((first["source_uri"], line["source_uri"]))
    return list(found.values())


def _share(fates: Fates, item: Landed, *, alone: bool) -> Fates:
    """What became of one source object's rows; the guard need not tell sources apart if one."""
    if item.source.uri in fates.per_source:
        return fates.per_source[item.source.uri]
    return fates if alone else Fates(rows_in=0, kept=0)


def _without_run(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k not in _OF_THE_RUN} for line in lines]


def _refuse_silence(con: duckdb.DuckDBPyConnection, landing: Path, day: date) -> None:
    rows, told = con.execute(
        "select count(*), count(privacy_info.analytics_storage) from read_parquet(?)",
        [str(landing)],
    ).fetchone() or (0, 0)
    if rows and not told:
        raise MktError(
            f"the events of {day} carry no consent information (privacy_info) and there is no "
            "consent log. Set MKT_CONSENT_URI to the log, or MKT_CONSENT_UPSTREAM to a statement "
            "of who collected consent and how; the ledger records the statement."
        )
