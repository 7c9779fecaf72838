"""The contracts of forecasts, their accuracy, the revenue model and the simulation."""

from __future__ import annotations

from mkt_assets.contracts.columns import ADS, Column, Table

TABLES: tuple[Table, ...] = (
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
)
