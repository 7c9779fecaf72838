"""Which tables are published with the given inputs; what cannot be computed is left out."""

from __future__ import annotations

from mkt_assets.contracts import REGISTRY
from mkt_assets.settings import Settings

#: mart -> the inputs that it needs
MARTS: dict[str, set[str]] = {
    "marketing_clean": {"ads"},
    "marketing_kpi": {"ads"},
    "kpi_daily": {"ads"},
    "kpi_channel_daily": {"ads"},
    "fct_sessions": {"ga4"},
    "fct_purchases": {"ga4"},
    "fct_attribution": {"ga4"},
    "fct_attribution_channel": {"ga4"},
    "ga4_daily": {"ga4"},
    "mer_daily": {"ga4", "ads"},
    "platform_claims": {"ga4", "ads"},
    "platform_claims_channel": {"ga4", "ads"},
    "platform_claims_daily": {"ga4", "ads"},
    "lineage_ledger": set(),
    "consent_waterfall": set(),
}


def published_marts(settings: Settings) -> list[str]:
    """The marts that these inputs allow, in publication order."""
    return [mart for mart, needs in MARTS.items() if not needs & settings.absent.keys()]


def published_models(settings: Settings) -> list[str]:
    """The Python tables that these inputs allow, in publication order."""
    return [path for path, table in REGISTRY.items() if not table.needs & settings.absent.keys()]
