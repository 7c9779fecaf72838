"""Raw rows as Dagster assets: landed as they came, in an area that only their owner may enter."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from mkt_assets.calendar_days import last_complete_day
from mkt_assets.contracts import PRIVACY_OFFICE
from mkt_assets.errors import PassingError
from mkt_assets.ingest.file_source import make_source
from mkt_assets.ingest.sources import (
    ADS,
    CONSENT,
    CONTACTS,
    EVENTS,
    EXPERIMENTS,
    Landed,
    Source,
    raw_whole,
)
from mkt_assets.metadata import COLUMNS, described, parquet_schema
from mkt_assets.partitions import DAILY, POOL, SINGLE_RUN, days_of
from mkt_assets.redaction import speakably
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings

GROUP = "ingest"
_RETRIES, _RETRY_SECONDS = 2, 30
T = TypeVar("T")
_COMMON: dict[str, Any] = {
    "group_name": GROUP,
    "owners": [PRIVACY_OFFICE],
    "kinds": {"python", "parquet"},
    "backfill_policy": SINGLE_RUN,
    "pool": POOL,
}


def source(lake: LakeResource) -> Source:
    """The source that the settings name."""
    return make_source(lake.lake, settings())


def _landed(lake: LakeResource, land: Callable[[], T]) -> T:
    """Land; once more where a network file system was away for a moment, and for nothing else."""
    try:
        return speakably(lake.lake, land)
    except PassingError as error:
        raise dg.RetryRequested(_RETRIES, _RETRY_SECONDS) from error


def _told(
    landed: Mapping[date, Sequence[Landed]] | Sequence[Landed], newest: Path
) -> dg.MaterializeResult:
    parts = landed.values() if isinstance(landed, Mapping) else [landed]
    objects = [item for part in parts for item in part]
    aside: Counter[str] = Counter()
    for item in objects:
        aside.update(item.quarantined)
    return dg.MaterializeResult(
        metadata=described(
            sum(item.rows for item in objects),
            rows_read=sum(item.rows_in for item in objects),
            source_objects=len({item.source.sha256 for item in objects}),
            bytes=sum({item.source.sha256: item.source.bytes for item in objects}.values()),
            quarantined=dict(aside) or None,
            duplicates=sum(item.duplicates for item in objects) or None,
            notes=sorted({note for item in objects for note in item.notes}) or None,
        )
        | {COLUMNS: parquet_schema(newest)}
    )


@dg.asset(
    key=[GROUP, "raw_events"],
    partitions_def=DAILY,
    description="GA4 export events as they came; closed to others and purged after its retention.",
    **_COMMON,
)
def raw_events(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Land the asked days."""
    days = days_of(context)
    landed = _landed(lake, lambda: source(lake).land_events(days))
    return _told(landed, lake.lake.landed(EVENTS, days[-1]))


@dg.asset(
    key=[GROUP, "raw_ad_performance"],
    partitions_def=DAILY,
    description="Spend, impressions, clicks and conversions by campaign, as the platforms said.",
    **_COMMON,
)
def raw_ad_performance(
    context: dg.AssetExecutionContext, lake: LakeResource
) -> dg.MaterializeResult:
    """Land the asked days."""
    days = days_of(context)
    landed = _landed(lake, lambda: source(lake).land_ads(days))
    return _told(landed, lake.lake.landed(ADS, days[-1]))


@dg.asset(
    key=[GROUP, "raw_consent_log"],
    description="Every change of consent: the four Consent Mode v2 signals per person and time.",
    **_COMMON,
)
def raw_consent_log(lake: LakeResource) -> dg.MaterializeResult:
    """Land the whole log: consent given long ago still counts today."""
    upto = last_complete_day(settings())
    landed = _landed(lake, lambda: source(lake).land_consent(upto))
    return _told(landed, raw_whole(lake.lake, CONSENT))


@dg.asset(
    key=[GROUP, "raw_contacts"],
    description="E-mail addresses and phone numbers by subject, as given; only for match keys.",
    **_COMMON,
)
def raw_contacts(lake: LakeResource) -> dg.MaterializeResult:
    """Land every contact, consented or not: consent is the guard's to judge."""
    upto = last_complete_day(settings())
    landed = _landed(lake, lambda: source(lake).land_contacts(upto))
    return _told(landed, raw_whole(lake.lake, CONTACTS))


@dg.asset(
    key=[GROUP, "raw_experiments"],
    description="Daily counts of A/B tests by arm; no personal data.",
    **_COMMON,
)
def raw_experiments(lake: LakeResource) -> dg.MaterializeResult:
    """Land every test."""
    upto = last_complete_day(settings())
    landed = _landed(lake, lambda: source(lake).land_experiments(upto))
    return _told(landed, raw_whole(lake.lake, EXPERIMENTS))


ASSETS = [
    *([raw_events] if settings().has_ga4 else []),
    *([raw_ad_performance] if settings().has_ads else []),
    *([raw_consent_log] if settings().has_consent_log and settings().has_ga4 else []),
    *([raw_contacts] if settings().has_contacts else []),
    *([raw_experiments] if settings().has_experiments else []),
]
