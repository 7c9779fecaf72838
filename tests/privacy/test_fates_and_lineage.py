"""Rows add up or nothing is written; lineage depends on what it must and on nothing else."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkt_assets.errors import MktError
from mkt_assets.privacy.fates import Fates
from mkt_assets.privacy.lineage import FATES, LEDGER_SCHEMA, NO_KEY, ledger_rows, lineage_id

LINE = {
    "lineage_id": "ln_1",
    "table_name": "events",
    "partition": date(2025, 3, 10),
    "source_uri": "/drops/jane@example.com/events.json",
    "source_bytes": 10,
    "source_sha256": "ab",
    "rows_in": 21,
    **dict(zip(FATES, (1, 2, 3, 4, 5, 6), strict=True)),
    "reasons": json.dumps({"cookieless": 3}),
    "policy_version": "1",
    "consent_basis": "privacy_info",
    "key_id": NO_KEY,
    "code_version": "0",
    "run_id": "r",
    "processed_at": datetime(2025, 3, 11, tzinfo=UTC),
}


@given(
    counts=st.dictionaries(
        st.tuples(
            st.sampled_from(["kept", "dropped", "cookieless", "duplicates", "quarantined"]),
            st.sampled_from(["a", "b"]),
        ),
        st.integers(0, 50),
    )
)
def test_counted_fates_add_up(counts: dict[tuple[str, str | None], int]) -> None:
    fates = Fates.counted(counts)
    fates.check()
    assert fates.rows_in == sum(counts.values())


def test_fates_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(MktError, match="5 rows came in but 4"):
        Fates(rows_in=5, kept=4).check()
    part = Fates(rows_in=4, kept=4)
    with pytest.raises(MktError, match="per source"):
        Fates(rows_in=5, kept=5, per_source={"a": part}).check()


def test_reasons_leave_out_what_did_not_happen() -> None:
    fates = Fates(3, 0, {"consent_denied": 1, "consent_unset": 0}, 1, 0, {"no_timestamp": 1})
    assert fates.reasons == {"consent_denied": 1, "cookieless": 1, "no_timestamp": 1}


def test_lineage_tells_content_partition_policy_and_key_apart() -> None:
    asked = product(("ab", "a"), (date(2025, 3, 10), None), ("1", "b1"), ("k1", "1k1"))
    ids = [lineage_id(*parts) for parts in asked]
    assert len(set(ids)) == len(ids)
    again = lineage_id("ab", date(2025, 3, 10), "1", "k1")
    assert again == ids[0]
    assert again.startswith("ln_")
    assert len(again) == 35


def test_the_id_is_the_same_on_every_machine() -> None:
    told = lineage_id("00" * 32, date(2025, 1, 1), "1", "k1")
    assert told == "ln_2561697c98004febaaf31a8a9cde15cb"


def test_the_ledger_has_the_lake_s_columns_and_no_address_of_a_person() -> None:
    table = ledger_rows([LINE])
    assert table.schema.equals(LEDGER_SCHEMA)
    assert table["source_uri"].to_pylist() == ["/drops/[redacted]/events.json"]
    assert ledger_rows([]).schema.equals(LEDGER_SCHEMA)


def test_a_line_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(MktError, match="21 rows came in, 22"):
        ledger_rows([LINE | {"rows_kept": 2}])
