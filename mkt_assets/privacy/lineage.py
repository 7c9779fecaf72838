"""Where rows came from: deterministic lineage ids, and the ledger whose lines add up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

import pyarrow as pa

from mkt_assets.errors import MktError
from mkt_assets.redaction import redact_place

_PREFIX: Final = "ln_"
_DIGITS: Final = 32

#: the key id of what holds no identifiers
NO_KEY: Final = "none"

#: between the addresses of files with equal content
ALSO: Final = " and "

#: the columns that add up to ``rows_in``
FATES: Final = (
    "rows_kept",
    "rows_dropped_consent",
    "rows_cookieless",
    "rows_duplicate",
    "rows_quarantined",
    "rows_erased",
)

LEDGER_SCHEMA: Final = pa.schema(
    [
        ("lineage_id", pa.string()),
        ("table_name", pa.string()),
        ("partition", pa.date32()),
        ("source_uri", pa.string()),
        ("source_bytes", pa.int64()),
        ("source_sha256", pa.string()),
        ("rows_in", pa.int64()),
        ("rows_kept", pa.int64()),
        ("rows_dropped_consent", pa.int64()),
        ("rows_cookieless", pa.int64()),
        ("rows_duplicate", pa.int64()),
        ("rows_quarantined", pa.int64()),
        ("rows_erased", pa.int64()),
        ("reasons", pa.string()),
        ("new_parameters", pa.string()),
        ("policy_version", pa.string()),
        ("consent_basis", pa.string()),
        ("key_id", pa.string()),
        ("code_version", pa.string()),
        ("run_id", pa.string()),
        ("processed_at", pa.timestamp("us", tz="UTC")),
    ]
)


def lineage_id(source_sha256: str, partition: date | None, policy_stamp: str, key_id: str) -> str:
    """The id of what one source object gave to one partition under one policy and key.

    The same content, partition, policy and key give the same id, wherever the file lies.
    """
    parts = (
        source_sha256,
        partition.isoformat() if partition else "whole",
        policy_stamp,
        key_id,
    )
    # every part carries its length, so that no two lists of parts read the same
    text = "".join(f"{len(part)}:{part}," for part in parts)
    return _PREFIX + hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def ledger_rows(lines: Iterable[Mapping[str, Any]]) -> pa.Table:
    """The ledger's rows from one mapping a source object and partition, in their order.

    A source address loses what looks personal; the manifest in the landing area has it in full.

    Raises:
        MktError: the fates of a line do not add up to the rows that came in.
    """
    rows = [{**line, "source_uri": _redacted(line["source_uri"])} for line in lines]
    for row in rows:
        told = sum(row[fate] for fate in FATES)
        if told != row["rows_in"]:
            raise MktError(
                f"lineage {row['lineage_id']} of {row['table_name']}: {row['rows_in']} rows came "
                f"in, {told} are accounted for: a bug, report it"
            )
    return pa.Table.from_pylist(rows, schema=LEDGER_SCHEMA)


def _redacted(uris: str) -> str:
    return ALSO.join(map(redact_place, uris.split(ALSO)))
