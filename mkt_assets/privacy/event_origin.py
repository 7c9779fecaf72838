"""Where a raw event says that its session came from: GA4's last click, and the kind of click id.

What stays out: the event's own words (parameters, collected source), which are plain columns, and
what a session makes of it all (dbt's int_sessions).
"""

from __future__ import annotations

from typing import Final

from mkt_assets.privacy.urls import CLICK_IDS

_LAST_CLICK: Final = "session_traffic_source_last_click"

#: a kind of click id, which sorts by its rank
CLICK_ID: Final = f"enum({', '.join(repr(kind) for kind in CLICK_IDS)})"

#: the records that name a source, the first that does decides: GA4's own verdict over all channels,
#: which exports have since late 2024, then each linked platform, then the link's own tags
_BEFORE_GOOGLE_ADS: Final = ("cross_channel_campaign",)
_AFTER_GOOGLE_ADS: Final = ("sa360_campaign", "cm360_campaign", "dv360_campaign", "manual_campaign")
#: Google Ads names a campaign, never a source: what its clicks are in GA4
_GOOGLE_ADS: Final = {"source": "'google'", "medium": "'cpc'"}

#: the kinds that ``collected_traffic_source`` has a field for
_COLLECTED: Final = ("gclid", "dclid", "srsltid")


def last_click_sql(field: str) -> str:
    """``source``, ``medium`` or ``campaign_name`` of the session's last click, else NULL.

    All of one record or all of another: never the source of one with the medium of another.
    """
    ads = f"{_LAST_CLICK}.google_ads_campaign"
    has_ads = f"{_said(f'{ads}.campaign_id')} or {_said(f'{ads}.campaign_name')}"
    told = [_when_named(record, field) for record in _BEFORE_GOOGLE_ADS]
    told.append(f"when {has_ads} then {_GOOGLE_ADS.get(field, f'{ads}.{field}')}")
    told += [_when_named(record, field) for record in _AFTER_GOOGLE_ADS]
    return f"case {' '.join(told)} end"


def collected_click_ids_sql() -> str:
    """The kinds of click id that ``collected_traffic_source`` names as a list, else NULL."""
    is_there = [f"collected_traffic_source.{kind} <> ''" for kind in _COLLECTED]
    named = ", ".join(
        f"case when {there} then '{kind}' end"
        for kind, there in zip(_COLLECTED, is_there, strict=True)
    )
    return f"case when {' or '.join(is_there)} then [{named}] end"


def click_id_sql(*found: str) -> str:
    """The first-ranked kind of click id as ``CLICK_ID``, never the id; NULL where there is none.

    Args:
        found: SQL of the lists that may name one.
    """

    def names(kind: str) -> str:
        return " or ".join(f"list_contains({one}, '{kind}')" for one in found)

    kinds = "".join(f" when {names(kind)} then '{kind}'" for kind in CLICK_IDS)
    has_any = " or ".join(f"{one} is not null" for one in found)
    return f"(case when {has_any} then case{kinds} end end)::{CLICK_ID}"


def _when_named(record: str, field: str) -> str:
    return f"when {_said(f'{_LAST_CLICK}.{record}.source')} then {_LAST_CLICK}.{record}.{field}"


def _said(text: str) -> str:
    """Whether the text is one, and not one of the ways in which GA4 says "nothing"."""
    return f"trim({text}) not in ('', '(not set)')"
