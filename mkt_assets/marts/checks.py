"""Checks of the marts beyond dbt's own tests, which come with the models."""

import dagster as dg

from mkt_assets.check_steps import Context, check
from mkt_assets.privacy.checks import nothing_personal
from mkt_assets.privacy.scan_places import scan_marts
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings
from mkt_assets.warehouse import Warehouse

#: amounts in another currency are converted once more, row by row, with the same rates
_TOTALS = """
    select
        (select coalesce(sum(mark_spent), 0) from marts.kpi_daily) as published,
        (
            select coalesce(sum(
                case
                    when coalesce(ads.currency, $currency) = $currency then ads.spend
                    else cast(cast(ads.spend as double) * rates.rate as decimal(18, 4))
                end
            ), 0)
            from read_parquet($pattern) as ads
            left join intermediate.int_exchange_rates as rates
                on ads.date = rates.date and ads.currency = rates.currency
        ) as guarded
"""


@dg.asset_check(
    asset=["marts", "kpi_daily"],
    blocking=True,
    description="Spend in the marts equals spend in the lake: nothing was lost or counted twice.",
)
def spend_reconciles_with_the_lake(lake: LakeResource, warehouse: Warehouse) -> dg.AssetCheckResult:
    """Compare exact decimal sums, outside dbt."""
    pattern = str(lake.lake.guarded / "ad_performance" / "*" / "*.parquet")
    with warehouse.get_connection() as connection:
        given = {"pattern": pattern, "currency": settings().currency}
        row = connection.execute(_TOTALS, given).fetchone()
    assert row is not None, "an aggregate always has one row"
    published, guarded = row
    return dg.AssetCheckResult(
        passed=published == guarded,
        description=f"the marts say {published}, the lake says {guarded}",
        metadata={"published": float(published), "guarded": float(guarded)},
    )


@check(
    # every run has this mart, and nothing is published without it
    ["marts", "lineage_ledger"],
    blocking=True,
    description="No text of any mart is personal, and every key looks like one.",
)
def marts_hold_nothing_personal(_context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """Scan all of it, days of earlier runs too: the scan may know more by now."""
    return nothing_personal(scan_marts(lake.lake))


CHECKS = [
    marts_hold_nothing_personal,
    *([spend_reconciles_with_the_lake] if settings().has_ads else []),
]
