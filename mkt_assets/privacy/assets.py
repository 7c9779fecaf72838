"""The guard as Dagster assets: what may be known of raw rows, and what became of all of them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pandas as pd

from mkt_assets.calendar_days import last_complete_day, today
from mkt_assets.contracts import PRIVACY_OFFICE, lake_columns
from mkt_assets.ingest.sources import ADS, CONSENT, CONTACTS, EVENTS, EXPERIMENTS
from mkt_assets.metadata import (
    COLUMNS,
    described,
    parquet_rows,
    parquet_schema,
    picture,
    preview,
    table_schema,
)
from mkt_assets.partitions import DAILY, POOL, SINGLE_RUN, days_of, days_of_run
from mkt_assets.privacy import (
    ad_refusals,
    charts,
    quiet,
    vault,
)
from mkt_assets.privacy.ad_refusals import AD_REFUSALS
from mkt_assets.privacy.erasure_list import listed
from mkt_assets.privacy.event_findings import MOST_NAMES
from mkt_assets.privacy.fates import Fates
from mkt_assets.privacy.guarding import COOKIELESS, Guard
from mkt_assets.privacy.keys import key_ring, refuse_missing, remember
from mkt_assets.privacy.late_denials import withdraw
from mkt_assets.privacy.ledger import LEDGER, by_day, waterfall
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings

GROUP = "privacy"
#: a table of more days than a month is nothing to read in the UI
_SHOWN_DAYS = 31
#: all names that the guard tells, and what the others count as
_SHOWN_NAMES = MOST_NAMES + 1
_CONSENT = [["privacy", CONSENT]] if settings().has_consent_log else []
_CHANGED_BY = [["privacy", "erasures"], ["privacy", "key_rotation"]] if settings().has_ga4 else []


def _spec(table: str, description: str, deps: list[list[str]]) -> dg.AssetSpec:
    # what dbt does not read tells its columns when it is written
    columns = {} if table == EXPERIMENTS else {COLUMNS: table_schema(lake_columns(table))}
    return dg.AssetSpec(
        key=[GROUP, table],
        deps=deps,
        group_name=GROUP,
        description=description,
        owners=[PRIVACY_OFFICE],
        kinds={"duckdb", "parquet"},
        metadata=columns,
    )


def _guard(context: dg.AssetExecutionContext, lake: LakeResource) -> Guard:
    known = settings()
    ring = key_ring(known) if known.has_ga4 else None
    if ring is not None:
        refuse_missing(ring, lake.lake)
        remember(ring, lake.lake)
    return Guard(
        lake.lake,
        known,
        context.run.run_id,
        key=ring.active if ring else None,
        erased=listed(lake.lake, ring),
    )


def _waterfall(lake: LakeResource, table: str, days: Sequence[date]) -> dict[str, Any]:
    """What became of the rows, ingest's share included: a picture, and a table by day."""
    told = by_day(lake.lake, table, days)
    newest = told.sort_values("day", ascending=False).rename(columns=lambda c: c.replace("_", " "))
    return {
        "consent_waterfall": picture(charts.waterfall_chart(told, table)),
        "by_day": preview(newest, rows=_SHOWN_DAYS),
    }


def _told(
    lake: LakeResource, table: str, fates: Mapping[date, Fates], **more: Any
) -> dg.MaterializeResult:
    redactions, aside, new = Counter[str](), Counter[str](), Counter[str]()
    for f in fates.values():
        redactions.update(f.redactions)
        aside.update(f.quarantined)
        new.update(f.new_parameters)
    names = pd.DataFrame(new.most_common(), columns=["name", "rows"])
    return dg.MaterializeResult(
        asset_key=[GROUP, table],
        metadata=described(
            sum(f.stored for f in fates.values()),
            **_waterfall(lake, table, list(fates)),
            quarantined=dict(aside) or None,
            redacted_values=dict(redactions) or None,
            new_parameters=preview(names, rows=_SHOWN_NAMES) if new else None,
            **more,
        ),
    )


@dg.multi_asset(
    name="privacy__events",
    specs=[
        _spec(
            EVENTS,
            "Events that their visitor consented to: keyed pseudonyms, allow-listed columns.",
            [["ingest", "raw_events"], *_CONSENT],
        ),
        _spec(
            COOKIELESS,
            "Events without an identifier, as counts by day and name; never a visitor.",
            [["ingest", "raw_events"]],
        ),
        _spec(
            AD_REFUSALS,
            "Devices that may not be advertised to: somebody who signed in there said no.",
            [["ingest", "raw_events"], *_CONSENT],
        ),
    ],
    partitions_def=DAILY,
    backfill_policy=SINGLE_RUN,
    pool=POOL,
)
def guarded_events(
    context: dg.AssetExecutionContext, lake: LakeResource
) -> Iterator[dg.MaterializeResult]:
    """Let nothing through that was not consented to, one day at a time."""
    days = days_of(context)
    guard = _guard(context, lake)
    ring = key_ring(settings())
    assert ring is not None, "a ring is made where there is none"
    fates = guard.events_of(days)
    asked: dict[str, Any] = {"ring": ring, "erased": guard.erased}
    with quiet.connect(lake.lake.landing) as con:
        late = withdraw(con, lake.lake, guard.policy, now=datetime.now(UTC), **asked)
        refused = ad_refusals.update(con, lake.lake, policy=guard.policy, days=days, **asked)
    yield _told(lake, EVENTS, fates, withdrawn_from_stored_days=late or None)
    counted = [lake.lake.partition(COOKIELESS, day) for day in days]
    yield dg.MaterializeResult(
        asset_key=[GROUP, COOKIELESS],
        metadata=described(
            sum(parquet_rows(path) for path in counted),
            events=sum(f.cookieless for f in fates.values()),
        ),
    )
    yield dg.MaterializeResult(
        asset_key=[GROUP, AD_REFUSALS],
        metadata=described(parquet_rows(lake.lake.whole(AD_REFUSALS)), devices=refused),
    )


