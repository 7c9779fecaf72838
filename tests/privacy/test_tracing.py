"""The way back: from an id or a payload to files, with plain words about what changed or went."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from mkt_assets.errors import InputError, MktError
from mkt_assets.ingest.locations import describe
from mkt_assets.ingest.sources import Landed, manifest_path, raw_whole, write_manifest
from mkt_assets.lake import Lake
from mkt_assets.privacy.lineage import FATES, ledger_rows, lineage_id
from mkt_assets.privacy.lineage_history import replace_lines
from mkt_assets.privacy.tracing import all_lines, resolve, trace_payload, unresolved, way_back
from mkt_assets.privacy.tracing_text import (
    payload_as_dict,
    payload_as_text,
    way_as_dict,
    way_as_text,
)

DAY = date(2025, 3, 10)
NOW = datetime(2025, 3, 11, 6, tzinfo=UTC)


class Shop:
    """A lake with the ledger lines of what was dropped."""

    def __init__(self, root: Path) -> None:
        self.lake = Lake(root / "data")
        # the address of a person in a path: the ledger must not show it
        self.drop = root / "jane@example.com" / "events.ndjson"
        self.drop.parent.mkdir()

    def receive(self, content: str, day: date | None = DAY) -> str:
        """Drop a file, land it, and enter its line; the lineage id."""
        self.drop.write_text(content)
        source = describe(self.drop)
        table = "events" if day else "consent_log"
        landed = self.lake.landed(table, day) if day else raw_whole(self.lake, table)
        landed.parent.mkdir(parents=True, exist_ok=True)
        landed.write_bytes(b"raw rows")
        write_manifest(landed, [Landed(source, 10, 10)])
        made = lineage_id(source.sha256, day, "1", "k1")
        fates = dict(zip(FATES, (4, 3, 1, 1, 1, 0), strict=True))
        reasons = {"consent_denied": 2, "consent_unset": 1, "cookieless": 1, "duplicate": 1}
        line = {
            "lineage_id": made,
            "table_name": table,
            "partition": day,
            "source_uri": source.uri,
            "source_bytes": source.bytes,
            "source_sha256": source.sha256,
            "rows_in": 10,
            **fates,
            "reasons": json.dumps({**reasons, "no_timestamp": 1, "folded": 2}),
            "policy_version": "1",
            "consent_basis": "privacy_info",
            "key_id": "k1",
            "code_version": "0.1.0",
            "run_id": "run-1",
            "processed_at": NOW,
        }
        replace_lines(self.lake, table, day, ledger_rows([line]), now=NOW)
        return made

    def ways(self, asked: str) -> list[Any]:
        return [way_back(self.lake, line) for line in resolve(all_lines(self.lake), asked)]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_an_id_leads_to_the_landed_file_and_to_the_true_source(shop: Shop) -> None:
    made = shop.receive("one")
    (way,) = shop.ways(made)
    assert way.landed.path == str(shop.lake.landed("events", DAY))
    assert way.landed.state == "holds these rows"
    assert way.source.path == str(shop.drop)
    assert way.source.state == "unchanged (sha256 verified)"
    text = way_as_text(way)
    for words in (
        made, "current", "events, partition 2025-03-10", "[redacted]",
        "no consent  3 (consent_denied 2, consent_unset 1)", "quarantined 1 (no_timestamp 1)",
        "kept        4 (folded 2)", "k1", "run-1", "2025-03-11 06:00:00 UTC", "0.1.0",
    ):  # fmt: skip
        assert words in text, words
    told = json.loads(json.dumps(way_as_dict(way)))
    assert told["reasons"]["consent_denied"] == 2
    assert told["partition"] == "2025-03-10"
    assert told["superseded_at"] is None
    assert told["source"] == {"path": str(shop.drop), "state": "unchanged (sha256 verified)"}


@pytest.mark.parametrize(
    ("spoil", "landed", "source"),
    [
        (lambda s: s.drop.write_text("other"), "holds these rows", "changed since"),
        (lambda s: s.drop.unlink(), "holds these rows", "gone"),
        (lambda s: shutil.rmtree(s.lake.landing), "purged", "its address holds personal data"),
        (lambda s: s.receive("newer"), "landed again since", "its address holds personal data"),
        (
            lambda s: manifest_path(s.lake.landed("events", DAY)).unlink(),
            "landed again since",
            "its address holds personal data",
        ),
    ],
)
def test_what_changed_or_went_is_said(shop: Shop, spoil: Any, landed: str, source: str) -> None:
    made = shop.receive("one")
    spoil(shop)
    (way,) = shop.ways(made)
    assert way.landed.state.startswith(landed)
    assert way.source.state.startswith(source)


def test_a_source_without_personal_data_in_its_address_is_found_without_a_manifest(
    shop: Shop, tmp_path: Path
) -> None:
    shop.drop = tmp_path / "events.ndjson"
    made = shop.receive("one")
    shutil.rmtree(shop.lake.landing)
    (way,) = shop.ways(made)
    assert (way.landed.state, way.source.state) == ("purged", "unchanged (sha256 verified)")


def test_a_superseded_id_says_so(shop: Shop) -> None:
    old, new = shop.receive("one"), shop.receive("two")
    assert old != new
    (way,) = shop.ways(old)
    assert "superseded 2025-03-11 06:00 UTC" in way_as_text(way)
    assert way_as_dict(way)["superseded_at"] == NOW.isoformat()
    # back again: the id is current, and told once
    assert shop.receive("one") == old
    (way,) = shop.ways(old)
    assert way.line.superseded_at is None


def test_a_table_without_days_is_found(shop: Shop) -> None:
    (way,) = shop.ways(shop.receive("log", day=None))
    assert way.landed.state == "holds these rows"
    assert "consent_log, whole table" in way_as_text(way)


def test_a_beginning_is_enough_unless_it_is_of_several(shop: Shop) -> None:
    ids = {shop.receive(content) for content in map(str, range(40))}
    lines = all_lines(shop.lake)
    made = min(ids)
    assert resolve(lines, made[3:])[0].id == made
    shared = next(c for c in "0123456789abcdef" if sum(i.startswith(f"ln_{c}") for i in ids) > 1)
    with pytest.raises(MktError, match=r"is the beginning of \d+ ids, give more digits: ln_"):
        resolve(lines, f"ln_{shared}")
    unique = made
    while sum(i.startswith(unique[:-1]) for i in ids) == 1:
        unique = unique[:-1]
    assert resolve(lines, unique)[0].id == made


@pytest.mark.parametrize("asked", ["", "ln_", "jane@example.com", "LN_AB", "ln_" + "a" * 33, "*"])
def test_what_is_no_id_is_refused_without_being_repeated(shop: Shop, asked: str) -> None:
    shop.receive("one")
    with pytest.raises(MktError, match="no lineage id") as refused:
        resolve(all_lines(shop.lake), asked)
    assert "jane" not in str(refused.value)


def test_an_unknown_id_and_an_empty_lake_are_refused(shop: Shop) -> None:
    with pytest.raises(MktError, match="no ledger"):
        all_lines(shop.lake)
    shop.receive("one")
    with pytest.raises(MktError, match="neither in the ledger nor in its history"):
        resolve(all_lines(shop.lake), "ln_" + "0" * 32)


def test_a_payload_is_resolved_id_by_id(shop: Shop, tmp_path: Path) -> None:
    old, log = shop.receive("one"), shop.receive("log", day=None)
    new, lost = shop.receive("two"), "ln_" + "0" * 32
    path = tmp_path / "payload.json"
    path.write_text(json.dumps({"lineage_ids": [old, new, log]}))
    trace = trace_payload(all_lines(shop.lake), path)
    assert trace.unresolved == []
    told = payload_as_dict(trace)
    assert {table: len(lines) for table, lines in told["tables"].items()} == {
        "consent_log": 1, "events": 2,
    }  # fmt: skip
    text = payload_as_text(trace)
    assert "3 of 3 lineage ids resolve" in text
    assert "events (2)" in text
    assert "kept 4 of 10, superseded 2025-03-11" in text

    path.write_text(json.dumps({"lineage_ids": [old, lost]}))
    trace = trace_payload(all_lines(shop.lake), path)
    assert trace.unresolved == [lost]
    assert payload_as_dict(trace)["success"] is False
    assert f"  {lost}" in payload_as_text(trace)
    assert unresolved(shop.lake, [old, new, lost]) == [lost]


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"lineage_ids": "ln_a"}', '{"lineage_ids": []}']
)
def test_what_is_no_payload_is_refused(shop: Shop, tmp_path: Path, content: str) -> None:
    shop.receive("one")
    path = tmp_path / "payload.json"
    path.write_text(content)
    with pytest.raises(InputError, match="payload"):
        trace_payload(all_lines(shop.lake), path)
    path.unlink()
    with pytest.raises(InputError, match="payload"):
        trace_payload(all_lines(shop.lake), path)
