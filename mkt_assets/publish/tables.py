"""Which tables are published with the given inputs; what cannot be computed is left out."""

from __future__ import annotations

from mkt_assets.contracts import REGISTRY
from mkt_assets.settings import Settings

#: mart -> the inputs that it needs, in words
MARTS: dict[str, str | None] = {
    "marketing_clean": "ads",
    "marketing_kpi": "ads",
    "kpi_daily": "ads",
    "kpi_channel_daily": "ads",
    "fct_sessions": "ga4",
    "fct_purchases": "ga4",
    "ga4_daily": "ga4",
    "mer_daily": "ads ga4",
    "lineage_ledger": None,
    "consent_waterfall": None,
}


def published_marts(settings: Settings) -> list[str]:
    """The marts that these inputs allow, in publication order."""
    return [
        mart for mart, need in MARTS.items() if not {*(need or "").split()} & settings.absent.keys()
    ]


def published_models(settings: Settings) -> list[str]:
    """The Python tables that these inputs allow, in publication order."""
    return [path for path, table in REGISTRY.items() if not table.needs & settings.absent.keys()]
