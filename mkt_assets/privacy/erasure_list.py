"""The standing erasures: whom the guard keeps out, up to when; and the audit record of requests.

Sources are not ours to change: GA4 sends late rows, a file is read again. So an erased person stays
listed, by keyed pseudonym, and the guard drops what is older than the erasure; which consent was
refused is listed too, since that must not be forgotten. What stays out: finding and removing what
is already stored (``erasure``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake, replacing
from mkt_assets.privacy.pseudonyms import Key, KeyRing

SCHEMA: Final = pa.schema(
    [
        ("request_id", pa.string()),
        ("key_id", pa.string()),
        ("pseudonym", pa.string()),
        # one of the pseudonyms, the same for all of one identifier: any live key is enough
        ("person", pa.string()),
        ("erased_at", pa.timestamp("us", tz="UTC")),
        # the consent signals whose last word was a refusal: it outlasts the erasure
        ("refused", pa.list_(pa.string())),
    ]
)


class Name(NamedTuple):
    """One pseudonym of an erased person; ``person`` is the same for all of one identifier."""

    key_id: str
    pseudonym: str
    person: str


@dataclass(frozen=True)
class Listed:
    """The list as the guard needs it: where it lies, and the keys that its pseudonyms have."""

    path: Path
    keys: tuple[Key, ...]


def place(lake: Lake) -> Path:
    """Where the list lies: in an area that only its owner may enter."""
    return lake.erasures / "standing.parquet"


def read(lake: Lake) -> pa.Table:
    """Every standing erasure; no row where there is none."""
    path = place(lake)
    return pq.read_table(path, schema=SCHEMA) if path.is_file() else SCHEMA.empty_table()


def listed(lake: Lake, ring: KeyRing | None) -> Listed | None:
    """The list and its live keys; None where nobody is on it.

    Raises:
        MktError: somebody is on it only under a key that is not live, so could not be kept out.
    """
    rows = read(lake).to_pylist()
    if not rows or ring is None:
        return None
    live = {key.id: key for key in ring.keys}
    known = {row["person"] for row in rows if row["key_id"] in live}
    for row in rows:
        if row["person"] not in known:
            _refuse(ring, row["key_id"])
    used = sorted({row["key_id"] for row in rows} & live.keys())
    return Listed(place(lake), tuple(live[key_id] for key_id in used))


def _refuse(ring: KeyRing, key_id: str) -> None:
    try:
        ring.key(key_id)
    except MktError as error:
        raise MktError(
            f"standing erasures cannot be honoured: {error}. With both keys live, mkt rotate-keys "
            "lists under the active key whom it meets; for the others run mkt erase again with "
            "their subject file"
        ) from None


def add(
    lake: Lake,
    request_id: str,
    names: Iterable[Name],
    erased_at: datetime,
    refused: Mapping[str, Collection[str]] | None = None,
) -> None:
    """Put people on the list; who is on it keeps the latest moment.

    ``refused`` is what people last said no to, by pseudonym, up to ``erased_at``.
    """
    rows = {(row["key_id"], row["pseudonym"]): row for row in read(lake).to_pylist()}
    for name in sorted(set(names)):
        known = rows.get((name.key_id, name.pseudonym))
        if known is None or known["erased_at"] < erased_at:
            added = {"request_id": request_id, **name._asdict(), "erased_at": erased_at}
            added["refused"] = sorted((refused or {}).get(name.pseudonym, ()))
            rows[name.key_id, name.pseudonym] = added
    _write(lake, [rows[pair] for pair in sorted(rows)])


def refuse(lake: Lake, refused: Mapping[str, Collection[str]]) -> None:
    """Note refusals, by pseudonym, of people who are on the list; none is taken back here."""
    before = read(lake).to_pylist()
    after = [
        row | {"refused": sorted({*(row["refused"] or ()), *refused.get(row["pseudonym"], ())})}
        for row in before
    ]
    if after != before:
        _write(lake, after)


def _write(lake: Lake, rows: Sequence[Mapping[str, Any]]) -> None:
    lake.closed(lake.erasures)
    with replacing(place(lake), mode=0o600) as writing:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMA), writing)


def record_path(lake: Lake, request_id: str) -> Path:
    """The audit record of a request."""
    return lake.erasures / f"{request_id}.json"


def read_record(lake: Lake, request_id: str) -> dict[str, Any] | None:
    """What is recorded of a request; None where nothing is."""
    path = record_path(lake, request_id)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def write_record(lake: Lake, record: Mapping[str, Any]) -> None:
    """Replace the audit record of a request; it holds counts and times, and no identifier."""
    lake.closed(lake.erasures)
    with replacing(record_path(lake, record["request_id"]), mode=0o600) as writing:
        text = json.dumps(record, indent=1, sort_keys=True)
        writing.write_text(text + "\n", encoding="utf-8")


def records(lake: Lake) -> list[dict[str, Any]]:
    """Every audit record, oldest first."""
    found = [json.loads(p.read_text(encoding="utf-8")) for p in lake.erasures.glob("er_*.json")]
    return sorted(found, key=lambda record: (record["requested_at"], record["request_id"]))


def unfinished(lake: Lake) -> Sequence[dict[str, Any]]:
    """The requests whose last copy, the published file, is not known to be replaced yet."""
    return [record for record in records(lake) if record["completed_at"] is None]
