"""Where the columns of a model come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mkt_assets.marts import column_lineage
from mkt_assets.marts.column_lineage import (
    Columns,
    Parents,
    column_parents,
    parents_of_models,
    stored_parents,
)

COLUMNS = {
    "marts.spend": {"day": "date", "campaign": "varchar", "cost": "decimal(18,4)"},
    "marts.names": {"campaign": "varchar", "label": "varchar"},
}
SQL = """
    with spend as (select * from "warehouse"."marts"."spend"),
    named as (
        select spend.*, names.label from spend
        left join "warehouse"."marts"."names" as names on spend.campaign = names.campaign
    )
    select label, sum(cost) / count(*) as each_day, min(day) as first_day, 1 as one
    from named group by label
"""


def test_a_column_comes_from_what_its_expression_reads() -> None:
    assert column_parents(SQL, COLUMNS) == {
        "label": [("marts.names", "label")],
        "each_day": [("marts.spend", "cost")],
        "first_day": [("marts.spend", "day")],
        "one": [],
    }


def test_files_of_the_lake_have_the_name_of_their_source(tmp_path: Path) -> None:
    model = tmp_path / "models" / "staging" / "stg_ads.sql"
    model.parent.mkdir(parents=True)
    model.write_text(
        "select ads.day, ads.cost * 2 as twice from (select "
        "cast(regexp_extract(files.filename, 'event_date=([0-9-]{10})/[^/]*$', 1) as date) as day, "
        "files.cost from read_parquet('/home/o''brien/lake/ads/event_date=*/a.parquet', "
        "schema = map {'cost': {name: 'cost', type: 'DECIMAL(18,4)'}}) as files) as ads"
    )
    source = {
        "source_name": "lake",
        "name": "ads",
        "config": {"meta": {"files": "ads/event_date=*/a.parquet", "day": "day"}},
        "columns": {"cost": {"data_type": "DOUBLE"}, "day": {"data_type": "DATE"}},
    }
    nodes = {
        "built": ("stg_ads", "model", "models/staging/stg_ads.sql"),
        "not built": ("later", "model", "models/later.sql"),
        "python": ("chain", "model", "models/chain.py"),
        "test": ("stg_ads", "test", "models/staging/stg_ads.sql"),
    }
    manifest = {
        "sources": {"source": source},
        "nodes": {
            key: {"name": name, "resource_type": kind, "original_file_path": path}
            for key, (name, kind, path) in nodes.items()
        },
    }
    assert parents_of_models(manifest, tmp_path, {}, tmp_path / "stored.json") == {
        "stg_ads": {"day": [("lake.ads", "day")], "twice": [("lake.ads", "cost")]}
    }


def _model(folder: Path, sql: str) -> dict[str, Any]:
    """The manifest of a project with one model, whose compiled SQL lies in ``folder``."""
    (folder / "ads.sql").write_text(sql)
    node = {"name": "ads", "resource_type": "model", "original_file_path": "ads.sql"}
    return {"sources": {}, "nodes": {"one": node}}


def test_a_model_is_read_again_only_when_its_sql_or_a_column_of_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = tmp_path / "stored.json"
    sql = "select * from marts.spend where day in (date '2025-01-01')"
    found = parents_of_models(_model(tmp_path, sql), tmp_path, COLUMNS, stored)
    assert stored_parents(stored) == found
    read: list[str] = []

    def reading(sql: str, columns: Columns) -> Parents:
        read.append(sql)
        return column_parents(sql, columns)

    monkeypatch.setattr(column_lineage, "column_parents", reading)
    other_days = sql.replace("'2025-01-01'", "'2025-01-02', date '2025-01-03'")
    assert parents_of_models(_model(tmp_path, other_days), tmp_path, COLUMNS, stored) == found
    assert not read
    wider = {**COLUMNS, "marts.spend": {**COLUMNS["marts.spend"], "clicks": "bigint"}}
    widened = parents_of_models(_model(tmp_path, sql), tmp_path, wider, stored)
    assert widened["ads"]["clicks"] == [("marts.spend", "clicks")]
    renamed = sql.replace("*", "day as date")
    changed = parents_of_models(_model(tmp_path, renamed), tmp_path, wider, stored)
    assert changed == {"ads": {"date": [("marts.spend", "day")]}} == stored_parents(stored)
    assert len(read) == 2


def test_parents_that_an_older_release_stored_are_found_anew(tmp_path: Path) -> None:
    stored = tmp_path / "stored.json"
    stored.write_text('{"ads": {"day": [["marts.spend", "day"]]}}')
    assert stored_parents(stored) == {}
    manifest = _model(tmp_path, "select day from marts.spend")
    assert parents_of_models(manifest, tmp_path, COLUMNS, stored) == {
        "ads": {"day": [("marts.spend", "day")]}
    }
