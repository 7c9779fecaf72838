"""The way back from a lineage id, or from a payload, to the files that its rows came from.

Superseded lines count too: a payload stays traceable after its days were landed again. What stays
out: writing lines (`lineage_history`), and words for people (`tracing_text`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from mkt_assets.errors import InputError, MktError
from mkt_assets.ingest.locations import describe, path_of
from mkt_assets.ingest.sources import Landed, raw_whole, read_manifest
from mkt_assets.lake import Lake
from mkt_assets.privacy import pii
from mkt_assets.privacy.ledger import LEDGER
from mkt_assets.privacy.lineage import ALSO, LEDGER_SCHEMA
from mkt_assets.privacy.lineage_history import HISTORY, HISTORY_SCHEMA, SUPERSEDED_AT
from mkt_assets.redaction import redact_place

_PREFIX: Final = "ln_"
_ASKED = re.compile(r"(?:ln_)?[0-9a-f]{1,32}")
#: an ambiguous prefix is answered with so many of the ids that it may mean
_SHOWN: Final = 5

#: what the sample source's addresses begin with: the landed file is the original
_SAMPLE: Final = "sample://"


@dataclass(frozen=True)
class FileState:
    """A file on the way back: where it is or was, and what is known of it now."""

    path: str | None
    state: str


@dataclass(frozen=True)
class Line:
    """One line of the ledger, current or superseded."""

    told: Mapping[str, Any]
    superseded_at: datetime | None

    @property
    def id(self) -> str:
        """The lineage id."""
        return str(self.told["lineage_id"])

    @property
    def table(self) -> str:
        """Whose rows the line accounts for."""
        return str(self.told["table_name"])

    @property
    def day(self) -> date | None:
        """The partition."""
        day: date | None = self.told["partition"]
        return day


@dataclass(frozen=True)
class Way:
    """A ledger line with the files behind it."""

    line: Line
    landed: FileState
    source: FileState


@dataclass(frozen=True)
class PayloadTrace:
    """Every lineage id of a payload file."""

    path: Path
    found: Mapping[str, Sequence[Line]]
    unresolved: Sequence[str]


def all_lines(lake: Lake) -> list[Line]:
    """Every line of the ledger, the current ones first.

    Raises:
        MktError: nothing was ever guarded here.
    """
    lines = []
    for table, schema in ((LEDGER, LEDGER_SCHEMA), (HISTORY, HISTORY_SCHEMA)):
        for path in sorted((lake.guarded / table).glob("*/*.parquet")):
            # of a file written by an older version, columns that it lacked are empty
            for row in pq.read_table(path, partitioning=None).to_pylist():
                values = {name: row.get(name) for name in schema.names}
                lines.append(Line(values, values.pop(SUPERSEDED_AT, None)))
    if not lines:
        raise MktError(f"there is no ledger below {lake.guarded} yet: run 'mkt demo' or 'mkt run'")
    return lines


def unresolved(lake: Lake, lineage_ids: Iterable[str]) -> list[str]:
    """The ids that neither the ledger nor its history knows, in alphabetical order."""
    return sorted(set(lineage_ids) - {line.id for line in all_lines(lake)})


def resolve(lines: Sequence[Line], asked: str) -> list[Line]:
    """The lines of one lineage id, given whole or by its beginning.

    Raises:
        MktError: it is no lineage id, unknown, or the beginning of several.
    """
    if not _ASKED.fullmatch(asked):
        raise MktError(
            f"this is no lineage id: give {_PREFIX} and 32 hexadecimal digits, the beginning of "
            "them, or the path of a payload file"
        )
    beginning = _PREFIX + asked.removeprefix(_PREFIX)
    ids = sorted({line.id for line in lines if line.id.startswith(beginning)})
    if not ids:
        raise MktError(
            f"{beginning} is neither in the ledger nor in its history: is it of another data "
            "directory (MKT_DATA_DIR)?"
        )
    if len(ids) > 1:
        more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
        raise MktError(
            f"{beginning} is the beginning of {len(ids)} ids, give more digits: "
            f"{', '.join(ids[:_SHOWN])}{more}"
        )
    found = [line for line in lines if line.id == ids[0]]
    # a line of the history that is current again is told once
    current = [line for line in found if line.superseded_at is None]
    return current or found


def way_back(lake: Lake, line: Line) -> Way:
    """The landed file and the true source of a line, each with what is known of it now."""
    landed = raw_whole(lake, line.table) if line.day is None else lake.landed(line.table, line.day)
    try:
        of_line = [item for item in read_manifest(landed) if _is_source_of(item, line)]
        there = landed.is_file()
    except OSError as error:
        state = FileState(str(landed), f"unreadable ({error.strerror})")
        return Way(line, state, _source_state(landed, line, []))
    if not there:
        state = FileState(str(landed), "purged")
    elif of_line:
        state = FileState(str(landed), "holds these rows")
    else:
        state = FileState(str(landed), "landed again since, from another content of the source")
    return Way(line, state, _source_state(landed, line, of_line))


def _is_source_of(item: Landed, line: Line) -> bool:
    # the ledger's address has what is personal redacted, the manifest's is the true one
    uris = str(line.told["source_uri"]).split(ALSO)
    same = item.source.sha256 == line.told["source_sha256"]
    return same and redact_place(item.source.uri) in uris


def _source_state(landed: Path, line: Line, of_line: Sequence[Landed]) -> FileState:
    uri = of_line[0].source.uri if of_line else str(line.told["source_uri"])
    if uri.startswith(_SAMPLE):
        return FileState(uri, f"made by the sample source; its file is {_compared(landed, line)}")
    if not of_line and pii.REDACTED in uri:
        return FileState(None, "its address holds personal data and went with the landed file")
    path = path_of(uri)
    if path is None:
        return FileState(uri, "not on this machine")
    return FileState(str(path), _compared(path, line))


def _compared(path: Path, line: Line) -> str:
    try:
        if not path.is_file():
            return "gone"
        same = describe(path).sha256 == line.told["source_sha256"]
    except OSError as error:
        return f"unreadable ({error.strerror})"
    return "unchanged (sha256 verified)" if same else "changed since (another sha256)"


def trace_payload(lines: Sequence[Line], path: Path) -> PayloadTrace:
    """Resolve every lineage id of a payload file.

    Raises:
        InputError: the file is no payload.
    """
    ids = _ids_of(path)
    by_id: dict[str, list[Line]] = {}
    for line in lines:
        by_id.setdefault(line.id, []).append(line)
    found = {
        asked: [line for line in by_id[asked] if line.superseded_at is None] or by_id[asked]
        for asked in ids
        if asked in by_id
    }
    return PayloadTrace(path, found, [asked for asked in ids if asked not in by_id])


def _ids_of(path: Path) -> list[str]:
    remedy = "Give a payload of the payloads folder."
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("the payload cannot be read as JSON", file=path, remedy=remedy) from error
    ids = told.get("lineage_ids") if isinstance(told, dict) else None
    if not isinstance(ids, list) or not ids or not all(isinstance(i, str) for i in ids):
        raise InputError("the file has no list lineage_ids", file=path, remedy=remedy)
    return sorted(set(ids))
