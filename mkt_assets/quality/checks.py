"""Data contracts, volumes, consent and schemas as asset checks; no thinking here."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from mkt_assets.calendar_days import last_complete_day, late_window
from mkt_assets.check_steps import Check, Context, check
from mkt_assets.contracts import REGISTRY
from mkt_assets.ingest.sources import ADS, EVENTS, read_manifest
from mkt_assets.marts.column_lineage import STORED, stored_parents
from mkt_assets.marts.dbt import run_path
from mkt_assets.partitions import days_of_run
from mkt_assets.privacy.ledger import by_day
from mkt_assets.publish.tables import published_marts
from mkt_assets.quality import data_docs, schema_changes, volume
from mkt_assets.quality.expectations import judge
from mkt_assets.quality.frames import Frames
from mkt_assets.quality.outcomes import Outcome, blocked, told
from mkt_assets.quality.row_rules import (
    AD_KEY,
    AD_RULES,
    EVENT_KEY,
    RowRule,
    event_rules,
    judge_rows,
)
from mkt_assets.quality.samples import showable
from mkt_assets.quality.suites import suites
from mkt_assets.quality.trailing import trailing_frame, trailing_suite
from mkt_assets.redaction import redact_place
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings
from mkt_assets.warehouse import Warehouse

_CONTRACT = "keeps_its_data_contract"
#: the last asset before publishing: what its blocking checks refuse is not published
_GATE = dg.AssetKey(["activation", "dsp_payload"])
_GATE_NAME = "every_data_contract_is_kept"
_SUITES = suites(settings())
#: models that others are made of: their own check cannot block, as it waits for those, too
_WAITED_FOR = frozenset(
    {
        *("insights/anomalies", "insights/trends"),
        *("allocation/budget_allocation", "activation/creative_library"),
    }
)
_TRAILING = [
    mart
    for mart, there in (("kpi_daily", settings().has_ads), ("ga4_daily", settings().has_ga4))
    if there
]


def _days(context: Context) -> list[date]:
    """The days of the run, or for a run that names none those that may still change."""
    first, last = late_window(settings(), last_complete_day(settings()))
    span = range((last - first).days + 1)
    return days_of_run(context.run) or [first + timedelta(days=n) for n in span]


def _result(
    outcomes: Sequence[Outcome], page: Any, otherwise: str, **target: Any
) -> dg.AssetCheckResult:
    """One check's verdict: broken rules with counts and keys, and where all rules are told."""
    broken = [o for o in outcomes if not o.holds]
    lines = [
        f"| {o.rule} | {o.broken:,} of {o.tested:,} | {'; '.join(o.samples)} | "
        f"{'stops publishing' if o.blocking else 'warns'}: {o.why} |"
        for o in broken
    ]
    return dg.AssetCheckResult(
        passed=not broken,
        severity=dg.AssetCheckSeverity.ERROR if blocked(outcomes) else dg.AssetCheckSeverity.WARN,
        description=told(outcomes, otherwise),
        metadata={
            "rules": len(outcomes),
            "rules_broken": len(broken),
            "rows_broken": sum(o.broken for o in broken),
            "broken": dg.MetadataValue.md(
                "| rule | broken | keys | if broken |\n| --- | ---: | --- | --- |\n"
                + "\n".join(lines)
                if lines
                else "none"
            ),
            "data_docs": dg.MetadataValue.path(page),
        },
        **target,
    )


def _written(
    context: Context,
    lake: LakeResource,
    name: str,
    days: Sequence[date],
    outcomes: Sequence[Outcome],
) -> Any:
    span = f"{days[0]} to {days[-1]}" if len(days) > 1 else str(days[0])
    part = data_docs.Part(name, context.run.run_id, span, tuple(outcomes))
    return data_docs.write(lake.lake, part)


