"""A short summary of the published file, in a marketer's words; it reads nothing but that file."""

from __future__ import annotations

import json
import math
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import duckdb

from mkt_assets.lake import Lake
from mkt_assets.marts.metrics import kpi_value
from mkt_assets.publish.snapshot import LINK
from mkt_assets.settings import Settings

#: as many reasons or names as fit on a line
_NAMED = 6

_FORECAST = """
    select
        sum(made.yhat), min(made.ds), max(made.ds), max(made.model),
        any_value(told.beats_baseline)
    from marts.revenue_forecast as made
    left join marts.forecast_accuracy as told
        on made.series = told.series and made.model = told.model
    where made.series = 'total'
"""
#: revenue that channels counted under different conversion windows cannot be added, on any day
_MONEY = """
    select
        sum(mark_spent)::double,
        sum(revenue)::double,
        sum(mark_spent_with_revenue)::double,
        count(distinct click_window_days) filter (where revenue != 0) > 1
        or count(distinct view_window_days) filter (where revenue != 0) > 1
    from marts.marketing_clean where date between ? and ?
"""
_MIXED_WINDOWS = (
    "counted under different conversion windows, which cannot be added: see marts.kpi_channel_daily"
)


@dataclass(frozen=True)
class Summary:
    """What happened in the days that were run, and where to look next; money in ``currency``."""

    first: date
    last: date
    currency: str
    snapshot: str
    has_ads: bool = True
    spend: float | None = None
    revenue: float | None = None
    roas: float | None = None
    has_mixed_windows: bool = False
    sessions: int | None = None
    purchases: int | None = None
    worst_anomaly: str | None = None
    budget_shift: str | None = None
    forecast: str | None = None
    set_aside: str | None = None
    new_parameters: str | None = None
    absent: tuple[str, ...] = ()
    #: what tells Dagster where the runs' history is, where that is not its usual place
    history: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {k: str(v) if isinstance(v, date) else v for k, v in asdict(self).items()}

    def as_text(self) -> str:
        """For people."""
        money = f"{self.currency} {{:,.0f}}".format
        facts: list[tuple[str, str]] = [("Days", f"{self.first} to {self.last}")]
        if self.spend is not None and self.revenue is not None:
            roas = "no spend" if self.roas is None else f"{self.roas:.2f}"
            facts += [("Spend", money(self.spend)), ("Revenue", money(self.revenue))]
            facts += [("ROAS", roas)]
        elif self.spend is not None:
            unknown = _MIXED_WINDOWS if self.has_mixed_windows else "not given"
            facts += [("Spend", money(self.spend)), ("Revenue", unknown)]
        elif self.has_ads:
            facts.append(("Spend", "NO ad rows in these days: check what the files hold"))
        if self.sessions is not None:
            facts.append(("GA4", f"{self.sessions:,} sessions, {self.purchases:,} purchases"))
        for label, words in (
            ("Worst anomaly", self.worst_anomaly),
            ("Budget", self.budget_shift),
            ("Forecast", self.forecast),
            ("Set aside", self.set_aside),
            ("New parameters", self.new_parameters),
        ):
            if words:
                facts.append((label, words))
        facts += [("Absent", words) for words in self.absent]
        lines = [f"  {label:<14} {words}" for label, words in facts]
        return "\n".join(["", *lines, "", *self._next_steps()])

    def _next_steps(self) -> list[str]:
        return [
            f"  BI tools       open {self.snapshot} read-only, schema marts",
            f"  Lineage graph  {self.history}dg dev, then http://127.0.0.1:3000",
            "  Health         mkt doctor",
        ]


def summarize(settings: Settings, first: date, last: date) -> Summary:
    """Read the published file for the days ``first`` to ``last``."""
    snapshot = Lake(settings.data_dir).serving / LINK
    facts: dict[str, Any] = {}
    with duckdb.connect(str(snapshot), read_only=True) as con:
        if settings.has_ads:
            facts |= _money(con, first, last)
            facts["worst_anomaly"] = _worst_anomaly(con, first, last, settings.currency)
            facts["budget_shift"] = _budget_shift(con, settings.currency)
        if settings.has_ga4:
            facts |= _visits(con, first, last)
        facts["forecast"] = _forecast(con, settings.currency)
        facts["set_aside"] = _set_aside(con, first, last)
        facts["new_parameters"] = _new_parameters(con, first, last)
    return Summary(
        first=first,
        last=last,
        currency=settings.currency,
        snapshot=str(snapshot),
        absent=tuple(settings.absent.values()),
        has_ads=settings.has_ads,
        history="" if "data_dir" not in settings.model_fields_set else _home(settings),
        **facts,
    )


