"""The sample source: invented but lifelike GA4 events, ad rows, consent and tests, for any day.

Every function is a function of its arguments alone: one day is the same whether asked for alone or
within a year. The other ``sample_*`` modules do the drawing; what is promised stands here.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from mkt_assets.ingest import sample_contacts, sample_experiments, sample_visitors
from mkt_assets.ingest.sample_anomalies import anomalies_between
from mkt_assets.ingest.sample_campaigns import BASE_EVENTS, CAMPAIGNS, campaigns_on, daily_plan
from mkt_assets.ingest.sample_columns import Rows, event_rows, event_schema
from mkt_assets.ingest.sample_draws import Floats, day_bounds, stream
from mkt_assets.ingest.sample_hits import duplicated, hits, privacy_of
from mkt_assets.ingest.sample_links import links, touches
from mkt_assets.ingest.sample_visits import BOUGHT, Visits, night_visits, outcomes, visits

__all__ = [
    "ad_performance",
    "consent_log",
    "contacts",
    "daily_plan",
    "events",
    "experiments",
    "planted_anomalies",
]

#: visits that become rows at a time: bounds the memory of a day of a million events
_PART = 25_000
#: rows are numbered in steps of this for each visit of a part; no visit has as many events
_NUMBERS_PER_VISIT = 1000

MONEY = pa.decimal128(18, 4)
AD_SCHEMA = pa.schema(
    [
        ("date", pa.date32()),
        ("channel", pa.string()),
        ("campaign", pa.string()),
        ("campaign_id", pa.string()),
        ("currency", pa.string()),
        ("impressions", pa.int64()),
        ("clicks", pa.int64()),
        ("leads", pa.int64()),
        ("conversions", MONEY),
        ("spend", MONEY),
        ("revenue", MONEY),
    ]
)
#: revenue of a conversion that the platform claims beyond the purchases
_MEAN_BASKET = 90.0


def events(  # noqa: PLR0913 - each is a property of the export, named at the call
    day: date,
    *,
    seed: int = 7,
    events_per_day: int = BASE_EVENTS,
    days_late: int | None = None,
    timezone: str = "UTC",
    currency: str = "USD",
) -> pa.Table:
    """The GA4 export of ``day``, with the columns of RAW_EVENT_COLUMNS.

    Each visit sends one ``session_start`` with its campaign in ``collected_traffic_source``, the
    cookieless ones too, though without ids. The distinct ones of a campaign, late ones included,
    number ``daily_plan(day).visits``; a duplicate repeats its row exactly.

    Args:
        day: the date in ``timezone``.
        seed: of everything that is drawn.
        events_per_day: rows to expect; at least 80 % of it is promised.
        days_late: how many days after ``day`` the export is read: at 0, 1 and 2 what arrives later
            is missing, some 2 % of the rows at first; None and 3 or more have all.
        timezone: an IANA name.
        currency: of all amounts.
    """
    start, end = day_bounds(day, timezone)
    places = touches(campaigns_on(day))
    parts = _parts(day, seed=seed, events_per_day=events_per_day, timezone=timezone)
    tables, first_number = [], 0
    total = sum(len(part) for part, _, is_main in parts if is_main)
    for part, rng, is_main in parts:
        privacy = privacy_of(part, rng)
        came = links(part.outcomes.touch, places, rng)
        due = events_per_day * len(part) / max(total, 1) if is_main else 0.0
        sent = hits(part, rng, least=due, first_number=first_number)
        first_number += len(part) * _NUMBERS_PER_VISIT
        rows = duplicated(len(sent), rng)
        here = (sent.time >= start) & (sent.time < end)
        if days_late is not None:
            here &= sent.days_late <= days_late
        sent = sent.take(rows[here[rows]])
        tables.append(event_rows(Rows(day, part, sent, privacy, came, places, currency)))
    return pa.concat_tables(tables) if tables else event_schema().empty_table()


def _parts(
    day: date, *, seed: int, events_per_day: int, timezone: str
) -> list[tuple[Visits, np.random.Generator, bool]]:
    """A day's visits in bounded parts, each with its random numbers; the nights around it last."""
    main = visits(day, seed=seed, events_per_day=events_per_day, timezone=timezone)
    parts = [
        (main.part(at, at + _PART), stream(seed, day, "events", at // _PART), True)
        for at in range(0, len(main), _PART)
    ]
    for evening in (date.fromordinal(day.toordinal() - 1), day):
        night = night_visits(evening, seed=seed, events_per_day=events_per_day, timezone=timezone)
        parts.append((night, stream(seed, evening, "night events"), False))
    return parts


def ad_performance(
    day: date, *, seed: int = 7, events_per_day: int = BASE_EVENTS, currency: str = "USD"
) -> pa.Table:
    """What the ad platforms report for ``day``: a row for each campaign.

    Clicks are the plan's, of which the day's visits are a binomial share (``Campaign.landing``).
    Leads are those visits' leads. Conversions are those visits' purchases plus what the platform
    claims beyond them: Poisson with the mean ``Campaign.overclaim`` times the purchases expected;
    each claimed one adds a gamma-distributed basket to the revenue.
    """
    plan = daily_plan(day, seed=seed, events_per_day=events_per_day)
    drawn = outcomes(plan, seed=seed, events_per_day=events_per_day)
    size = len(plan.campaigns)
    bought, leads, revenue = (
        np.bincount(drawn.touch, weights, minlength=size)[:size]
        for weights in (drawn.depth == BOUGHT, drawn.is_lead, drawn.revenue)
    )
    rng = stream(seed, day, "platform")
    overclaim = np.array([campaign.overclaim for campaign in plan.campaigns])
    claimed = rng.poisson(overclaim * plan.buys * plan.visits)
    revenue += np.where(claimed, rng.gamma(np.maximum(claimed, 1) * 2.0, _MEAN_BASKET / 2), 0.0)
    return pa.table(
        [
            pa.array([day] * size),
            [campaign.channel for campaign in plan.campaigns],
            [campaign.name for campaign in plan.campaigns],
            [campaign.campaign_id for campaign in plan.campaigns],
            [currency] * size,
            plan.impressions,
            plan.clicks,
            leads.astype(np.int64),
            _decimals((bought + claimed).astype(np.float64)),
            _decimals(plan.spend),
            _decimals(revenue.astype(np.float64)),
        ],
        schema=AD_SCHEMA,
    )


def _decimals(values: Floats) -> pa.Array:
    return pa.array(np.round(values, 2)).cast(MONEY)


def planted_anomalies(start: date, end: date, *, seed: int = 7) -> pa.Table:
    """What goes wrong in the ad rows between two days (inclusive); none is cut at the ends.

    Each calendar month has one ``spend_spike`` (a day; ``magnitude`` is the factor), one
    ``performance_drop`` (4 or 5 days) and one ``zero_spend`` (2 days; the share lost).
    """
    found = list(anomalies_between(start, end, seed))
    return pa.table(
        {
            "campaign": pa.array([CAMPAIGNS[a.campaign].name for a in found], pa.string()),
            "channel": pa.array([CAMPAIGNS[a.campaign].channel for a in found], pa.string()),
            "metric": pa.array([a.metric for a in found], pa.string()),
            "type": pa.array([a.type for a in found], pa.string()),
            "start": pa.array([a.start for a in found], pa.date32()),
            "end": pa.array([a.end for a in found], pa.date32()),
            "magnitude": pa.array([a.magnitude for a in found], pa.float64()),
        }
    )


def consent_log(
    upto: date, *, seed: int = 7, events_per_day: int = BASE_EVENTS, timezone: str = "UTC"
) -> pa.Table:
    """The consent choices known at the end of ``upto``, by time.

    Covers every ``user_pseudo_id`` in use in the two years before; a visitor's first choice
    precedes its first event, and some have a second one. Columns: ``subject_id``, ``changed_at``
    (UTC) and the four Consent Mode v2 signals, each granted or denied.
    """
    return sample_visitors.consent_log(
        upto, seed=seed, events_per_day=events_per_day, timezone=timezone
    )


def contacts(
    upto: date, *, seed: int = 7, events_per_day: int = BASE_EVENTS, timezone: str = "UTC"
) -> pa.Table:
    """The contacts of visitors with an account, known at the end of ``upto``.

    Columns: ``subject_id`` as in the consent log, ``email`` and ``phone`` as people type them. The
    addresses are invented, the numbers from ranges that are reserved for fiction.
    """
    return sample_contacts.contacts(
        upto, seed=seed, events_per_day=events_per_day, timezone=timezone
    )


def experiments(upto: date, *, seed: int = 7, events_per_day: int = BASE_EVENTS) -> pa.Table:
    """Daily counts of three A/B tests of the newest month that ended theirs before ``upto``.

    An A/A test, one with a true lift of 30 %, and one whose arms are split 54:46 instead of evenly.
    """
    return sample_experiments.experiments(upto, seed=seed, events_per_day=events_per_day)