@dg.multi_asset_check(
    name="data_contracts",
    specs=[
        *(
            dg.AssetCheckSpec(
                _CONTRACT,
                asset=suite.table.split("/"),
                blocking=suite.table in REGISTRY and suite.table not in _WAITED_FOR,
                description="Columns, keys, bounds, references, and days beside the weeks before, "
                "by Great Expectations; what must not be published stops it before the snapshot.",
            )
            for suite in _SUITES
        ),
        # a check that blocks at a mart would wait for tables that wait for it
        dg.AssetCheckSpec(
            _GATE_NAME,
            asset=_GATE,
            blocking=True,
            description="No rule is broken that stops publishing, in any table that is published.",
        ),
    ],
    can_subset=True,
)
def data_contracts(
    context: Context, lake: LakeResource, warehouse: Warehouse
) -> Iterator[dg.AssetCheckResult]:
    """Every suite in one step, since importing Great Expectations costs more than running it."""
    asked = {key.asset_key for key in context.selected_asset_check_keys}
    whole = _GATE in asked
    chosen = [s for s in _SUITES if whole or dg.AssetKey(s.table.split("/")) in asked]
    days = _days(context)
    with warehouse.get_connection() as connection:
        frames = Frames(connection, lake.lake, min(days))
        frames.read(chosen)
        for mart in _TRAILING:
            suite = trailing_suite(mart)
            if suite.table in frames.types:
                frames.frames[suite.name] = trailing_frame(connection, mart, days)
                chosen.append(suite)
        outcomes = showable(judge(chosen, frames.frames, frames.types, frames.parents))
    page = data_docs.page(lake.lake)
    if whole:
        page = _written(context, lake, "data_contracts", days, outcomes)
    for key in sorted(asked - {_GATE}):
        mine = [o for o in outcomes if dg.AssetKey(o.table.split("/")) == key]
        yield _result(mine, page, f"{len(mine)} rules hold", asset_key=key, check_name=_CONTRACT)
    if whole:
        stops = blocked(outcomes)
        tables = sorted({o.table for o in stops})
        yield dg.AssetCheckResult(
            asset_key=_GATE,
            check_name=_GATE_NAME,
            passed=not stops,
            description=f"not published, {', '.join(tables)}; what to do: docs/data-quality.md"
            if stops
            else f"{len(outcomes)} rules of {len(_SUITES)} tables",
            metadata={
                "rules": len(outcomes),
                "rules_that_stop_publishing": sum(o.blocking for o in outcomes),
                "broken_and_stopping": len(stops),
                "broken_and_warning": sum(not o.holds and not o.blocking for o in outcomes),
                "data_docs": dg.MetadataValue.path(page),
            },
        )


def _volume_check(table: str) -> Check:
    @check(
        ["privacy", table],
        name="brought_as_many_rows_as_usual",
        blocking=True,
        description="As many rows as the same weekday of the weeks before, and not none at all; "
        "only a day that is suddenly empty stops the run.",
    )
    def judged(context: Context, lake: LakeResource) -> dg.AssetCheckResult:
        days = _days(context)
        fates = by_day(lake.lake, table, volume.days_needed(days))
        came = zip(fates["day"], fates["rows_in"], strict=True)
        # a day that no file spoke of has a partition, and no line in the ledger
        guarded = [day for day in days if lake.lake.partition(table, day).is_file()]
        rows = dict.fromkeys(guarded, 0) | {day.date(): int(n) for day, n in came}
        accepted = settings().accepted_changes
        found = volume.volume(f"privacy/{table}", rows, days, accepted)
        if table == EVENTS:
            found.append(volume.consent("privacy/events", fates, days))
        page = _written(context, lake, f"volume_of_{table}", days, found)
        return _result(found, page, f"{len(days)} days are as usual, or have no weeks before them")

    return judged


def _rows_check(table: str, rules: Sequence[RowRule], key: str) -> Check:
    @check(
        ["privacy", table],
        name=_CONTRACT,
        blocking=True,
        description="Columns, types, nulls, bounds and consent of every row of the run's days.",
    )
    def judged(context: Context, lake: LakeResource) -> dg.AssetCheckResult:
        days = _days(context)
        found = showable(judge_rows(lake.lake, table, days, rules, key))
        page = _written(context, lake, f"rows_of_{table}", days, found)
        return _result(found, page, f"{len(found)} rules hold")

    return judged


def _columns_check(asset: str, table: str) -> Check:
    @check(
        ["ingest", asset],
        name="has_the_columns_of_the_last_run",
        blocking=True,
        description="No column of the input is gone, new or of another type; only a gone column "
        "that a published metric is made of stops the run.",
    )
    def judged(context: Context, lake: LakeResource) -> dg.AssetCheckResult:
        days = _days(context)
        before = schema_changes.last_seen(lake.lake, table)
        now = schema_changes.newest(
            (day, redact_place(item.source.uri), item.columns)
            for day in days
            for item in read_manifest(lake.lake.landed(table, day))
        )
        found = schema_changes.outcomes(
            table,
            now,
            schema_changes.changes(before, now),
            _downstream(),
            settings().accepted_changes,
        )
        if not blocked(found):
            schema_changes.remember(lake.lake, table, now)
        page = _written(context, lake, f"columns_of_{table}", days, found)
        return _result(found, page, "as before" if before else "nothing to compare with yet")

    return judged


def _downstream() -> schema_changes.Downstream:
    """What the published marts make of each column of the lake, as the last build told."""
    parents = stored_parents(run_path(settings()) / STORED)
    published: Collection[str] = published_marts(settings())
    return schema_changes.downstream_of(parents, published)


_INPUTS = [
    *([("raw_events", EVENTS)] if settings().has_ga4 else []),
    *([("raw_ad_performance", ADS)] if settings().has_ads else []),
]

#: without a signal of its own, consent is what was stated of the source
_POLICY = None if settings().consent_upstream else settings().policy
_ROWS = {EVENTS: (event_rules(_POLICY), EVENT_KEY), ADS: (AD_RULES, AD_KEY)}

CHECKS = [
    *(_columns_check(asset, table) for asset, table in _INPUTS),
    *(_rows_check(table, *_ROWS[table]) for _, table in _INPUTS),
    *(_volume_check(table) for _, table in _INPUTS),
    data_contracts,
]
