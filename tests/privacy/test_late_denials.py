"""A refusal that comes late reaches what is already stored, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mkt_assets.ingest.sources import CONSENT, EVENTS
from mkt_assets.privacy import quiet
from mkt_assets.privacy.late_denials import withdraw
from mkt_assets.privacy.ledger import unbalanced
from mkt_assets.privacy.policy import POLICY_V1
from mkt_assets.privacy.pseudonyms import pseudonym
from mkt_assets.privacy.reconciliation import unreconciled

House = Any  # the fixture's type lives in conftest
NOW = datetime(2025, 3, 20, 6, tzinfo=UTC)


def refuse(house: House, key: str, at: datetime) -> None:
    """Another entry in the stored log: it was not there when the days were guarded."""
    path = house.lake.whole(CONSENT)
    log = pq.read_table(path)
    others = [row for row in log.to_pylist() if row["user_key"] != key]
    entry = dict.fromkeys(log.schema.names, "denied")
    entry |= {"user_key": key, "changed_at": at, "key_id": "k1"}
    pq.write_table(pa.Table.from_pylist([*others, entry], schema=log.schema), path)


def withdrawn(house: House) -> dict[str, int]:
    with quiet.connect(house.lake.landing) as con:
        return withdraw(con, house.lake, POLICY_V1, ring=house.RING, erased=None, now=NOW)


@pytest.mark.parametrize("who", ["device", "login"])
def test_events_after_the_refusal_go_and_others_stay(
    house: House, member: dict[str, str], who: str
) -> None:
    assert withdrawn(house) == {}, "the guard knew all of this log"
    key = pseudonym(member[who], house.RING.active)
    column = "user_key" if who == "device" else "login_key"
    stored = [
        row
        for day in house.DAYS
        for row in pq.read_table(house.lake.partition(EVENTS, day)).to_pylist()
    ]
    theirs = sorted(row["event_timestamp"] for row in stored if row[column] == key)
    at = datetime.fromtimestamp(theirs[len(theirs) // 2] / 1e6, UTC)
    refuse(house, key, at)
    told = withdrawn(house)
    refused = [moment for moment in theirs if moment >= int(at.timestamp() * 1e6)]
    assert sum(told.values()) == len(refused) > 0
    left = [
        row
        for day in house.DAYS
        for row in pq.read_table(house.lake.partition(EVENTS, day)).to_pylist()
    ]
    assert len(left) == len(stored) - len(refused)
    assert unbalanced(house.lake) == []
    assert [said for said in unreconciled(house.lake) if EVENTS in said] == []
    assert withdrawn(house) == {}
    dropped = [row["no_consent"] for row in house.fates() if row["table_name"] == EVENTS]
    house_again = [row for row in house.fates() if row["table_name"] == EVENTS]
    assert dropped[0] >= len(refused)
    assert house_again[0]["erased"] == 0


def test_a_login_s_refusal_is_known_to_the_guard(workplace: Any) -> None:
    noon = datetime.fromtimestamp(workplace.NOON / 1e6, UTC)
    early = datetime(2025, 3, 10, 1, tzinfo=UTC)
    workplace.log([("jane-login", early, *("denied",) * 4), ("1.2", early, *("granted",) * 4)])
    rows = [
        workplace.event(user_pseudo_id="1.2", user_id="jane-login", event_name="a"),
        workplace.event(user_pseudo_id="1.2", event_name="b"),
        workplace.event(user_pseudo_id="3.4", user_id="other", event_name="c"),
    ]
    fates = workplace.guard(rows)
    assert noon > early
    assert (fates.kept, dict(fates.dropped)) == (2, {"consent_denied": 1})
    assert {row["event_name"] for row in workplace.kept()} == {"b", "c"}


@pytest.mark.slow
@pytest.mark.parametrize("word", ["null", "NULL", " undefined", "(not set)", "NaN", "0", "None"])
def test_a_null_that_is_spelled_out_is_nobody(workplace: Any, word: str) -> None:
    fates = workplace.guard([workplace.event(user_pseudo_id=word)])
    assert (fates.kept, fates.cookieless) == (0, 1)


def test_items_share_the_fate_of_their_purchase(workplace: Any) -> None:
    items = [{"item_name": "a"}, {"item_name": "b"}, {"item_name": "c"}]
    no = {"analytics_storage": "No"}
    rows = [
        workplace.event(event_name="a", items=items),
        workplace.event(event_name="b", items=items, privacy_info=no),
        workplace.event(event_name="c", items=items[:2], user_pseudo_id=None),
        workplace.event(event_name="d"),
    ]
    source = rows[0]["source_file"]
    fates = workplace.guard(rows, folding=[source])
    assert (fates.rows_in, fates.kept, fates.stored) == (9, 4, 2)
    assert (fates.rows_dropped, fates.cookieless) == (3, 2)
    assert dict(fates.folded) == {"cookieless": 1, "dropped": 2, "kept": 2}
    assert workplace.guard(rows).rows_in == 4
