"""`mkt analyze`: one campaign file to KPI tables, findings and a report; nothing else is kept."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

import pandas as pd

from mkt_assets.audiences.clusters import cluster_campaigns
from mkt_assets.errors import InputError
from mkt_assets.ingest.ad_files import AdFile, read_ad_file
from mkt_assets.ingest.locations import describe
from mkt_assets.insights import anomalies, trends
from mkt_assets.insights.insights import compose
from mkt_assets.lake import replacing
from mkt_assets.marts.metrics import add_kpis, kpi_frame
from mkt_assets.privacy.lineage import NO_KEY, lineage_id
from mkt_assets.privacy.pii import redact
from mkt_assets.privacy.policy import POLICY_V1, Policy
from mkt_assets.publish.analysis import Analysis
from mkt_assets.publish.report import render

DateOrder = Literal["ymd", "dmy", "mdy"]

_KEY = ["date", "channel", "campaign"]
#: as the mart: platforms still correct the newest days
_LATE_DAYS = 3
_CLEAN = [*_KEY, "campaign_id", "currency", "impressions", "clicks", "leads", "conversions"]


def analyze_file(
    source: Path,
    out: Path,
    *,
    currency: str = "USD",
    date_order: DateOrder | None = None,
    policy: Policy = POLICY_V1,
) -> Analysis:
    """Read ``source``, compute every table, and write them with a report into ``out``.

    Raises:
        InputError: the file was refused, or ``out`` cannot be a folder.
    """
    report = read_ad_file(source, currency=currency, date_order=date_order)
    clean = marketing_clean(report, source, policy)
    daily = campaign_days(clean)
    found = anomalies.detect(daily)
    heading = trends.compute(daily)
    tables = {
        "marketing_kpi": add_kpis(clean),
        "kpi_daily": kpi_frame(clean, ["date"]),
        "anomalies": found,
        "trends": heading,
        "insights": compose(daily, found, heading, currency=currency),
        "campaign_clusters": cluster_campaigns(daily),
    }
    analysis = Analysis(
        source=source,
        out=out,
        currency=currency,
        tables=tables,
        rows_in=report.rows_in,
        quarantined=dict(Counter(report.quarantined["reason"])),
        mapping=report.mapping,
        date_format=report.date_format,
        notes=report.notes,
    )
    try:
        _write(analysis, report.quarantined)
    except OSError as error:
        raise InputError(
            f"the results cannot be written: {error.strerror}",
            file=out,
            remedy="Give a folder that you may write to, with room on its disk.",
        ) from error
    return analysis


def marketing_clean(report: AdFile, source: Path, policy: Policy = POLICY_V1) -> pd.DataFrame:
    """The rows of one file in the columns of the mart of the same name."""
    rows = report.rows.rename(columns={"spend": "mark_spent"})
    rows = rows.assign(**{name: _without_people(rows[name]) for name in ("channel", "campaign")})
    clean = rows[[*_CLEAN, "mark_spent", "revenue"]].sort_values(_KEY, ignore_index=True)
    newest = clean["date"].max()
    content = describe(source).sha256
    ids = {day: lineage_id(content, day.date(), policy.stamp, NO_KEY) for day in set(clean["date"])}
    return clean.assign(
        is_final=clean["date"] < newest - pd.Timedelta(days=_LATE_DAYS),
        lineage_id=clean["date"].map(ids),
    )


def _without_people(names: pd.Series) -> pd.Series:
    """Names with personal data redacted; names that become the same are numbered apart."""
    clean = {name: redact(name) for name in sorted(set(names))}
    taken: Counter[str] = Counter()
    for name, told in clean.items():
        taken[told] += 1
        if told != name and taken[told] > 1:
            clean[name] = f"{told} {taken[told]}"
    return names.map(clean)


def campaign_days(clean: pd.DataFrame) -> pd.DataFrame:
    """One row per date and campaign; a name that two channels use is told apart by its channel."""
    daily = clean.rename(columns={"mark_spent": "spend"})
    shared = daily.groupby("campaign")["channel"].transform("nunique") > 1
    named = daily["campaign"] + " (" + daily["channel"] + ")"
    return daily.assign(campaign=daily["campaign"].where(~shared, named))


def _write(analysis: Analysis, quarantined: pd.DataFrame) -> None:
    if analysis.out.exists() and not analysis.out.is_dir():
        raise InputError("the place for the results is no folder", file=analysis.out)
    analysis.out.mkdir(parents=True, exist_ok=True)
    tables = dict(analysis.tables)
    if len(quarantined):
        # the raw line may hold personal data; the reason and the row are enough to find it
        tables["quarantined"] = quarantined.drop(columns=["raw", "value"], errors="ignore")
    else:
        (analysis.out / "quarantined.csv").unlink(missing_ok=True)
    for name, frame in tables.items():
        with replacing(analysis.out / f"{name}.csv") as writing:
            frame.to_csv(writing, index=False, date_format="%Y-%m-%d")
    with replacing(analysis.out / "report.html") as writing:
        writing.write_text(render(analysis), encoding="utf-8")
