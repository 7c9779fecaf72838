"""Rules of data contracts that neither dbt's YAML nor the contracts registry can say.

Bounds of marts' columns by name, orders between two columns, references between tables. An engineer
adds a rule here, in one line. What stays out: how rules become expectations (``suites``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: column of a mart -> inclusive bounds; those that corrections may break are named in WARNINGS
BOUNDS: Final[Mapping[str, tuple[float | None, float | None]]] = {
    "impressions": (0, None),
    "clicks": (0, None),
    "leads": (0, None),
    "conversions": (0, None),
    "mark_spent": (0, None),
    "revenue": (0, None),
    # clicks without an impression are set aside at the door
    "ctr": (0, 1),
    # conversions after a view have no click, so the rate may exceed 1
    "cvr": (0, None),
    "cpl": (0, None),
    "cpa": (0, None),
    "cpc": (0, None),
    "cpm": (0, None),
    "aov": (0, None),
    "roas": (0, None),
    "roi": (-1, None),
    "mer": (0, None),
    "purchase_revenue": (0, None),
    "attributed_conversions": (0, None),
    "attributed_revenue": (0, None),
    "reported_conversions": (0, None),
    "reported_revenue": (0, None),
    "events": (0, None),
    "users": (0, None),
    "sessions": (0, None),
    "engaged_sessions": (0, None),
    "key_events": (0, None),
    "purchases": (0, None),
    "cookieless_events": (0, None),
    "row_count": (0, None),
}

_CORRECTION: Final = "platforms and shops book corrections, and a day of returns may be negative"

#: columns whose bounds do not keep a version from being published, and why not
WARNINGS: Final[Mapping[str, str]] = dict.fromkeys(
    (
        "revenue",
        "aov",
        "roas",
        "roi",
        "mer",
        "purchase_revenue",
        "attributed_revenue",
        "reported_revenue",
    ),
    _CORRECTION,
)

#: table -> pairs of columns of which the first is never above the second
ORDERS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "marts/ga4_daily": (("engaged_sessions", "sessions"),),
    "insights/anomalies": (("start", "end"), ("start", "detected_on")),
    "insights/trends": (("slope_lo", "slope"), ("slope", "slope_hi")),
    "forecast/revenue_forecast": (("lo95", "lo80"), ("lo80", "hi80"), ("hi80", "hi95")),
    "forecast/budget_simulation": (("revenue_lo", "revenue_hi"),),
    "experiments/experiment_results": (("ci_lo", "ci_hi"), ("rev_ci_lo", "rev_ci_hi")),
}

#: what a column may refer to -> the query of its values
PARENTS: Final[Mapping[str, str]] = {
    # a name that two channels use is told apart by its channel, as for every model
    "campaigns of marketing_clean": """
        with named as (select campaign, channel from marts.marketing_clean group by 1, 2)
        select distinct
            case when count(*) over (partition by campaign) = 1 then campaign
                else campaign || ' (' || channel || ')' end
        from named
    """,
    "channels of kpi_channel_daily": "select distinct channel from marts.kpi_channel_daily",
    "channels of kpi_channel_daily, or their total": """
        select distinct channel from marts.kpi_channel_daily union select 'total'
    """,
    "days of kpi_daily": "select cast(date as timestamp) from marts.kpi_daily",
    "lineage ids of the ledger": "select distinct lineage_id from marts.lineage_ledger",
}

#: table -> column -> what each of its values is one of
REFERENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "marts/marketing_clean": {"lineage_id": "lineage ids of the ledger"},
    "marts/kpi_channel_daily": {"date": "days of kpi_daily"},
    "insights/anomalies": {
        "campaign": "campaigns of marketing_clean",
        "channel": "channels of kpi_channel_daily",
    },
    "insights/trends": {"campaign": "campaigns of marketing_clean"},
    "audiences/campaign_clusters": {"campaign": "campaigns of marketing_clean"},
    "allocation/budget_allocation": {"channel": "channels of kpi_channel_daily"},
    "forecast/budget_simulation": {"scope": "channels of kpi_channel_daily, or their total"},
}
