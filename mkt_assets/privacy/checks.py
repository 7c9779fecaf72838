"""What must hold of guarded data before dbt may read it."""

import dagster as dg

from mkt_assets.ingest.sources import CONSENT
from mkt_assets.privacy import quiet, vault
from mkt_assets.privacy.guard_contacts import not_granted
from mkt_assets.privacy.ledger import LEDGER, set_aside, unbalanced, waterfall
from mkt_assets.privacy.policy import POLICY_V1
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings


@dg.asset_check(
    asset=["privacy", LEDGER],
    blocking=True,
    description="Rows in = kept + without consent + cookieless + duplicate + quarantined.",
)
def every_row_is_accounted_for(lake: LakeResource) -> dg.AssetCheckResult:
    """Nothing is lost silently, in the whole ledger."""
    broken = unbalanced(lake.lake)
    rows = int(waterfall(lake.lake, [])["rows_in"].sum())
    return dg.AssetCheckResult(
        passed=not broken,
        description="; ".join(broken[:5]) or f"{rows:,} rows are accounted for",
        metadata={"rows_in": rows, "unbalanced": broken[:50]},
    )


@dg.asset_check(
    asset=["privacy", CONSENT],
    blocking=True,
    description="Every entry of the consent log has a person and a possible time.",
)
def every_consent_entry_has_its_place(lake: LakeResource) -> dg.AssetCheckResult:
    """An entry that cannot be placed may be a refusal; until then an earlier grant would hold."""
    aside = set_aside(lake.lake, CONSENT)
    told = ", ".join(f"{n} {why}" for why, n in aside.items())
    return dg.AssetCheckResult(
        passed=not aside,
        description=f"set aside: {told}; correct the log" if aside else "every entry has its place",
        metadata={"set_aside": aside},
    )


@dg.asset_check(
    asset=["privacy", vault.MATCH_KEYS],
    blocking=True,
    description="The latest consent of everybody in the vault grants both ad signals.",
)
def nobody_is_in_the_vault_without_both_grants(lake: LakeResource) -> dg.AssetCheckResult:
    """Asked of the stored keys and the stored log, whatever the asset believed."""
    with quiet.connect(lake.lake.landing) as con:
        found = not_granted(con, lake=lake.lake, consent=lake.lake.whole(CONSENT), policy=POLICY_V1)
    told = ", ".join(f"{n} for {destination}" for destination, n in found.items())
    return dg.AssetCheckResult(
        passed=not found,
        description=f"match keys without consent: {told}; send none, and materialize "
        "privacy/consent_log and privacy/match_keys again"
        if found
        else "everybody in the vault grants both signals",
        metadata={"without_consent": found},
    )


@dg.asset_check(
    asset=["privacy", vault.MATCH_KEYS],
    blocking=True,
    description="Nobody but its owner may enter the vault or read a file of it.",
)
def the_vault_is_closed(lake: LakeResource) -> dg.AssetCheckResult:
    """Modes as they are on the disk."""
    loose = vault.open_places(lake.lake)
    return dg.AssetCheckResult(
        passed=not loose,
        description=f"open to others: {'; '.join(loose[:5])}" if loose else "the vault is closed",
        metadata={"open_places": loose[:50]},
    )


CHECKS = [
    every_row_is_accounted_for,
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
