"""What `mkt lineage` prints: the way back in lines for people and in plain values for JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from mkt_assets.privacy.ledger import FOLDED
from mkt_assets.privacy.lineage import FATES
from mkt_assets.privacy.tracing import Line, PayloadTrace, Way

_LABELS = ("kept", "no consent", "cookieless", "duplicate", "quarantined", "erased")
#: fates that the ledger splits by reason
_SPLIT = {
    "rows_kept": {FOLDED},
    "rows_dropped_consent": {"consent_denied", "consent_unset"},
}
_WHOLE = {FOLDED, "consent_denied", "consent_unset", "cookieless", "duplicate", "erased"}


def way_as_text(way: Way) -> str:
    """One ledger line and its files, for people."""
    told = way.line.told
    facts = [
        ("table", f"{way.line.table}, {_partition(way.line)}"),
        ("source", told["source_uri"]),
        ("bytes", "unknown" if told["source_bytes"] is None else f"{told['source_bytes']:,}"),
        ("sha256", told["source_sha256"]),
        ("rows in", f"{told['rows_in']:,}"),
        *_fates(told),
        ("policy", told["policy_version"]),
        ("consent", told["consent_basis"] or "none needed"),
        ("key id", told["key_id"]),
        ("code", told["code_version"]),
        ("run", told["run_id"]),
        ("processed", f"{told['processed_at']:%Y-%m-%d %H:%M:%S} UTC"),
        ("landed file", f"{way.landed.path}: {way.landed.state}"),
        ("source file", f"{way.source.path or 'unknown'}: {way.source.state}"),
    ]
    head = f"{way.line.id}  {_status(way.line)}"
    return "\n".join([head, *(f"  {label:<13} {value}" for label, value in facts)])


def way_as_dict(way: Way) -> dict[str, Any]:
    """One ledger line and its files, for JSON."""
    return {
        **_line_as_dict(way.line),
        "landed": {"path": way.landed.path, "state": way.landed.state},
        "source": {"path": way.source.path, "state": way.source.state},
    }


def payload_as_text(trace: PayloadTrace) -> str:
    """Every id of a payload by table, a line each, for people."""
    total = len(trace.found) + len(trace.unresolved)
    lines = [f"{trace.path}: {len(trace.found)} of {total} lineage ids resolve"]
    for table, found in _by_table(trace).items():
        lines.append(f"{table} ({len({line.id for line in found})})")
        lines += [
            f"  {line.id}  {_partition(line):<20} kept {line.told['rows_kept']:,} of "
            f"{line.told['rows_in']:,}, {_status(line)}"
            for line in found
        ]
    if trace.unresolved:
        lines.append(f"not in the ledger nor in its history ({len(trace.unresolved)})")
        lines += [f"  {asked}" for asked in trace.unresolved]
    return "\n".join(lines)


def payload_as_dict(trace: PayloadTrace) -> dict[str, Any]:
    """Every id of a payload by table, for JSON."""
    return {
        "success": not trace.unresolved,
        "payload": str(trace.path),
        "tables": {
            table: [_line_as_dict(line) for line in found]
            for table, found in _by_table(trace).items()
        },
        "unresolved": list(trace.unresolved),
    }


def _by_table(trace: PayloadTrace) -> dict[str, list[Line]]:
    lines = [line for found in trace.found.values() for line in found]
    lines.sort(key=lambda line: (line.table, line.day or date.min, line.id))
    return {
        table: [line for line in lines if line.table == table]
        for table in sorted({line.table for line in lines})
    }


def _line_as_dict(line: Line) -> dict[str, Any]:
    plain = {
        name: value.isoformat() if isinstance(value, (date, datetime)) else value
        for name, value in line.told.items()
    }
    at = line.superseded_at
    return {
        **plain,
        "reasons": _reasons(line.told),
        "superseded_at": at.isoformat() if at else None,
    }


def _fates(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    reasons = _reasons(told)
    for fate, label in zip(FATES, _LABELS, strict=True):
        rows = told[fate] or 0
        if not rows and fate != "rows_kept":
            continue
        wanted = _SPLIT.get(fate, set())
        if fate == "rows_quarantined":
            wanted = reasons.keys() - _WHOLE
        split = ", ".join(f"{why} {n:,}" for why, n in reasons.items() if why in wanted)
        yield f"  {label}", f"{rows:,}" + (f" ({split})" if split else "")


def _reasons(told: Mapping[str, Any]) -> dict[str, int]:
    return dict(json.loads(told["reasons"] or "{}"))


def _partition(line: Line) -> str:
    return f"partition {line.day}" if line.day else "whole table"


def _status(line: Line) -> str:
    at = line.superseded_at
    return "current" if at is None else f"superseded {at:%Y-%m-%d %H:%M} UTC"
