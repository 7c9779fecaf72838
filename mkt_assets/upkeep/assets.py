"""The standing duties of whoever keeps people's data, as assets: erasure, rotation, retention."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from mkt_assets.calendar_days import last_complete_day, today
from mkt_assets.contracts import PRIVACY_OFFICE
from mkt_assets.errors import InputError, MktError
from mkt_assets.ingest.assets import source
from mkt_assets.ingest.sources import CONSENT, EVENTS
from mkt_assets.metadata import COLUMNS, described, preview
from mkt_assets.partitions import POOL, SINGLE_RUN, days_of_run
from mkt_assets.privacy import erasure, erasure_list, retention, rotation, vault
from mkt_assets.privacy.keys import key_ring, refuse_missing
from mkt_assets.privacy.persons import needs_contacts
from mkt_assets.privacy.subjects import read_subjects
from mkt_assets.resources import LakeResource, remove_step_logs
from mkt_assets.settings import settings

GROUP = "privacy"
_CONSENT = [[GROUP, CONSENT]] if settings().has_consent_log else []
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


ASSETS = [*([erasures, key_rotation] if settings().has_ga4 else []), kept_no_longer]
