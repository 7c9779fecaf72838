"""What must hold of landed rows before the guard reads them."""

from collections import Counter
from collections.abc import Sequence

import dagster as dg

from mkt_assets.check_steps import Check, Context, check
from mkt_assets.ingest.set_aside import first_rows
from mkt_assets.ingest.sources import (
    ADS,
    CONSENT,
    EVENTS,
    Landed,
    raw_whole,
    read_manifest,
    too_many_aside,
)
from mkt_assets.partitions import days_of_run
from mkt_assets.redaction import redact_place
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings


def _days_check(asset: str, table: str) -> Check:
    @check(
        ["ingest", asset],
        name="few_rows_were_set_aside",
        blocking=True,
        description="Every row read was landed or set aside with a reason, and few were set aside.",
    )
    def judged(context: Context, lake: LakeResource) -> dg.AssetCheckResult:
        days = days_of_run(context.run)
        landed = [item for day in days for item in read_manifest(lake.lake.landed(table, day))]
        aside = sum((Counter(item.quarantined) for item in landed), Counter())
        where = first_rows(lake.lake, table, days) if aside else ""
        read = sum(item.rows_in for item in landed)
        # over all asked days: one odd day in a good source is set aside, a bad source is stopped
        too_many = too_many_aside(aside, read, settings().quarantine_limit, where)
        faults = [*_lost(landed), *([too_many] if too_many else [])]
        said = "; ".join(faults[:5]) or f"{read:,} rows of {len(days)} days are accounted for"
        return dg.AssetCheckResult(
            passed=not faults,
            description=said,
            metadata={
                "days": len(days),
                "rows_read": read,
                "faults": faults[:20],
                "first_set_aside": where or None,
            },
        )

    return judged


def _lost(landed: Sequence[Landed]) -> list[str]:
    return [
        f"{lost} rows of {redact_place(item.source.uri)} are unaccounted for: a bug, report it"
        for item in landed
        if (lost := item.lost)
    ]


@check(
    ["ingest", "raw_consent_log"],
    blocking=True,
    description="Every entry of the consent log was understood: one that was not may be a refusal.",
)
def every_consent_entry_is_understood(_context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """While an entry is set aside, an earlier grant of that person would stay in force."""
    aside: Counter[str] = Counter()
    for item in read_manifest(raw_whole(lake.lake, CONSENT)):
        aside.update(item.quarantined)
    told = ", ".join(f"{n} {why}" for why, n in aside.most_common())
    where = first_rows(lake.lake, CONSENT) if aside else ""
    return dg.AssetCheckResult(
        passed=not aside,
        description=f"set aside: {told}; correct the log (first {where})"
        if aside
        else "every entry is understood",
        metadata={"set_aside": dict(aside), "first_set_aside": where or None},
    )


CHECKS = [
    *([_days_check("raw_events", EVENTS)] if settings().has_ga4 else []),
    *([_days_check("raw_ad_performance", ADS)] if settings().has_ads else []),
    *(
        [every_consent_entry_is_understood]
        if settings().has_ga4 and settings().has_consent_log
        else []
    ),
]
