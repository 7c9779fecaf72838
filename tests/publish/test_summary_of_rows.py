"""The summary of a run: what was set aside and what is new is said, where there is any."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from mkt_assets.publish.snapshot import LINK
from mkt_assets.publish.summary import Summary, summarize
from mkt_assets.settings import load_settings

FIRST, LAST = date(2025, 3, 10), date(2025, 3, 11)


@pytest.fixture
def published(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    (tmp_path / "serving").mkdir()
    con = duckdb.connect(str(tmp_path / "serving" / LINK))
    con.execute(
        """
        create schema marts;
        create table marts.fct_sessions (session_date date);
        create table marts.fct_purchases (purchase_date date);
        create table marts.revenue_forecast (series text, model text, ds date, yhat double);
        create table marts.forecast_accuracy (series text, model text, beats_baseline boolean);
        create table marts.consent_waterfall
            ("partition" date, fate text, reason text, row_count bigint);
        create table marts.lineage_ledger ("partition" date, new_parameters text);
        """
    )
    return con


def summary(con: duckdb.DuckDBPyConnection, root: Path) -> Summary:
    con.close()
    settings = load_settings(
        data_dir=root, source="files", ga4_uri="x", pii_keys=f'{{"k1": "{"5a" * 32}"}}'
    )
    return summarize(settings, FIRST, LAST)


def test_rows_set_aside_and_new_parameters_are_told(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    published.execute(
        """
        insert into marts.consent_waterfall values
            ('2025-03-10', 'quarantined', 'bad_session_id', 2),
            ('2025-03-11', 'quarantined', 'bad_session_id', 1),
            ('2025-03-11', 'quarantined', 'in_the_future', 4),
            ('2025-03-11', 'kept', 'kept', 100), ('2025-03-12', 'quarantined', 'not_asked', 1);
        insert into marts.lineage_ledger values
            ('2025-03-10', '{"tier": 3}'), ('2025-03-11', '{"tier": 1, "brand": 9}'),
            ('2025-03-11', '{}'), ('2025-03-11', null), ('2025-03-12', '{"not_asked": 1}');
        """
    )
    told = summary(published, tmp_path)
    assert told.set_aside == "7 rows: 4 in_the_future, 3 bad_session_id"
    assert told.new_parameters == "of events, ignored: 9 brand, 4 tier"
    assert "Set aside      7 rows: 4 in_the_future, 3 bad_session_id" in told.as_text()


def test_a_long_list_is_cut(published: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    published.execute(
        "insert into marts.consent_waterfall "
        "select '2025-03-10', 'quarantined', 'reason_' || n, 1 from range(9) as made (n)"
    )
    told = summary(published, tmp_path).set_aside
    assert told is not None
    assert told.endswith("1 reason_5 and 3 more")


def test_where_nothing_is_wrong_nothing_is_said(
    published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    told = summary(published, tmp_path)
    assert (told.set_aside, told.new_parameters) == (None, None)
    assert "Set aside" not in told.as_text()
