"""The report of one analysis: a single HTML file that needs no network and no script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from mkt_assets.marts.metrics import kpi_frame, kpis, metrics
from mkt_assets.publish.analysis import Analysis
from mkt_assets.publish.lines import Chart, line_chart

_TEMPLATES = Path(__file__).with_name("templates")
#: what stands where there was nothing to divide by
NOTHING = "\N{EN DASH}"
#: the KPIs that fit a page; all of them are in the CSV files
_SHOWN = ("ctr", "cvr", "cpc", "cpa", "roas", "roi")


def render(analysis: Analysis) -> str:
    """The whole report as HTML; every value from the file is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "ratio": ratio, "kpi": kpi_text}
    kpi = analysis.tables["marketing_kpi"]
    found = analysis.tables["anomalies"]
    return environment.get_template("report.html").render(
        analysis=analysis,
        totals=analysis.totals,
        first=kpi["date"].min(),
        last=kpi["date"].max(),
        shown=[k for k in kpis() if k.name in _SHOWN],
        channels=_records(kpi_frame(kpi, ["channel"]).sort_values("mark_spent", ascending=False)),
        campaigns=_records(
            kpi_frame(kpi, ["channel", "campaign"]).sort_values("mark_spent", ascending=False)
        ),
        insights=_records(analysis.tables["insights"]),
        anomalies=_records(found.sort_values("money_at_risk", ascending=False).head(12)),
        clusters=_groups(analysis.tables["campaign_clusters"]),
        overview=_overview(analysis.tables["kpi_daily"]),
    )


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(k): None if _is_missing(v) else v for k, v in row.items()}
        for row in frame.to_dict("records")
    ]


def _groups(clusters: pd.DataFrame) -> list[dict[str, Any]]:
    """One record a cluster, with the names of its campaigns."""
    return [
        {**_records(members.head(1))[0], "campaigns": ", ".join(members["campaign"])}
        for _, members in clusters.groupby("cluster", sort=True)
    ]


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value != value  # noqa: PLR0124


def _overview(kpi_daily: pd.DataFrame) -> Chart:
    by_day = kpi_daily.set_index("date")
    days = pd.date_range(by_day.index.min(), by_day.index.max())
    named = {"Spend": by_day["mark_spent"], "Revenue": by_day["revenue"]}
    return line_chart(days, {name: s for name, s in named.items() if s.notna().any()})


def number(value: float | None, digits: int = 0) -> str:
    """Thousands separators; a dash where there is no value."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def ratio(value: float | None, digits: int = 2) -> str:
    """A share in percent; a dash where there is no value."""
    return NOTHING if value is None else f"{value:.{digits}%}"


def kpi_text(value: float | None, name: str) -> str:
    """A KPI in its display format; a dash where there was nothing to divide by."""
    return NOTHING if value is None else metrics()[name].text(value)
