"""The user's own files as a source: which file holds which day, read once, landed by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import pandas as pd

from mkt_assets.calendar_days import today
from mkt_assets.errors import MktError
from mkt_assets.ingest import (
    ad_files,
    consent_files,
    contact_files,
    experiment_files,
    ga4_files,
    locations,
)
from mkt_assets.ingest.locations import SourceObject
from mkt_assets.ingest.set_aside import aside_path, forget_aside
from mkt_assets.ingest.sources import (
    ADS,
    CONSENT,
    CONTACTS,
    EVENTS,
    EXPERIMENTS,
    Landed,
    SampleSource,
    Source,
    connect,
    raw_whole,
    write_manifest,
)
from mkt_assets.lake import Lake, replacing, sql_text
from mkt_assets.settings import Settings


def files_by_day(template: str, days: Sequence[date]) -> dict[Path, list[date]]:
    """Each file that ``template`` names, with the asked days that it is to be read for.

    An undated file is read once for all days; a dated one for its own day.

    Raises:
        InputError: a file is missing.
    """
    if not locations.is_dated(template):
        return {path: list(days) for path in locations.resolve(template, None)}
    found: dict[Path, list[date]] = {}
    for day in days:
        for path in locations.resolve(template, day):
            found.setdefault(path, []).append(day)
    return found


@dataclass(frozen=True)
class FileSource:
    """GA4 exports, ad reports, a consent log and test counts from paths or URI templates."""

    lake: Lake
    settings: Settings

    def land_events(self, days: Sequence[date]) -> dict[date, list[Landed]]:
        """Land every asked day of the GA4 export; a day that a file lacks becomes empty."""
        template = _given(self.settings.ga4_uri, "MKT_GA4_URI")
        landed: dict[date, list[Landed]] = {day: [] for day in days}
        parts: dict[date, list[Path]] = {day: [] for day in days}
        forget_aside(self.lake, EVENTS, days)
        with connect() as con:
            for number, (path, asked) in enumerate(files_by_day(template, days).items()):
                out = {day: _part(self.lake.landed(EVENTS, day), number) for day in asked}
                told = ga4_files.land_events(
                    con,
                    path,
                    days=asked,
                    dated=locations.is_dated(template),
                    out_for_day=out.__getitem__,
                    quarantine_for_day=partial(aside_path, self.lake, EVENTS, number),
                )
                source = locations.describe(path)
                for day, result in told.items():
                    parts[day].append(out[day])
                    landed[day].append(_landed_events(source, result))
            for day in days:
                _merge(con, parts[day], self.lake.landed(EVENTS, day))
                write_manifest(self.lake.landed(EVENTS, day), landed[day])
        return landed

    def land_ads(self, days: Sequence[date]) -> dict[date, list[Landed]]:
        """Land every asked day of the ad reports; a day that a file lacks becomes empty."""
        template = _given(self.settings.ads_uri, "MKT_ADS_URI")
        landed: dict[date, list[Landed]] = {day: [] for day in days}
        kept: dict[date, list[pd.DataFrame]] = {day: [] for day in days}
        forget_aside(self.lake, ADS, days)
        for number, (path, asked) in enumerate(files_by_day(template, days).items()):
            dated = locations.is_dated(template)
            report = ad_files.read_ad_file(
                path,
                currency=self.settings.currency,
                date_order=self.settings.date_order,
                allow_empty=dated,
                # dbt converts them, or says which rate is missing
                one_currency=False,
            )
            source = locations.describe(path)
            for day, rows, aside in ad_files.by_day(report, asked, dated=dated):
                fresh, repeated = _without_repeats(rows.assign(source_file=source.uri), kept[day])
                kept[day].append(fresh)
                reasons = Counter(map(str, aside["reason"]))
                reasons.update(["repeated_in_another_file"] * len(repeated))
                landed[day].append(
                    Landed(
                        source,
                        rows_in=len(fresh) + reasons.total(),
                        rows=len(fresh),
                        quarantined=dict(reasons),
                        notes=report.notes,
                        columns=report.columns,
                    )
                )
                set_aside = pd.concat([aside, repeated], ignore_index=True)
                set_aside = set_aside.assign(source_file=source.uri)
                _write(set_aside, aside_path(self.lake, ADS, number, day), only_if_rows=True)
        for day in days:
            _write(pd.concat(kept[day], ignore_index=True), self.lake.landed(ADS, day))
            write_manifest(self.lake.landed(ADS, day), landed[day])
        return landed

    def land_consent(self, upto: date) -> list[Landed]:  # noqa: ARG002  a file says what it says
        """Land the whole consent log, every file of it."""
        template = _given(self.settings.consent_uri, "MKT_CONSENT_URI")
        target = raw_whole(self.lake, CONSENT)
        forget_aside(self.lake, CONSENT)
        landed: list[Landed] = []
        parts: list[Path] = []
        with connect() as con:
            for number, path in enumerate(locations.resolve(template, None)):
                parts.append(_part(target, number))
                source = locations.describe(path)
                told = consent_files.read_consent_log(
                    con,
                    path,
                    parts[-1],
                    aside_path(self.lake, CONSENT, number),
                    source=source.uri,
                )
                landed.append(Landed(source, told.rows_in, told.rows_out, told.quarantined))
            _merge(con, parts, target)
        write_manifest(target, landed)
        return landed

    def land_contacts(self, upto: date) -> list[Landed]:  # noqa: ARG002  a file says what it says
        """Land every file of contacts."""
        template = _given(self.settings.contacts_uri, "MKT_CONTACTS_URI")
        target = raw_whole(self.lake, CONTACTS)
        forget_aside(self.lake, CONTACTS)
        landed: list[Landed] = []
        parts: list[Path] = []
        with connect() as con:
            for number, path in enumerate(locations.resolve(template, None)):
                parts.append(_part(target, number))
                source = locations.describe(path)
                told = contact_files.read_contacts(
                    con,
                    path,
                    parts[-1],
                    aside_path(self.lake, CONTACTS, number),
                    source=source.uri,
                )
                landed.append(Landed(source, told.rows_in, told.rows_out, told.quarantined))
            _merge(con, parts, target)
        write_manifest(target, landed)
        return landed

    def land_experiments(self, upto: date) -> list[Landed]:  # noqa: ARG002
        """Land the daily counts of A/B tests."""
        template = _given(self.settings.experiments_uri, "MKT_EXPERIMENTS_URI")
        target = raw_whole(self.lake, EXPERIMENTS)
        frames: list[pd.DataFrame] = []
        landed: list[Landed] = []
        for path in locations.resolve(template, None):
            frames.append(experiment_files.read_experiments(path))
            landed.append(Landed(locations.describe(path), len(frames[-1]), len(frames[-1])))
        _write(pd.concat(frames, ignore_index=True), target)
        write_manifest(target, landed)
        return landed


def make_source(lake: Lake, settings: Settings) -> Source:
    """The source that the settings name."""
    if settings.source == "sample":
        return SampleSource(lake, settings, today(settings))
    return FileSource(lake, settings)


def _given(template: str | None, name: str) -> str:
    if template is None:
        raise MktError(f"{name} is not set: give the place of the files")
    return template


def _part(target: Path, number: int) -> Path:
    # named so that the lake's sweep removes it when a run is killed
    return target.with_name(f".writing-part-{number}-{target.name}")


def _landed_events(source: SourceObject, told: ga4_files.EventsLanded) -> Landed:
    """The counts of one file and day, in rows of the file; rows without a day count here too."""
    unplaced = {"no_readable_day": told.unplaced} if told.unplaced else {}
    return Landed(
        source,
        rows_in=told.rows_in + told.unplaced,
        rows=told.rows_out,
        quarantined={**told.quarantined, **unplaced},
        duplicates=told.duplicates,
        folded=told.rows_out - told.events,
        notes=told.notes,
        columns=told.columns,
    )


def _merge(con: duckdb.DuckDBPyConnection, parts: Sequence[Path], target: Path) -> None:
    """Several parts of one day as one file; the parts are removed."""
    listed = ", ".join(f"'{sql_text(part)}'" for part in parts)
    with replacing(target, mode=0o600) as writing:
        if len(parts) == 1:
            parts[0].replace(writing)
        else:
            con.execute(
                f"copy (from read_parquet([{listed}], hive_partitioning = false)) "
                f"to '{sql_text(writing)}' (format parquet, compression zstd)"
            )
    for part in parts:
        part.unlink(missing_ok=True)


def _without_repeats(
    rows: pd.DataFrame, earlier: Sequence[pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split off the rows whose channel and campaign another file of the day already gave."""
    seen = {key for frame in earlier for key in _keys(frame)}
    repeated = pd.Series([key in seen for key in _keys(rows)], index=rows.index, dtype=bool)
    # a blank cell stays missing as text
    words = rows[repeated].astype("str").fillna("")
    aside = pd.DataFrame(
        {
            "source_row": rows.loc[repeated, "source_row"],
            "date": rows.loc[repeated, "date"],
            "column": "date, channel, campaign",
            "reason": "repeated_in_another_file",
            "value": None,
            "raw": words.agg(" | ".join, axis=1) if repeated.any() else None,
        }
    )
    return rows[~repeated].reset_index(drop=True), aside


def _keys(frame: pd.DataFrame) -> list[tuple[str, str]]:
    pairs = zip(frame["channel"], frame["campaign"], strict=True)
    return [(channel.casefold(), campaign.casefold()) for channel, campaign in pairs]


def _write(frame: pd.DataFrame, target: Path, *, only_if_rows: bool = False) -> None:
    if only_if_rows and frame.empty:
        return
    with replacing(target, mode=0o600) as writing:
        frame.to_parquet(writing, index=False, compression="zstd")
