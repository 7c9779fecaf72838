"""Keys that stored data were made with: while such data lie here, none may go missing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from mkt_assets.doctor import examine
from mkt_assets.errors import MktError
from mkt_assets.lake import Lake
from mkt_assets.privacy.keys import key_ring, refuse_missing, remember
from mkt_assets.privacy.ledger_stamps import partitions_by_key
from mkt_assets.privacy.lineage import FATES, ledger_rows
from mkt_assets.privacy.lineage_history import replace_lines
from mkt_assets.privacy.pseudonyms import KeyRing
from mkt_assets.settings import load_settings

SECRETS = {"k1": "5a" * 32, "k2": "a5" * 32}


def ring(*ids: str) -> KeyRing:
    return KeyRing.from_json(json.dumps({key: SECRETS[key] for key in ids}))


def enter(lake: Lake, day: int, key: str) -> None:
    line = {
        "lineage_id": f"ln_{day}{key}",
        "table_name": "events",
        "partition": date(2025, 3, day),
        "source_uri": "file:///x",
        "source_sha256": "ab",
        "rows_in": 0,
        **dict.fromkeys(FATES, 0),
        "reasons": "{}",
        "policy_version": "1",
        "key_id": key,
        "processed_at": datetime(2025, 3, 12, tzinfo=UTC),
    }
    now = datetime(2025, 3, 12, tzinfo=UTC)
    replace_lines(lake, "events", date(2025, 3, day), ledger_rows([line]), now=now)


def test_every_key_of_stored_data_must_be_live(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    refuse_missing(ring("k2"), lake)
    enter(lake, 1, "k1")
    enter(lake, 2, "k2")
    refuse_missing(ring("k2", "k1"), lake)
    with pytest.raises(MktError, match="key id 'k1', which is not among the keys"):
        refuse_missing(ring("k2"), lake)


def test_a_key_of_superseded_lines_alone_may_go(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    enter(lake, 1, "k1")
    enter(lake, 1, "k2")
    refuse_missing(ring("k2"), lake)
    assert partitions_by_key(lake) == {"k2": 1}


def test_a_lost_sample_key_is_not_replaced_behind_stored_data(tmp_path: Path) -> None:
    known = load_settings(data_dir=tmp_path)
    assert key_ring(known, create=False) is None
    first = key_ring(known)
    assert first is not None
    enter(Lake(tmp_path), 1, first.active.id)
    assert key_ring(known) == first
    (tmp_path / "keys" / "sample.json").unlink()
    for create in (True, False):
        with pytest.raises(MktError, match="is gone"):
            key_ring(known, create=create)
    assert not (tmp_path / "keys" / "sample.json").exists()


def test_the_doctor_names_a_missing_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(Lake(tmp_path), 1, "k1")
    monkeypatch.setenv("MKT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MKT_PII_KEYS", json.dumps({"k2": SECRETS["k2"]}))
    (told,) = [finding for finding in examine() if finding.what == "keys"]
    assert told.status == "fail"
    assert "'k1'" in told.seen
    assert SECRETS["k2"] not in told.seen


def test_another_secret_under_a_known_id_is_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    enter(lake, 1, "k1")
    remember(ring("k1"), lake)
    refuse_missing(ring("k2", "k1"), lake)
    other = json.dumps({"k2": SECRETS["k2"], "k1": "5b" * 32})
    with pytest.raises(MktError, match="'k1' stands for another secret"):
        refuse_missing(KeyRing.from_json(other), lake)
    stored = (tmp_path / "keys" / "fingerprints.json").read_text(encoding="utf-8")
    assert SECRETS["k1"] not in stored
