"""The one registry of the tables that Python writes: columns, types, units, keys, bounds, owner.

dbt's sources and models carry their contract in dbt's YAML; a table is described in exactly one of
the two places. From here come the column schema that Dagster shows, the contract checks, and the
comments in the published file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import yaml

from mkt_assets.project import dbt_project_dir

Privacy = Literal["none", "pseudonym", "personal"]
#: an input without which a table cannot be computed
Need = Literal["ads", "ga4", "experiments"]

ANALYTICS = "team:marketing-analytics"
PRIVACY_OFFICE = "team:privacy"
ACTIVATION = "team:activation"


@dataclass(frozen=True)
class Column:
    """One column of a published table.

    ``type`` is a DuckDB type name; ``unit`` is what one step of the number means
    (``currency``, ``ratio``, ``count``, ``days``, ...); ``low`` and ``high`` are inclusive bounds.
    """

    name: str
    type: str
    description: str
    unit: str = ""
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    privacy: Privacy = "none"


@dataclass(frozen=True)
class Table:
    """The contract of one table; ``key`` columns identify a row."""

    stage: str
    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    owner: str = ANALYTICS
    needs: frozenset[Need] = field(default_factory=frozenset)

    @property
    def path(self) -> str:
        """``stage/name``: the asset key and the folder under ``lake/models``."""
        return f"{self.stage}/{self.name}"

    def column(self, name: str) -> Column:
        """The column called ``name``; raises ``KeyError`` naming the table."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.path} has no column {name!r}")


ADS: frozenset[Need] = frozenset({"ads"})
GA4: frozenset[Need] = frozenset({"ga4"})

