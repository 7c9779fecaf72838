"""The contract of the one row that every published version carries about itself."""

from __future__ import annotations

from mkt_assets.contracts.columns import Column, Table

PUBLICATION = Table(
    "publish",
    "publication",
    "What this version is: which run published it when, and what is in it.",
    ("run_id",),
    (
        Column("run_id", "VARCHAR", "The Dagster run that published this version.", form="uuid"),
        Column("published_at", "TIMESTAMP WITH TIME ZONE", "When it was published."),
        Column(
            "build_id",
            "VARCHAR",
            "Fingerprint of the marts: equal contents have equal ids.",
            form="build",
        ),
        Column(
            "lineage_ids",
            "VARCHAR[]",
            "Every input that is in it; see lineage_ledger.",
            form="lineage",
        ),
        Column("row_counts", "MAP(VARCHAR, BIGINT)", "Rows of each table."),
        Column("absent", "MAP(VARCHAR, VARCHAR)", "Inputs that were not given, and what to set."),
    ),
)
