"""The contracts of anomalies, trends and insights."""

from __future__ import annotations

from mkt_assets.contracts.columns import ADS, Column, Table

WEEKDAYS = (
    ("mon", "Monday"),
    ("tue", "Tuesday"),
    ("wed", "Wednesday"),
    ("thu", "Thursday"),
    ("fri", "Friday"),
    ("sat", "Saturday"),
    ("sun", "Sunday"),
)

TABLES: tuple[Table, ...] = (
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
            *(
                Column(
                    name,
                    "DOUBLE",
                    f"The metric on {day}s relative to the average weekday, over the last eight weeks. NULL unless each weekday was observed four times.",
                    "ratio, 1 is average",
                    nullable=True,
                    low=0,
                )
                for name, day in WEEKDAYS
            ),
        ),
        needs=ADS,
    ),
    Table(
        "insights",
        "insights",
        "The few things to know, ranked by expected money; empty when there is nothing to say.",
        ("rank",),
        (
            Column(
                "rank",
                "BIGINT",
                "1 has the most expected money: money at stake times certainty.",
                low=1,
            ),
            Column(
                "kind",
                "VARCHAR",
                "What sort of thing it is.",
                values=(
                    "anomaly",
                    "trend",
                    "day_of_week",
                    "seasonality",
                    "life_cycle",
                    "concentration",
                    "budget_shift",
                ),
            ),
            Column("subject", "VARCHAR", "The campaign or weekday it is about, or the season."),
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
            Column(
                "certainty",
                "DOUBLE",
                "How probable it is that there is something to it; 1 for facts.",
                low=0,
                high=1,
            ),
        ),
        needs=ADS,
    ),
)