def _home(settings: Settings) -> str:
    """``dagster.yaml`` in the repository knows the usual data directory only."""
    return f"DAGSTER_HOME={shlex.quote(str((settings.data_dir / 'dagster').resolve()))} "


def _money(con: duckdb.DuckDBPyConnection, first: date, last: date) -> dict[str, Any]:
    row = con.execute(_MONEY, [first, last]).fetchone()
    spend, revenue, with_revenue, is_mixed = row or (None, None, None, False)
    if spend is None or revenue is None or is_mixed:
        return {"spend": spend, "revenue": None, "has_mixed_windows": is_mixed}
    roas = float(kpi_value("roas", revenue=revenue, mark_spent_with_revenue=with_revenue))
    return {"spend": spend, "revenue": revenue, "roas": None if math.isnan(roas) else roas}


def _visits(con: duckdb.DuckDBPyConnection, first: date, last: date) -> dict[str, Any]:
    sessions = con.execute(
        "select count(*) from marts.fct_sessions where session_date between ? and ?", [first, last]
    ).fetchone()
    purchases = con.execute(
        "select count(*) from marts.fct_purchases where purchase_date between ? and ?",
        [first, last],
    ).fetchone()
    return {
        "sessions": sessions[0] if sessions else 0,
        "purchases": purchases[0] if purchases else 0,
    }


def _worst_anomaly(
    con: duckdb.DuckDBPyConnection, first: date, last: date, currency: str
) -> str | None:
    row = con.execute(
        'select campaign, type, "start", "end", money_at_risk from marts.anomalies '
        'where "end" >= ? and "start" <= ? '
        "order by money_at_risk desc nulls last, campaign limit 1",
        [first, last],
    ).fetchone()
    if row is None:
        return "none in these days"
    campaign, kind, start, end, money = row
    span = f"on {start}" if start == end else f"from {start} to {end}"
    # money that came in is not lost, but may be counted twice
    stake = "to verify" if kind == "revenue_spike" else "at risk"
    risk = "" if money is None else f", {currency} {money:,.0f} {stake}"
    return f"{kind.replace('_', ' ')} of {campaign} {span}{risk}"


def _budget_shift(con: duckdb.DuckDBPyConnection, currency: str) -> str | None:
    rows = con.execute(
        "select channel, proposed - current from marts.budget_allocation order by 2 desc, 1"
    ).fetchall()
    shifted = sum(change for _, change in rows if change > 0)
    if not rows or shifted < 0.01:  # noqa: PLR2004  one cent
        return "keep as it is"
    return (
        f"move {currency} {shifted:,.0f} a day: most to {rows[0][0]} ({rows[0][1]:+,.0f}), "
        f"most from {rows[-1][0]} ({rows[-1][1]:+,.0f})"
    )


def _set_aside(con: duckdb.DuckDBPyConnection, first: date, last: date) -> str | None:
    rows = con.execute(
        "select reason, sum(row_count)::bigint from marts.consent_waterfall "
        "where fate = 'quarantined' and \"partition\" between ? and ? "
        "group by 1 order by 2 desc, 1",
        [first, last],
    ).fetchall()
    if not rows:
        return None
    return f"{sum(n for _, n in rows):,} rows: {_counted(rows)}"


def _new_parameters(con: duckdb.DuckDBPyConnection, first: date, last: date) -> str | None:
    lines = con.execute(
        "select new_parameters from marts.lineage_ledger "
        "where new_parameters <> '{}' and \"partition\" between ? and ?",
        [first, last],
    ).fetchall()
    found = sum((Counter[str](json.loads(line)) for (line,) in lines), Counter[str]())
    return f"of events, ignored: {_counted(found.most_common())}" if found else None


def _counted(rows: Sequence[tuple[str, int]]) -> str:
    told = ", ".join(f"{n:,} {name}" for name, n in rows[:_NAMED])
    return f"{told} and {len(rows) - _NAMED} more" if len(rows) > _NAMED else told


def _forecast(con: duckdb.DuckDBPyConnection, currency: str) -> str | None:
    row = con.execute(_FORECAST).fetchone()
    if row is None or row[1] is None:
        return "too few days of revenue for a forecast"
    revenue, first, last, model, is_better = row
    verdict = {
        None: "not tested against the same weekday a week before: too short a history",
        True: "better than the same weekday a week before",
        False: "NOT better than the same weekday a week before",
    }[is_better]
    return f"{currency} {revenue:,.0f} revenue from {first} to {last} ({model}, {verdict})"
