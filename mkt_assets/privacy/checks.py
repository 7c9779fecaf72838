"""What must hold of guarded data before dbt may read it."""

from collections.abc import Iterator, Sequence

import dagster as dg

from mkt_assets.check_steps import Check, Context, check
from mkt_assets.ingest.set_aside import first_rows
from mkt_assets.ingest.sources import ADS, CONSENT, EVENTS, EXPERIMENTS, too_many_aside
from mkt_assets.partitions import days_of_run
from mkt_assets.privacy import quiet, scan_places, unlinked, vault
from mkt_assets.privacy.ad_refusals import AD_REFUSALS
from mkt_assets.privacy.guard_contacts import not_granted
from mkt_assets.privacy.guarding import COOKIELESS
from mkt_assets.privacy.judging import Finding
from mkt_assets.privacy.keys import key_ring
from mkt_assets.privacy.ledger import (
    LEDGER,
    aside_by_reason,
    set_aside,
    unbalanced,
    waterfall,
)
from mkt_assets.privacy.ledger_stamps import partitions_by_key, partitions_by_policy
from mkt_assets.privacy.reconciliation import unreconciled
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings

#: the events of a run that carry metadata
_TOLD = {
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
}
#: events that are read together
_PAGE = 100


@check(
    ["privacy", EVENTS],
    blocking=True,
    description="Of the rows of the source, few were set aside on the way in or by the guard.",
)
def few_rows_were_set_aside(context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """What changed its type in a whole export stops the run by its name."""
    days = days_of_run(context.run)
    rows, aside = aside_by_reason(lake.lake, EVENTS, days)
    by_guard = [lake.lake.quarantined("guard_events", day) for day in days]
    where = first_rows(lake.lake, EVENTS, days, also=by_guard) if aside else ""
    fault = too_many_aside(aside, rows, settings().quarantine_limit, where)
    return dg.AssetCheckResult(
        passed=fault is None,
        description=fault or f"{sum(aside.values()):,} of {rows:,} rows were set aside",
        metadata={"rows_in": rows, "set_aside": aside, "first_set_aside": where or None},
    )


@check(
    ["privacy", LEDGER],
    blocking=True,
    description="Rows in = kept + without consent + cookieless + duplicate + quarantined + erased, "
    "and what the ledger says was kept or counted is what the lake's files hold.",
)
def every_row_is_accounted_for(_context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """Nothing is lost silently, in the whole ledger and in every stored partition."""
    broken = [*unbalanced(lake.lake), *unreconciled(lake.lake)]
    rows = int(waterfall(lake.lake, [])["rows_in"].sum())
    return dg.AssetCheckResult(
        passed=not broken,
        description="; ".join(broken[:5]) or f"{rows:,} rows are accounted for",
        metadata={"rows_in": rows, "unbalanced": broken[:50]},
    )


@check(
    ["privacy", LEDGER],
    blocking=True,
    description="All pseudonyms that are published together were made under one key.",
)
def one_key_for_everything(_context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """Under two keys one person is two visitors, and the consent log finds only one of them."""
    under = partitions_by_key(lake.lake)
    told = ", ".join(
        f"{n} of {sum(under.values())} partitions under key {key!r}" for key, n in under.items()
    )
    mixed = f"rotation under way, {told}; run `mkt rotate-keys` to go on"
    return dg.AssetCheckResult(
        passed=len(under) <= 1,
        description=mixed if len(under) > 1 else told or "nothing is keyed",
        metadata={"partitions_by_key": under},
    )


@check(
    ["privacy", LEDGER],
    description="Everybody who is stored can be found by identifier, to be erased or refused.",
)
def everybody_can_be_found(_context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """A rotation with --unlink needs the old key for as long as its people are stored."""
    ring = key_ring(settings()) if settings().has_ga4 else None
    lost = unlinked.unsearchable(lake.lake, ring) if ring else []
    told = unlinked.everything(lake.lake)
    return dg.AssetCheckResult(
        passed=not lost,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"an old key is gone; nobody can be looked for in {', '.join(lost[:5])}"
        if lost
        else unlinked.warning(lake.lake) or "nobody is unlinked",
        metadata={"unlinked_rows": {one.place: one.rows for one in told}, "lost": lost},
    )


@check(
    ["privacy", LEDGER],
    description="Everything that is published together was guarded under the policy in force.",
)
def one_policy_for_everything(_context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """A stricter policy reaches older days only when they are guarded again: a warning."""
    under, stamp = partitions_by_policy(lake.lake), settings().policy.stamp
    others = {other: n for other, n in under.items() if other != stamp}
    told = ", ".join(f"{n} under policy {other}" for other, n in others.items())
    return dg.AssetCheckResult(
        passed=not others,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"in force is policy {stamp}, but of {sum(under.values())} partitions {told}: "
        "run those days again (mkt run --from A --to B)"
        if others
        else f"all under policy {stamp}",
        metadata={"partitions_by_policy": under},
    )


@check(
    ["privacy", CONSENT],
    blocking=True,
    description="Every entry of the consent log has a person and a possible time.",
)
def every_consent_entry_has_its_place(_context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """An entry that cannot be placed may be a refusal; until then an earlier grant would hold."""
    aside = set_aside(lake.lake, CONSENT)
    told = ", ".join(f"{n} {why}" for why, n in aside.items())
    return dg.AssetCheckResult(
        passed=not aside,
        description=f"set aside: {told}; correct the log" if aside else "every entry has its place",
        metadata={"set_aside": aside},
    )


@check(
    ["privacy", vault.MATCH_KEYS],
    blocking=True,
    description="The latest consent of everybody in the vault grants both ad signals.",
)
def nobody_is_in_the_vault_without_both_grants(
    _context: Context, lake: LakeResource
) -> dg.AssetCheckResult:
    """Asked of the stored keys and the stored log, whatever the asset believed."""
    with quiet.connect(lake.lake.landing) as con:
        found = not_granted(
            con, lake=lake.lake, consent=lake.lake.whole(CONSENT), policy=settings().policy
        )
    told = ", ".join(f"{n} for {destination}" for destination, n in found.items())
    return dg.AssetCheckResult(
        passed=not found,
        description=f"match keys without consent: {told}; send none, and materialize "
        "privacy/consent_log and privacy/match_keys again"
        if found
        else "everybody in the vault grants both signals",
        metadata={"without_consent": found},
    )


@check(
    ["privacy", vault.MATCH_KEYS],
    blocking=True,
    description="Nobody but its owner may enter the vault or read a file of it.",
)
def the_vault_is_closed(_context: Context, lake: LakeResource) -> dg.AssetCheckResult:
    """Modes as they are on the disk."""
    loose = vault.open_places(lake.lake)
    return dg.AssetCheckResult(
        passed=not loose,
        description=f"open to others: {'; '.join(loose[:5])}" if loose else "the vault is closed",
        metadata={"open_places": loose[:50]},
    )


def nothing_personal(found: Sequence[Finding]) -> dg.AssetCheckResult:
    """The verdict on a scan: places, columns, kinds and counts, never a value."""
    lines = [finding.as_line() for finding in found]
    remedy = "; withhold what was made of it, and tell who looks after privacy" if lines else ""
    return dg.AssetCheckResult(
        passed=not lines,
        description="; ".join(lines[:5]) + remedy if lines else "nothing personal was found",
        metadata={"findings": lines[:50], "places_and_kinds": len(lines)},
    )


def metadata_of(context: Context, *, since: dg.AssetCheckKey | None = None) -> Iterator[str]:
    """What the run has told Dagster of its assets, newest first, as stored.

    Args:
        context: of a check of the run.
        since: what was told before this check's verdict is left out; nothing is told meanwhile,
            as the steps of a run come one after the other.
    """
    cursor: str | None = None
    while True:
        page = context.instance.get_records_for_run(
            context.run.run_id, cursor, _TOLD, limit=_PAGE, ascending=False
        )
        for record in page.records:
            if since and _verdict_of(record.event_log_entry) == since:
                return
            yield record.event_log_entry.to_json()
        if not page.has_more:
            return
        cursor = page.cursor


def _verdict_of(entry: dg.EventLogEntry) -> dg.AssetCheckKey | None:
    """The check whose verdict an event is."""
    if entry.dagster_event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return None
    return entry.get_dagster_event().asset_check_evaluation_data.asset_check_key


def _scan_check(table: str) -> Check:
    @check(
        ["privacy", table],
        name="holds_nothing_personal",
        blocking=True,
        description="No text of the guarded rows is personal, and every key looks like one.",
    )
    def judged(context: Context, lake: LakeResource) -> dg.AssetCheckResult:
        return nothing_personal(
            scan_places.scan_guarded(lake.lake, table, days_of_run(context.run))
        )

    return judged


_SCANNED = [
    *([EVENTS, COOKIELESS, AD_REFUSALS] if settings().has_ga4 else []),
    *([CONSENT] if settings().has_ga4 and settings().has_consent_log else []),
    *([ADS] if settings().has_ads else []),
    *([EXPERIMENTS] if settings().has_experiments else []),
    LEDGER,
]

CHECKS = [
    *map(_scan_check, _SCANNED),
    *([few_rows_were_set_aside] if settings().has_ga4 else []),
    every_row_is_accounted_for,
    one_key_for_everything,
    everybody_can_be_found,
    one_policy_for_everything,
    *(
        [every_consent_entry_has_its_place]
        if settings().has_ga4 and settings().has_consent_log
        else []
    ),
    *(
        [nobody_is_in_the_vault_without_both_grants, the_vault_is_closed]
        if settings().has_contacts
        else []
    ),
]
