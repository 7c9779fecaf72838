"""The guard as Dagster assets: what may be known of raw rows, and what became of all of them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from mkt_assets.calendar_days import last_complete_day, today
from mkt_assets.contracts import PRIVACY_OFFICE, lake_columns
from mkt_assets.errors import InputError, MktError
from mkt_assets.ingest.assets import source
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
    erasure,
    erasure_list,
    quiet,
    retention,
    rotation,
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
from mkt_assets.privacy.persons import needs_contacts
from mkt_assets.privacy.subjects import read_subjects
from mkt_assets.resources import LakeResource, remove_step_logs
from mkt_assets.settings import settings

GROUP = "privacy"
#: a table of more days than a month is nothing to read in the UI
_SHOWN_DAYS = 31
#: all names that the guard tells, and what the others count as
_SHOWN_NAMES = MOST_NAMES + 1
_CONSENT = [["privacy", CONSENT]] if settings().has_consent_log else []
_CHANGED_BY = [["privacy", "erasures"], ["privacy", "key_rotation"]] if settings().has_ga4 else []
_VAULT = [[GROUP, vault.MATCH_KEYS]] if settings().has_contacts else []
#: what people see of an audit record
AUDIT = {
    "request_id": ("VARCHAR", "The same for the same people under the same key."),
    "requested_at": ("TIMESTAMP WITH TIME ZONE", "When it was first asked for."),
    "subjects": ("BIGINT", "Identifiers in the subject file."),
    "linked": ("BIGINT", "Devices and logins that were found to be theirs too."),
    "not_searched": ("VARCHAR[]", "Partitions that a rotation unlinked and whose key is gone."),
    "applied_at": ("TIMESTAMP WITH TIME ZONE", "When lake, vault and raw files were without them."),
    "completed_at": ("TIMESTAMP WITH TIME ZONE", "When the published file was without them."),
}


def _columns(types: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    columns = [dg.TableColumn(name, kind, words) for name, (kind, words) in types.items()]
    return {COLUMNS: dg.TableSchema(columns)}


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


class Erasure(dg.Config):
    """Whom to erase: a file with one identifier a line, readable where the run works."""

    subject_file: str | None = None


@dg.asset(
    key=[GROUP, "erasures"],
    deps=[[GROUP, EVENTS], *_CONSENT, *_VAULT],
    group_name=GROUP,
    description="People who asked to be erased, taken out of everything that lies here.",
    metadata=_columns(AUDIT),
    owners=[PRIVACY_OFFICE],
    kinds={"duckdb", "parquet"},
    backfill_policy=SINGLE_RUN,
    pool=POOL,
)
def erasures(
    context: dg.AssetExecutionContext, lake: LakeResource, config: Erasure
) -> dg.MaterializeResult:
    """Take a request, finish what was interrupted, and keep erased people out of the raw area."""
    known, now = settings(), datetime.now(UTC)
    ring = key_ring(known)
    assert ring is not None, "a ring is made where there is none"
    subjects = read_subjects(Path(config.subject_file)) if config.subject_file else None
    if subjects:
        if known.has_contacts and needs_contacts(lake.lake, ring, subjects):
            source(lake).land_contacts(last_complete_day(known))
        erasure.request(lake.lake, ring, subjects, now=now, run_id=context.run.run_id)
    days = days_of_run(context.run)
    found = erasure.sweep(lake.lake, ring, now=now, days=days, subjects=subjects)
    records = erasure_list.records(lake.lake)
    return dg.MaterializeResult(
        metadata=described(
            len(records),
            removed={place: found[place] for place in sorted(found)[:100]} or None,
            requests=preview(pd.DataFrame(records)[list(AUDIT)], rows=20) if records else None,
        )
    )


class Rotation(dg.Config):
    """How to go on where a person's identifier is nowhere any more."""

    unlink: bool = False


@dg.asset(
    key=[GROUP, "key_rotation"],
    group_name=GROUP,
    description="The lake's pseudonyms under the active key; run by the job rotate_keys only.",
    metadata=_columns({"partition": ("VARCHAR", "A partition that was re-keyed.")}),
    owners=[PRIVACY_OFFICE],
    kinds={"duckdb", "parquet"},
    backfill_policy=SINGLE_RUN,
    pool=POOL,
)
def key_rotation(
    context: dg.AssetExecutionContext, lake: LakeResource, config: Rotation
) -> dg.MaterializeResult:
    """Re-key partition by partition; what was done before stays done."""
    ring = key_ring(settings())
    assert ring is not None, "a ring is made where there is none"

    def land(day: date | None) -> bool:
        try:
            asked = source(lake)
            asked.land_events([day]) if day else asked.land_consent(last_complete_day(settings()))
        except InputError as refusal:
            told = "%s cannot be asked of the source again: %s"
            context.log.warning(told, day or CONSENT, refusal)
            return False
        return True

    refuse_missing(ring, lake.lake)
    done = rotation.rotate(lake.lake, ring, land=land, now=datetime.now(UTC), unlink=config.unlink)
    if done.left:
        raise MktError(
            f"{len(done.done)} partitions are under the key {ring.active.id!r} now; in "
            f"{len(done.left)} the raw identifiers of {sum(done.left.values())} people are nowhere "
            f"({', '.join(list(done.left)[:5])}). Make their source files readable again, or run "
            "mkt rotate-keys --unlink: they keep their history, cut from what they do later"
        )
    return dg.MaterializeResult(
        metadata=described(
            len(done.done), active_key=ring.active.id, unlinked=done.unlinked, partitions=done.done
        )
    )


@dg.asset(
    key=[GROUP, "retention"],
    group_name=GROUP,
    description="Raw files, match keys and logs past their retention go, whatever else a run does.",
    metadata=_columns({"file": ("VARCHAR", "A raw file that was removed.")}),
    owners=[PRIVACY_OFFICE],
    kinds={"python"},
    backfill_policy=SINGLE_RUN,
    pool=POOL,
)
def kept_no_longer(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Purge; what this run landed is new and stays."""
    known, now = settings(), datetime.now(UTC)
    purged = retention.purge(lake.lake, days=known.landing_retention_days, now=now)
    logs = retention.purge_logs(lake.lake, days=known.log_retention_days, now=now)
    remove_step_logs(context.instance, days=known.log_retention_days, now=now)
    # the vault too where contacts are no longer given, so that nobody fills it any more
    expired = vault.expire(lake.lake, today(known), known.vault_retention_days)
    return dg.MaterializeResult(
        metadata=described(
            purged.files,
            bytes=purged.bytes,
            kept_files=purged.kept,
            oldest_kept=purged.oldest,
            landing_retention_days=known.landing_retention_days,
            vault_retention_days=known.vault_retention_days,
            removed_logs=logs,
            log_retention_days=known.log_retention_days,
            expired_keys={file: n for file, n in expired.items() if n} or None,
        )
    )


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
    *([erasures, key_rotation] if settings().has_ga4 else []),
    kept_no_longer,
    lineage_ledger,
]
