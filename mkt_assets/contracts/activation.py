"""The contracts of the creative library."""

from __future__ import annotations

from mkt_assets.contracts.columns import ACTIVATION, Column, Table

TABLES: tuple[Table, ...] = (
    Table(
        "activation",
        "creative_library",
        "Ad copy for each audience with its compliance verdict; nothing is approved by a machine.",
        ("creative_id",),
        (
            Column(
                "creative_id",
                "VARCHAR",
                "From segment, variant and words, so that an approval holds for exactly these.",
                form="creative",
            ),
            Column("segment", "VARCHAR", "The audience; 'Everyone' where no segments are known."),
            Column("variant", "VARCHAR", "A, B or C.", values=("A", "B", "C")),
            Column("headline", "VARCHAR", "At most 30 characters where not red."),
            Column("body", "VARCHAR", "At most 90 characters where not red."),
            Column("cta", "VARCHAR", "Call to action, at most 20 characters where not red."),
            Column(
                "channels",
                "VARCHAR[]",
                "Channels that have campaigns, sorted; empty where there is no ad data.",
            ),
            Column(
                "currency", "VARCHAR", "ISO 4217: the currency of any price that a person adds."
            ),
            Column(
                "compliance",
                "VARCHAR",
                "green: no rule found anything. amber: a person must show that it is true. red: rewrite.",
                values=("green", "amber", "red"),
            ),
            Column(
                "reasons",
                "VARCHAR[]",
                "What the rules found, each with its rule id; empty where green.",
            ),
            Column(
                "approval",
                "VARCHAR",
                "pending until a person approves.",
                values=("pending", "approved"),
            ),
        ),
        owner=ACTIVATION,
    ),
)
