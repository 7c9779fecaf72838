"""The consent log: fails closed, loses nothing, and holds no subject."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.errors import MktError
from mkt_assets.ingest.file_source import FileSource
from mkt_assets.lake import Lake
from mkt_assets.privacy import quiet
from mkt_assets.privacy.guard_consent import guard_consent
from mkt_assets.privacy.guarding import Guard
from mkt_assets.privacy.ledger import unbalanced
from mkt_assets.privacy.policy import SIGNALS
from mkt_assets.privacy.pseudonyms import Key, pseudonym
from mkt_assets.settings import load_settings

Workplace = Any  # the fixture's type lives in conftest
KEY = Key("k1", bytes(range(32)))
PROCESSED_AT = datetime(2025, 3, 11, 6, tzinfo=UTC)
NINE = datetime(2025, 3, 10, 9, tzinfo=UTC)
YES = ("granted",) * 4


def test_the_log_has_the_lake_s_columns(workplace: Workplace) -> None:
    workplace.log([("jane", NINE, "granted", "denied", " Granted ", None)])
    assert workplace.consent is not None
    described = workplace.con.execute(f"describe select * from '{workplace.consent}'").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == [
        ("user_key", "VARCHAR"),
        ("changed_at", "TIMESTAMP WITH TIME ZONE"),
        ("ad_storage", "VARCHAR"),
        ("analytics_storage", "VARCHAR"),
        ("ad_user_data", "VARCHAR"),
        ("ad_personalization", "VARCHAR"),
        ("key_id", "VARCHAR"),
    ]
    (row,) = workplace.read(workplace.consent)
    assert row["user_key"] == pseudonym("jane", KEY)
    signals = ("granted", "denied", "granted", None)
    assert (row["ad_storage"], row["analytics_storage"], row["ad_user_data"]) == signals[:3]
    assert row["ad_personalization"] is None
    assert row["key_id"] == "k1"
    assert b"jane" not in workplace.consent.read_bytes()


def test_words_that_are_not_understood_are_denials(workplace: Workplace) -> None:
    fates = workplace.log(
        [("jane", NINE, *YES), ("jane", NINE + timedelta(1), "x", *("revoked",) * 3)]
    )
    assert workplace.consent is not None
    assert [r["analytics_storage"] for r in workplace.read(workplace.consent)] == [
        "granted",
        "denied",
    ]
    assert fates.kept == 2
    assert len(fates.notes) == len(SIGNALS)


def test_of_one_moment_the_denial_wins(workplace: Workplace) -> None:
    fates = workplace.log(
        [("jane", NINE, *YES), (" jane", NINE, "granted", "denied", "granted", None)]
    )
    assert workplace.consent is not None
    (row,) = workplace.read(workplace.consent)
    assert row["analytics_storage"] == "denied"
    assert row["ad_personalization"] == "granted"
    assert (fates.rows_in, fates.kept, fates.duplicates) == (2, 1, 1)


def test_entries_that_cannot_be_placed_are_set_aside_and_counted(workplace: Workplace) -> None:
    fates = workplace.log(
        [
            ("jane", NINE, *YES),
            (None, NINE, *YES),
            ("  ", NINE, *YES),
            ("jane", None, *YES),
            ("jane", datetime(1970, 1, 1, tzinfo=UTC), *YES),
            ("jane", PROCESSED_AT + timedelta(days=2), *YES),
        ]
    )
    assert fates.kept == 1
    assert fates.quarantined == {"impossible_time": 2, "no_subject": 2, "no_time": 1}


def test_an_empty_log_is_a_log(workplace: Workplace) -> None:
    assert workplace.log([]).rows_in == 0
    assert workplace.consent is not None
    assert workplace.read(workplace.consent) == []


ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", " a", "", None]),
        st.sampled_from([NINE, NINE + timedelta(hours=1), datetime(1980, 1, 1, tzinfo=UTC), None]),
        *[st.sampled_from(["granted", "denied", "maybe", None])] * 4,
    ),
    max_size=12,
)


@given(entries=ENTRIES)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_entries_add_up_and_their_order_does_not_matter(
    workplace: Workplace, entries: list[tuple[Any, ...]]
) -> None:
    fates = workplace.log(entries)
    fates.check()
    assert workplace.consent is not None
    once = workplace.consent.read_bytes()
    assert workplace.log(entries[::-1]) == fates
    assert workplace.consent.read_bytes() == once


def test_a_time_without_zone_is_refused(workplace: Workplace) -> None:
    with pytest.raises(MktError, match="time zone"):
        guard_consent(
            workplace.con,
            raw=workplace.folder,
            out=workplace.folder / "x",
            key=KEY,
            processed_at=datetime(2025, 1, 1),  # noqa: DTZ001 - the point
        )


def test_a_log_of_several_files_has_a_line_for_each(tmp_path: Path) -> None:
    for name, rows in {"a": ["1,2025-03-01"] * 2, "b": ["1,2025-03-01", "2,2025-03-02"]}.items():
        lines = [f"{row}T00:00:00Z,granted,granted,denied,denied" for row in rows]
        header = "subject_id,changed_at,ad_storage,analytics_storage,ad_user_data,"
        text = "\n".join([f"{header}ad_personalization", *lines])
        (tmp_path / f"log-{name}.csv").write_text(text + "\n", encoding="utf-8")
    known = load_settings(
        data_dir=tmp_path / "data",
        source="files",
        ga4_uri=str(tmp_path / "none.parquet"),
        consent_uri=str(tmp_path / "log-*.csv"),
        pii_keys='{"k1": "' + "00" * 32 + '"}',
    )
    lake = Lake(known.data_dir)
    lake.prepare()
    FileSource(lake, known).land_consent(date(2025, 3, 10))
    with quiet.connect(lake.landing) as con:
        fates = Guard(lake, known, "run", key=KEY).consent(con)
    assert (fates.rows_in, fates.kept, fates.duplicates) == (4, 2, 2)
    assert unbalanced(lake) == []
    lines = pq.read_table(lake.guarded / "lineage_ledger" / "whole" / "consent_log.parquet")
    told = {
        line["source_uri"].rsplit("/", 1)[-1]: (line["rows_kept"], line["rows_duplicate"])
        for line in lines.to_pylist()
    }
    assert told == {"log-a.csv": (1, 1), "log-b.csv": (1, 1)}
