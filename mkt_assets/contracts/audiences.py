"""The contracts of campaign clusters and audience segments."""

from __future__ import annotations

from mkt_assets.contracts.columns import ADS, GA4, Column, Table

TABLES: tuple[Table, ...] = (
    Table(
        "audiences",
        "campaign_clusters",
        "Campaigns that behave alike, where there is such a structure; one cluster where there is none.",
        ("campaign",),
        (
            Column("campaign", "VARCHAR", "Name of the campaign."),
            Column("channel", "VARCHAR", "The channel in which it spent most."),
            Column("cluster", "BIGINT", "Number of the cluster; 0 has most spend.", low=0, high=7),
            Column("name", "VARCHAR", "The cluster in plain words, against the other campaigns."),
            Column(
                "why",
                "VARCHAR",
                "The numbers that set the cluster apart, as ratios of sums; or why there is no structure.",
            ),
            Column("colour", "VARCHAR", "Hex colour from a palette safe for colour-blind readers."),
            Column(
                "stability",
                "DOUBLE",
                "How much of the cluster is found again without a fifth of the campaigns (mean Jaccard). 1 where there is one cluster only.",
                "ratio",
                low=0,
                high=1,
            ),
        ),
        needs=ADS,
    ),
    Table(
        "audiences",
        "audience_segments",
        "Each consented visitor in exactly one segment by recency, frequency and money.",
        ("user_key",),
        (
            Column(
                "user_key",
                "VARCHAR",
                "Keyed pseudonym of the visitor.",
                privacy="pseudonym",
                form="pseudonym",
            ),
            Column(
                "segment",
                "VARCHAR",
                "Name of the segment; the rules are tried in this order.",
                values=(
                    "Champions",
                    "Lapsing buyers",
                    "Loyal buyers",
                    "New buyers",
                    "Lapsing visitors",
                    "Browsers without purchase",
                    "Other visitors",
                ),
            ),
            Column(
                "features",
                "VARCHAR",
                "What the segment was told from, as a JSON object: days_since_last_seen, sessions, engaged_sessions, item_views, purchases, revenue.",
                form="json",
            ),
            Column(
                "recency_days", "BIGINT", "Days since the visitor was last seen.", "days", low=0
            ),
            Column("frequency", "BIGINT", "Sessions.", "count", low=0),
            Column(
                "monetary",
                "DOUBLE",
                "Revenue. NULL where it is unknown.",
                "currency",
                nullable=True,
            ),
            Column(
                "ads_eligible",
                "BOOLEAN",
                "Whether consent allows advertising to this visitor; never derived from behaviour.",
            ),
        ),
        needs=GA4,
    ),
)
