"""Sessions as plain Python, from the definitions of the issue and GA4's documentation; no SQL.

Rows are guarded events, dictionaries in the lake's schema. A session is (user, stream, GA4 session
id). What stays out: purchases and attribution.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from oracle_channels import channel_group

Row = Mapping[str, Any]
Key = tuple[str, str | None, int]

ENGAGED_AFTER_MSEC = 10_000
LOOKBACK = timedelta(days=30)
#: they are sent with the page's words, but say nothing of their own
SILENT = {"session_start", "first_visit"}
VIEWS = {"page_view", "screen_view"}
GOOGLE_ADS = {"gclid", "gbraid", "wbraid", "dclid", "gclsrc"}
CLICKS = {**dict.fromkeys(GOOGLE_ADS, ("google", "cpc"))}
CLICKS |= {"srsltid": ("google", "organic"), "msclkid": ("bing", "cpc")}
UNKNOWN = "(not set)"
#: what GA4 writes where there is no campaign
NO_CAMPAIGN = {
    f"({word})"
    for word in (
        *("not set", "direct", "none", "organic", "referral", "other", "cross-network"),
        *("data not available", "data deleted", "not provided"),
    )
}


@dataclass(frozen=True)
class Source:
    """Where a session came from."""

    source: str
    medium: str
    campaign: str

    @property
    def is_direct(self) -> bool:
        return self.source.lower() == "(direct)"


DIRECT = Source("(direct)", "(none)", "(direct)")


@dataclass(frozen=True)
class Session:
    """What is expected of one row of fct_sessions."""

    key: Key
    session_date: date
    started_at: datetime
    source: Source
    channel_group: str
    last_non_direct: Source
    last_non_direct_channel_group: str
    landing_page: str | None
    device_category: str | None
    country: str | None
    is_engaged: bool
    events: int
    page_views: int
    key_events: int
    lineage_ids: tuple[str, ...]


def said(text: str | None) -> str | None:
    """A text, or None for the ways in which GA4 says nothing."""
    text = (text or "").strip(" \t")
    return None if text.lower() in {"", UNKNOWN} else text


def instant(event: Row) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event["event_timestamp"])


def in_order(events: Iterable[Row]) -> list[Row]:
    """By time; events of one instant by their key, which is arbitrary but always the same."""
    return sorted(events, key=lambda event: (event["event_timestamp"], event["event_key"]))


def session_of(event: Row) -> Key | None:
    if event.get("ga_session_id") is None:
        return None
    return (event["user_key"], event.get("stream_id"), event["ga_session_id"])


def words(event: Row, prefix: str) -> tuple[str | None, str | None, str | None]:
    source, medium, campaign = (
        said(event.get(f"{prefix}_{word}")) for word in ("source", "medium", "campaign")
    )
    return source, medium, campaign


def touch(event: Row) -> Source | None:
    """Where the event itself says that its user came from; None if it does not, or says direct."""
    if event["event_name"] in SILENT:
        return None
    source, medium, campaign = words(event, "collected")
    if source is None:
        tagged = campaign
        source, medium, campaign = words(event, "param")
        campaign = campaign if source else tagged or campaign
    kind = event.get("click_id_type")
    # only what GA4 would have guessed gives way: one that names its source stays as tagged
    guessed = source is None or (medium or "(none)").lower() in {"(none)", "organic", "referral"}
    if kind in CLICKS and guessed:
        source, medium = CLICKS[kind]
        # (organic) and the like belong to the guess that gave way
        campaign = None if (campaign or "").lower() in NO_CAMPAIGN else campaign
    if source is None or source.lower() == "(direct)":
        return None
    return Source(source, medium or UNKNOWN, campaign or UNKNOWN)


def last_click(event: Row) -> Source | None:
    """GA4's own verdict on the session, where the export has it."""
    source, medium, campaign = words(event, "session")
    if source is None:
        return None
    if source.lower() == "(direct)":
        return Source(source, medium or DIRECT.medium, campaign or DIRECT.campaign)
    return Source(source, medium or UNKNOWN, campaign or UNKNOWN)


def own_source(events: Sequence[Row]) -> Source:
    verdicts = [found for event in events if (found := last_click(event))]
    touches = [found for event in events if (found := touch(event))]
    return (verdicts or touches or [DIRECT])[0]


def first(events: Sequence[Row], column: str) -> str | None:
    return next((event[column] for event in events if event.get(column) is not None), None)


def sessions(
    rows: Iterable[Row], *, key_events: Sequence[str], categories: dict[str, str]
) -> dict[Key, Session]:
    """The expected sessions; events without a session id belong to none."""
    grouped: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        key = session_of(row)
        if key is not None:
            grouped[key].append(row)
    ordered = {key: in_order(events) for key, events in grouped.items()}
    sources = {key: own_source(events) for key, events in ordered.items()}
    starts = {key: instant(events[0]) for key, events in ordered.items()}
    return {
        key: _session(
            key,
            events,
            source=sources[key],
            credited=_last_non_direct(key, sources, starts),
            key_events=key_events,
            categories=categories,
        )
        for key, events in ordered.items()
    }


def _last_non_direct(key: Key, sources: dict[Key, Source], starts: dict[Key, datetime]) -> Source:
    """Its own source, or for a direct session that of the user's latest earlier one that has one.

    Own sources only: a source that was itself looked back for is not handed on.
    """
    if not sources[key].is_direct:
        return sources[key]
    start = starts[key]
    candidates = [
        other
        for other, source in sources.items()
        if other[0] == key[0] and not source.is_direct and start - LOOKBACK <= starts[other] < start
    ]
    if not candidates:
        return sources[key]
    return sources[max(candidates, key=lambda other: starts[other])]


def _session(
    key: Key,
    events: Sequence[Row],
    *,
    source: Source,
    credited: Source,
    key_events: Sequence[str],
    categories: dict[str, str],
) -> Session:
    names = [event["event_name"] for event in events]
    views = sum(name in VIEWS for name in names)
    keys = sum(name in key_events for name in names)
    stayed = sum(event.get("engagement_time_msec") or 0 for event in events)
    flagged = any(event.get("session_engaged") for event in events)

    def group(of: Source) -> str:
        return channel_group(of.source, of.medium, of.campaign, categories)

    return Session(
        key=key,
        session_date=min(event["event_date"] for event in events),
        started_at=instant(events[0]),
        source=source,
        channel_group=group(source),
        last_non_direct=credited,
        last_non_direct_channel_group=group(credited),
        landing_page=first(events, "page_location"),
        device_category=first(events, "device_category"),
        country=first(events, "country"),
        is_engaged=stayed > ENGAGED_AFTER_MSEC or keys > 0 or views >= 2 or flagged,
        events=len(events),
        page_views=views,
        key_events=keys,
        lineage_ids=tuple(sorted({event["lineage_id"] for event in events})),
    )