@dg.multi_asset(
    name="privacy__ad_performance",
    specs=[
        _spec(
            ADS,
            "Ad spend and results by campaign and day, names without personal data.",
            [["ingest", "raw_ad_performance"]],
        )
    ],
    partitions_def=DAILY,
    backfill_policy=SINGLE_RUN,
    pool=POOL,
)
def guarded_ads(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Stamp lineage and redact what personal data names may hold."""
    guard = _guard(context, lake)
    return _told(lake, ADS, {day: guard.ads(day) for day in days_of(context)})


@dg.multi_asset(
    name="privacy__consent_log",
    specs=[
        _spec(
            CONSENT,
            "Every change of consent by pseudonym: the four Consent Mode v2 signals.",
            [["ingest", "raw_consent_log"]],
        )
    ],
    backfill_policy=SINGLE_RUN,
    pool=POOL,
)
def guarded_consent(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Replace the identifiers of the consent log by the same pseudonyms as the events'."""
    with quiet.connect(lake.lake.landing) as con:
        fates = _guard(context, lake).consent(con)
    counted = described(fates.kept, quarantined=dict(fates.quarantined) or None)
    return dg.MaterializeResult(metadata=counted)


@dg.multi_asset(
    name="privacy__match_keys",
    specs=[
        dg.AssetSpec(
            key=[GROUP, vault.MATCH_KEYS],
            deps=[["ingest", f"raw_{CONTACTS}"], ["privacy", CONSENT], ["privacy", AD_REFUSALS]],
            group_name=GROUP,
            description="Hashed contacts for ad platforms in the closed vault: of those who "
            "granted ad_user_data and ad_personalization; and a remove list of those who left.",
            owners=[PRIVACY_OFFICE],
            kinds={"duckdb", "parquet"},
            metadata={
                COLUMNS: dg.TableSchema(
                    [dg.TableColumn(f.name, str(f.type)) for f in vault.SCHEMAS[vault.MATCH_KEYS]]
                )
            },
        )
    ],
    backfill_policy=SINGLE_RUN,
    pool=POOL,
)
def match_keys(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Bring the vault up to today; counts are told, never a key."""
    with quiet.connect(lake.lake.landing) as con:
        fates = _guard(context, lake).contacts(con, today(settings()))
    stored = vault.counts(lake.lake)
    keys = sum(n for what, n in stored.items() if what.startswith(vault.MATCH_KEYS))
    return dg.MaterializeResult(
        metadata=described(
            keys,
            contacts=fates.rows_in,
            contacts_with_a_key=fates.kept,
            stored=preview(pd.DataFrame(stored.items(), columns=["what", "rows"]), rows=30),
            without_consent=dict(fates.dropped) or None,
            without_a_key=dict(fates.quarantined) or None,
            refused_values=dict(fates.notes) or None,
        )
    )


@dg.multi_asset(
    name="privacy__experiments",
    specs=[
        _spec(
            EXPERIMENTS,
            "Daily counts of A/B tests by arm; aggregated, no personal data.",
            [["ingest", "raw_experiments"]],
        )
    ],
    backfill_policy=SINGLE_RUN,
    pool=POOL,
)
def guarded_experiments(
    context: dg.AssetExecutionContext, lake: LakeResource
) -> dg.MaterializeResult:
    """Type the counts and record where they came from."""
    with quiet.connect(lake.lake.landing) as con:
        fates = _guard(context, lake).experiments(con)
    schema = parquet_schema(lake.lake.whole(EXPERIMENTS))
    return dg.MaterializeResult(metadata=described(fates.kept) | {COLUMNS: schema})


_GUARDED = [
    *([guarded_consent] if settings().has_ga4 and settings().has_consent_log else []),
    *([guarded_events] if settings().has_ga4 else []),
    *([guarded_ads] if settings().has_ads else []),
    *([match_keys] if settings().has_contacts else []),
    *([guarded_experiments] if settings().has_experiments else []),
]


@dg.multi_asset(
    name="privacy__lineage_ledger",
    specs=[
        _spec(
            LEDGER,
            "One line per source object and partition: what became of every row, and under what.",
            [
                list(key.path)
                for asset in _GUARDED
                for key in asset.keys
                if key.path[-1] not in (COOKIELESS, AD_REFUSALS)
            ]
            + _CHANGED_BY,
        )
    ],
    backfill_policy=SINGLE_RUN,
    pool=POOL,
)
def lineage_ledger(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Close the ledger: the guards wrote its lines, this adds them up for people."""
    days = days_of_run(context.run) or [last_complete_day(settings())]
    told = waterfall(lake.lake, days)
    shown = _waterfall(lake, EVENTS if settings().has_ga4 else ADS, days)
    counted = described(int(told["lines"].sum()), by_table=preview(told), **shown)
    return dg.MaterializeResult(metadata=counted)


ASSETS = [
    *_GUARDED,
    lineage_ledger,
]
