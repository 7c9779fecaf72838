"""The contracts of the budget allocation."""

from __future__ import annotations

from mkt_assets.contracts.columns import ADS, Column, Table

TABLES: tuple[Table, ...] = (
    Table(
        "allocation",
        "budget_allocation",
        "The proposed daily budget of each channel, within its guardrails and spending the budget exactly.",
        ("channel",),
        (
            Column("channel", "VARCHAR", "Name of the channel."),
            Column("current", "DOUBLE", "Mean daily spend of the last 28 days.", "currency", low=0),
            Column("proposed", "DOUBLE", "Daily spend proposed.", "currency", low=0),
            Column("lower", "DOUBLE", "The least that the guardrail allows.", "currency", low=0),
            Column("upper", "DOUBLE", "The most that the guardrail allows.", "currency", low=0),
            Column(
                "marginal_return",
                "DOUBLE",
                "Expected revenue of one more unit of spend at the proposed budget. NULL where nothing is spent.",
                "ratio",
                nullable=True,
                low=0,
            ),
            Column(
                "marginal_return_lo",
                "DOUBLE",
                "The same read one standard error more cautiously; money is moved here only if this exceeds what it costs elsewhere.",
                "ratio",
                nullable=True,
                low=0,
            ),
            Column(
                "marginal_return_hi",
                "DOUBLE",
                "The same read one standard error more generously; money is taken away only if even this is less than what it brings elsewhere.",
                "ratio",
                nullable=True,
                low=0,
            ),
            Column(
                "expected_revenue_change",
                "DOUBLE",
                "Expected change of daily revenue of the channel against its current budget.",
                "currency",
            ),
            Column(
                "elasticity",
                "DOUBLE",
                "Percent of revenue gained by one percent of spend, by the fitted curve. NULL where nothing was ever spent.",
                "ratio",
                nullable=True,
                low=0,
                high=1,
            ),
            Column(
                "evidence",
                "DOUBLE",
                "Share of the elasticity that comes from this channel's data; the rest is the prior. 0 means that the data do not tell.",
                "ratio",
                low=0,
                high=1,
            ),
            Column(
                "binding",
                "VARCHAR",
                "Which guardrail the proposal rests on; 'both' where they allow one value only.",
                values=("lower", "upper", "both", "none"),
            ),
        ),
        needs=ADS,
    ),
)
