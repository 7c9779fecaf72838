"""One erasure from the command line: ask, remove, publish anew, and say what was done.

The rules are in ``privacy``; here is only the order of things, and who holds the run lock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from mkt_assets.calendar_days import last_complete_day
from mkt_assets.errors import MktError
from mkt_assets.ingest.file_source import make_source
from mkt_assets.lake import Lake, replacing
from mkt_assets.locks import exclusive
from mkt_assets.privacy import erasure, erasure_list, erasure_search, unlinked, vault
from mkt_assets.privacy.keys import key_ring, refuse_missing
from mkt_assets.privacy.persons import needs_contacts
from mkt_assets.privacy.pseudonyms import KeyRing
from mkt_assets.privacy.subjects import Subjects, read_subjects
from mkt_assets.runner import run_job
from mkt_assets.settings import Settings

#: the run id of what the command does itself, before Dagster makes everything anew
_BY_COMMAND = "mkt erase"


@dataclass(frozen=True)
class Told:
    """How an erasure ended."""

    success: bool
    record: dict[str, Any]
    failures: list[str] = field(default_factory=list)
    is_here: bool = True

    def as_text(self) -> str:
        """For people."""
        told = self._what_was_done()
        if not self.record["not_searched"]:
            return told
        return f"{told}\n{cannot_tell(self.record['not_searched'])}"

    def _what_was_done(self) -> str:
        record = self.record
        rows = sum(record["partitions"].values())
        who = f"{record['subjects']} identifiers, {record['linked']} more linked to them"
        if self.failures or (self.is_here and record["completed_at"] is None):
            return (
                f"Not finished: {'; '.join(self.failures)}\nThe request {record['request_id']} is "
                "recorded: run the same command again, or let the next daily run finish it."
            )
        if not self.is_here:
            return (
                f"{who}: nobody of them is here, nothing had to be removed. They are listed, so "
                f"that late rows stay out. Record: {record['request_id']}"
            )
        stored = [f"  {n:>8,} rows  {place}" for place, n in sorted(record["partitions"].items())]
        places = "\n".join([*stored, *(f"      a file  {place}" for place in record["found"])])
        return (
            f"Erased ({who}): {rows:,} stored rows.\n{places}\n"
            "Published anew without them; older versions are gone. They are listed, so that late "
            "rows stay out.\nYour own source files, backups and the ad platforms are not ours to "
            f"change. Record: {record['request_id']}"
        )


@dataclass(frozen=True)
class Proof:
    """What a search found: file to count; and the partitions in which nobody can be looked for."""

    left: dict[str, int]
    not_searched: list[str]

    @property
    def success(self) -> bool:
        """Nothing is left, and everything was searched."""
        return not self.left and not self.not_searched

    def as_text(self) -> str:
        """For people."""
        if self.left:
            places = "\n".join(f"  {n:>8,}  {place}" for place, n in self.left.items())
            told = f"Something is left (rows or places, file):\n{places}"
        elif self.not_searched:
            told = "Nothing was found, but not everything could be searched."
        else:
            told = "Nothing is left of them in any file of the data directory."
        return f"{told}\n{cannot_tell(self.not_searched)}" if self.not_searched else told


def cannot_tell(places: list[str]) -> str:
    """What is said where a rotation cut people from identifiers and the old key is gone."""
    return (
        f"CANNOT TELL of {len(places)} partitions: mkt rotate-keys --unlink cut people there from "
        "their identifiers, and the key that would find them is not live. Put the old key back "
        "into MKT_PII_KEYS after the active one, or run these days again from their source: "
        f"{', '.join(places)}"
    )


def erase(
    settings: Settings, subject_file: Path, out: TextIO, removals: Path | None = None
) -> Told:
    """Erase the people of a subject file; may be repeated, also after it was killed.

    Their match keys are written to ``removals`` first, to be handed to the ad platforms: once
    erased, nobody here can tell the platforms whom to forget.

    Raises:
        InputError: the subject file cannot be used.
        MktError: there are no events, a key is missing, or the run lock is held for too long.
    """
    subjects, ring, lake = read_subjects(subject_file), _ring(settings), Lake(settings.data_dir)
    now = datetime.now(UTC)
    lock, patience = lake.locks / "run.lock", settings.lock_timeout_seconds
    with exclusive(lock, "an erasure", timeout=patience):
        lake.sweep()
        if settings.has_contacts and needs_contacts(lake, ring, subjects):
            make_source(lake, settings).land_contacts(last_complete_day(settings))
        if removals is not None:
            _hand_over(lake, ring, subjects, removals)
        record = erasure.request(lake, ring, subjects, now=now, run_id=_BY_COMMAND)
        found = erasure.sweep(lake, ring, now=now, subjects=subjects)
        if not found and not erasure_search.remains(lake, ring, subjects):
            erasure.complete(lake, now)
            closed = erasure_list.read_record(lake, record["request_id"]) or record
            return Told(success=not closed["not_searched"], record=closed, is_here=False)
    # everything that is computed from events: the run needs no subject file, and is told none
    day = newest_day(settings)
    outcome = run_job(settings, "erase_subjects", (day, day), out)
    done = erasure_list.read_record(lake, record["request_id"]) or record
    finished = outcome.success and done["completed_at"] is not None and not done["not_searched"]
    return Told(success=finished, record=done, failures=outcome.failures)


def verify(settings: Settings, subject_file: Path | None) -> Proof:
    """Where something is left of the people of a file, or of all who were erased.

    Raises:
        InputError: the subject file cannot be used.
        MktError: there is nobody to look for, or a key is missing.
    """
    lake, ring = Lake(settings.data_dir), _ring(settings)
    subjects = read_subjects(subject_file) if subject_file else None
    by_name = subjects is not None and subjects.are_pseudonyms
    return Proof(
        erasure_search.remains(lake, ring, subjects),
        [] if by_name else unlinked.unsearchable(lake, ring),
    )


def _hand_over(lake: Lake, ring: KeyRing, subjects: Subjects, removals: Path) -> None:
    """``destination, kind, match_key`` of these people as CSV that only its owner may read.

    What an interrupted erasure already wrote there stays: the vault may not know it any more.
    """
    theirs = vault.rows_of(lake, erasure.names_of(lake, ring, subjects))
    if removals.is_file():
        theirs = pd.concat([pd.read_csv(removals, dtype="str"), theirs]).drop_duplicates()
    with replacing(removals.absolute(), mode=0o600) as writing:
        writing.touch(mode=0o600)
        theirs.to_csv(writing, index=False)


def _ring(settings: Settings) -> KeyRing:
    if not settings.has_ga4:
        raise MktError("there are no events, so nobody is known here: set MKT_GA4_URI")
    ring = key_ring(settings, create=False)
    if ring is None:
        raise MktError("there is no pseudonym key yet, so nobody is known here: mkt run first")
    refuse_missing(ring, Lake(settings.data_dir))
    return ring


def newest_day(settings: Settings) -> date:
    """The newest day of stored events; the last complete day where there are none."""
    folders = Lake(settings.data_dir).guarded.glob("events/event_date=*")
    days = [path.name.removeprefix("event_date=") for path in folders]
    return date.fromisoformat(max(days)) if days else last_complete_day(settings)
