"""Where the columns of a model come from."""

from __future__ import annotations

from pathlib import Path

from mkt_assets.marts.column_lineage import column_parents, parents_of_models

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
    assert dict(parents_of_models(manifest, tmp_path, {})) == {
        "stg_ads": {"day": [("lake.ads", "day")], "twice": [("lake.ads", "cost")]}
    }