TABLES: tuple[Table, ...] = (
    # --- insights ---
    Table(
        "insights",
        "anomalies",
        "Events out of the ordinary in daily campaign data; what was known by a day never changes later.",
        ("campaign", "metric", "type", "start"),
        (
            Column("campaign", "VARCHAR", "The campaign concerned."),
            Column("channel", "VARCHAR", "The channel in which the campaign was first seen."),
            Column(
                "metric",
                "VARCHAR",
                "What expected and actual measure.",
                values=("spend", "revenue", "conversions", "ctr"),
            ),
            Column(
                "type",
                "VARCHAR",
                "What happened.",
                values=(
                    "spend_spike",
                    "revenue_spike",
                    "performance_drop",
                    "ctr_decline",
                    "zero_spend",
                ),
            ),
            Column("start", "DATE", "First day of the event; final once detected."),
            Column("end", "DATE", "Last day of the event so far; may grow, never shrinks."),
            Column("detected_on", "DATE", "First day on which the evidence sufficed; final."),
            Column(
                "score",
                "DOUBLE",
                "How far out of the ordinary the worst day or window of the event was.",
                "standard deviations",
                low=0,
            ),
            Column(
                "expected",
                "DOUBLE",
                "Expected sum of the metric over the event's days; for ctr the rate before.",
                "currency, count or ratio by metric",
                low=0,
            ),
            Column(
                "actual",
                "DOUBLE",
                "Actual sum of the metric over the event's days; for ctr the ratio of sums.",
                "currency, count or ratio by metric",
                low=0,
            ),
            Column(
                "money_at_risk",
                "DOUBLE",
                "Spend beyond plan, revenue missed, or revenue to be verified (revenue_spike). NULL where a click or an order has no known worth.",
                "currency",
                nullable=True,
                low=0,
            ),
            Column("cause", "VARCHAR", "What the data show about the cause."),
        ),
        needs=ADS,
    ),
    Table(
        "insights",
        "trends",
        "Where each campaign's metrics are heading over the last 28 days of the data.",
        ("campaign", "metric"),
        (
            Column("campaign", "VARCHAR", "A campaign with a row in the window."),
            Column("channel", "VARCHAR", "The channel in which the campaign was first seen."),
            Column(
                "metric",
                "VARCHAR",
                "The metric, observed on at least one day of the window.",
                values=("spend", "revenue", "conversions", "ctr", "roas"),
            ),
            Column(
                "ma7",
                "DOUBLE",
                "Mean of the last seven days (ratio of sums for ctr and roas). NULL unless all seven days are there.",
                "metric per day",
                nullable=True,
                low=0,
            ),
            Column(
                "slope",
                "DOUBLE",
                "Change per day by least squares with weekday effects. NULL below 14 observed days.",
                "metric per day per day",
                nullable=True,
            ),
            Column(
                "slope_lo",
                "DOUBLE",
                "Lower bound of the slope's 95 % interval, which allows for autocorrelation.",
                "metric per day per day",
                nullable=True,
            ),
            Column(
                "slope_hi",
                "DOUBLE",
                "Upper bound of the slope's 95 % interval, which allows for autocorrelation.",
                "metric per day per day",
                nullable=True,
            ),
            Column(
                "p_value",
                "DOUBLE",
                "Chance of a slope this far from zero if there were no trend.",
                "probability",
                nullable=True,
                low=0,
                high=1,
            ),
            Column(
                "strength",
                "VARCHAR",
                "none: p >= .05 or no slope; strong: 30 % of the mean over the window and p < .01; moderate: 15 % and p < .01; weak: the rest.",
                values=("strong", "moderate", "weak", "none"),
            ),
            Column("window_start", "DATE", "First day of the window."),
            Column("window_end", "DATE", "Last day of the window: the last day of the data."),
            Column(
                "n_days",
                "BIGINT",
                "Days of the window on which the metric was observed.",
                "days",
                low=1,
            ),
        ),
        needs=ADS,
    ),
    Table(
        "insights",
        "insights",
        "The few things to know, ranked by the money at stake; empty when there is nothing to say.",
        ("rank",),
        (
            Column("rank", "BIGINT", "1 has the most money at stake.", low=1),
            Column(
                "kind",
                "VARCHAR",
                "What sort of thing it is.",
                values=(
                    "anomaly",
                    "trend",
                    "day_of_week",
                    "life_cycle",
                    "concentration",
                    "budget_shift",
                ),
            ),
            Column("subject", "VARCHAR", "The campaign or weekday it is about."),
            Column("headline", "VARCHAR", "One sentence that says what happened."),
            Column("evidence", "VARCHAR", "The numbers, and the table and key they come from."),
            Column("action", "VARCHAR", "One thing to do."),
            Column(
                "money_at_risk",
                "DOUBLE",
                "Money at stake over four weeks.",
                "currency",
                low=0,
            ),
        ),
        needs=ADS,
    ),
    # --- forecast ---
    Table(
        "forecast",
        "revenue_forecast",
        "Daily revenue ahead of the last known day, of the total and of each channel, with calibrated intervals.",
        ("series", "ds", "model"),
        (
            Column(
                "series",
                "VARCHAR",
                "'total' or the name of a channel; channels are forecast on their own and need not sum to the total.",
            ),
            Column("ds", "DATE", "The day forecast."),
            Column(
                "model",
                "VARCHAR",
                "prophet, or seasonal_naive where fewer than 28 days are known.",
                values=("prophet", "seasonal_naive"),
            ),
            Column("yhat", "DOUBLE", "Expected revenue of the day.", "currency", low=0),
            Column("lo80", "DOUBLE", "Lower bound that 90 % of days exceed.", "currency", low=0),
            Column(
                "hi80", "DOUBLE", "Upper bound that 90 % of days stay below.", "currency", low=0
            ),
            Column("lo95", "DOUBLE", "Lower bound that 97.5 % of days exceed.", "currency", low=0),
            Column(
                "hi95", "DOUBLE", "Upper bound that 97.5 % of days stay below.", "currency", low=0
            ),
            Column(
                "made_on", "DATE", "The last day with known revenue when the forecast was made."
            ),
        ),
    ),
    Table(
        "forecast",
        "forecast_accuracy",
        "The forecast model beside the seasonal naive on past windows that neither had seen.",
        ("series", "model"),
        (
            Column("series", "VARCHAR", "'total' or the name of a channel."),
            Column(
                "model",
                "VARCHAR",
                "prophet, or the seasonal_naive baseline.",
                values=("prophet", "seasonal_naive"),
            ),
            Column("folds", "BIGINT", "Past windows scored; they do not overlap.", "count", low=1),
            Column("horizon", "BIGINT", "Length of a window.", "days", low=1),
            Column(
                "mase",
                "DOUBLE",
                "Mean absolute error over the mean change against the same weekday a week before; below 1 is better than that. NULL where revenue never changed.",
                "ratio",
                nullable=True,
                low=0,
            ),
            Column(
                "rel_mae",
                "DOUBLE",
                "Mean absolute error over that of the seasonal naive on the same windows. NULL where the latter is zero.",
                "ratio",
                nullable=True,
                low=0,
            ),
            Column(
                "coverage80",
                "DOUBLE",
                "Share of days inside the 80 % interval that was calibrated on earlier days only. NULL where there were too few of them.",
                "ratio",
                nullable=True,
                low=0,
                high=1,
            ),
            Column(
                "coverage95",
                "DOUBLE",
                "The same for the 95 % interval.",
                "ratio",
                nullable=True,
                low=0,
                high=1,
            ),
            Column(
                "beats_baseline",
                "BOOLEAN",
                "Whether the mean absolute error is below the baseline's. NULL for the baseline.",
                nullable=True,
            ),
            Column("made_on", "DATE", "The last day with known revenue."),
        ),
    ),
    Table(
        "forecast",
        "revenue_model",
        "What moves daily revenue: a ridge regression on spend by channel and the calendar, beside a baseline.",
        ("term",),
        (
            Column(
                "term",
                "VARCHAR",
                "The name of the term: 'spend:<channel>', 'weekday:<name>' or 'trend'.",
            ),
            Column("kind", "VARCHAR", "What the term is.", values=("spend", "weekday", "trend")),
            Column(
                "coefficient",
                "DOUBLE",
                "Revenue per unit of spend, per that weekday against the mean weekday, or per day of trend. An association, not a proof of cause.",
                "currency",
            ),
            Column(
                "importance",
                "DOUBLE",
                "How much the error on unseen windows grows when this term is shuffled; near or below zero, the term does not help. NULL where no window could be tested.",
                "currency",
                nullable=True,
            ),
            Column(
                "mae",
                "DOUBLE",
                "Mean absolute error of the model on unseen windows (the same in each row).",
                "currency",
                nullable=True,
                low=0,
            ),
            Column(
                "baseline_mae",
                "DOUBLE",
                "That of the baseline: the mean of the same weekday over the last four weeks known.",
                "currency",
                nullable=True,
                low=0,
            ),
            Column(
                "r2",
                "DOUBLE",
                "Share of the variance on unseen windows explained; negative is worse than their mean.",
                "ratio",
                nullable=True,
                high=1,
            ),
            Column(
                "baseline_r2",
                "DOUBLE",
                "The same for the baseline.",
                "ratio",
                nullable=True,
                high=1,
            ),
            Column(
                "beats_baseline", "BOOLEAN", "Whether mae is below baseline_mae.", nullable=True
            ),
            Column(
                "folds",
                "BIGINT",
                "Unseen windows scored, each later than what the model had learned from.",
                "count",
                low=0,
            ),
            Column("days", "BIGINT", "Days that the coefficients were fitted on.", "days", low=1),
            Column("made_on", "DATE", "The last day with known revenue."),
        ),
        needs=ADS,
    ),
    Table(
        "forecast",
        "budget_simulation",
        "Daily revenue to expect if spend is changed by a share, from the fitted response curves.",
        ("scope", "budget_change"),
        (
            Column(
                "scope",
                "VARCHAR",
                "'total' (every channel changed alike) or the name of a channel.",
            ),
            Column(
                "budget_change",
                "DOUBLE",
                "Change of daily spend against the mean of the last 28 days: 0.1 is 10 % more.",
                "ratio",
                low=-1,
            ),
            Column("spend", "DOUBLE", "Daily spend after the change.", "currency", low=0),
            Column("revenue", "DOUBLE", "Expected daily revenue at that spend.", "currency", low=0),
            Column(
                "revenue_lo",
                "DOUBLE",
                "Lower bound of the 80 % interval of expected revenue (of its mean, not of a single day).",
                "currency",
                low=0,
            ),
            Column(
                "revenue_hi",
                "DOUBLE",
                "Upper bound of the 80 % interval of expected revenue.",
                "currency",
                low=0,
            ),
            Column(
                "incremental_roas",
                "DOUBLE",
                "Change of revenue over change of spend. NULL where spend does not change.",
                "ratio",
                nullable=True,
            ),
            Column(
                "incremental_roi",
                "DOUBLE",
                "incremental_roas - 1: profit on the money added, or lost with the money taken away.",
                "ratio",
                nullable=True,
            ),
            Column(
                "extrapolates",
                "BOOLEAN",
                "Whether the spend lies outside what was spent on any day of the history.",
            ),
        ),
        needs=ADS,
    ),
    # --- audiences ---
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
            Column("user_key", "VARCHAR", "Keyed pseudonym of the visitor.", privacy="pseudonym"),
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
    # --- experiments ---
    Table(
        "experiments",
        "experiment_results",
        "What each A/B test says, for one look at its planned end.",
        ("test",),
        (
            Column("test", "VARCHAR", "Name of the test."),
            Column("n_a", "BIGINT", "Users of arm A.", "count", low=0),
            Column("n_b", "BIGINT", "Users of arm B.", "count", low=0),
            Column(
                "rate_a",
                "DOUBLE",
                "Share of the users of A who converted. NULL without users.",
                "ratio",
                nullable=True,
                low=0,
                high=1,
            ),
            Column(
                "rate_b",
                "DOUBLE",
                "Share of the users of B who converted. NULL without users.",
                "ratio",
                nullable=True,
                low=0,
                high=1,
            ),
            Column(
                "diff",
                "DOUBLE",
                "rate_b - rate_a. NULL where the test is invalid for want of users or of one split.",
                "ratio",
                nullable=True,
                low=-1,
                high=1,
            ),
            Column(
                "lift",
                "DOUBLE",
                "diff / rate_a. NULL where rate_a is zero.",
                "ratio",
                nullable=True,
                low=-1,
            ),
            Column(
                "p_value",
                "DOUBLE",
                "Two-sided score test of equal conversion rates. NULL where nobody or everybody converted.",
                "probability",
                nullable=True,
                low=0,
                high=1,
            ),
            Column(
                "ci_lo",
                "DOUBLE",
                "Lower bound of the 95 % interval of diff (Newcombe).",
                "ratio",
                nullable=True,
                low=-1,
                high=1,
            ),
            Column(
                "ci_hi",
                "DOUBLE",
                "Upper bound of the 95 % interval of diff.",
                "ratio",
                nullable=True,
                low=-1,
                high=1,
            ),
            Column(
                "srm_p",
                "DOUBLE",
                "Chi-square test that the split is as planned. NULL where the plan changed during the test or nobody came.",
                "probability",
                nullable=True,
                low=0,
                high=1,
            ),
            Column(
                "srm",
                "BOOLEAN",
                "Whether srm_p is below 0.001: then nothing else in the row may be acted on.",
            ),
            Column(
                "mde",
                "DOUBLE",
                "The difference of rates that is found with 80 % power at these sizes.",
                "ratio",
                nullable=True,
                low=0,
            ),
            Column(
                "power",
                "DOUBLE",
                "Power to find a relative lift of 10 % at these sizes.",
                "probability",
                nullable=True,
                low=0,
                high=1,
            ),
            Column(
                "rev_diff",
                "DOUBLE",
                "Revenue per user of B minus that of A. NULL where revenue is unknown.",
                "currency",
                nullable=True,
            ),
            Column(
                "rev_lift",
                "DOUBLE",
                "rev_diff over the revenue per user of A. NULL where that is zero.",
                "ratio",
                nullable=True,
            ),
            Column(
                "rev_p",
                "DOUBLE",
                "Welch's test of equal revenue per user. NULL where nothing varies.",
                "probability",
                nullable=True,
                low=0,
                high=1,
            ),
            Column(
                "rev_ci_lo",
                "DOUBLE",
                "Lower bound of the 95 % interval of rev_diff.",
                "currency",
                nullable=True,
            ),
            Column(
                "rev_ci_hi",
                "DOUBLE",
                "Upper bound of the 95 % interval of rev_diff.",
                "currency",
                nullable=True,
            ),
            Column(
                "decision",
                "VARCHAR",
                "What to do, or why the test cannot tell.",
                values=(
                    "ship B",
                    "keep A",
                    "keep running",
                    "review: conversions up, revenue down",
                    "keep running: nobody or everybody converted",
                    "invalid: sample ratio mismatch",
                    "invalid: an arm has no users",
                    "invalid: the planned split changed",
                ),
            ),
        ),
        needs=frozenset({"experiments"}),
    ),
    # --- allocation ---
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
    # --- activation ---
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

REGISTRY: dict[str, Table] = {table.path: table for table in TABLES}


@cache
def lake_columns(table: str) -> tuple[Column, ...]:
    """The columns of a guarded table, as dbt's sources describe them.

    Raises:
        KeyError: dbt reads no such table.
    """
    path = dbt_project_dir() / "models" / "staging" / "_sources.yml"
    sources = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]
    tables = {t["name"]: t for source in sources for t in source["tables"]}
    return tuple(
        Column(c["name"], c["data_type"], c["description"], nullable=True)
        for c in tables[table]["columns"]
    )
