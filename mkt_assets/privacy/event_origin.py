"""Where a raw event says that its session came from: GA4's last click, and the kind of click id.

What stays out: the event's own words (parameters, collected source), which are plain columns, and
what a session makes of it all (dbt's int_sessions).
"""

from __future__ import annotations

from typing import Final

from mkt_assets.privacy.urls import CLICK_IDS

_LAST_CLICK: Final = "session_traffic_source_last_click"

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


def click_id_sql(in_address: str, in_parameters: str) -> str:
    """The first-ranked kind of click id, never the id, over a raw event; NULL where there is none.

    Args:
        in_address: SQL of the list of kinds in the page address's query.
        in_parameters: SQL of the list of event parameters that have a text.
    """
    kinds = "".join(
        f" when list_contains({in_address}, '{kind}') or list_contains({in_parameters}, '{kind}')"
        + (f" or collected_traffic_source.{kind} <> ''" if kind in _COLLECTED else "")
        + f" then '{kind}'"
        for kind in CLICK_IDS
    )
    return f"case{kinds} end"


def _when_named(record: str, field: str) -> str:
    return f"when {_said(f'{_LAST_CLICK}.{record}.source')} then {_LAST_CLICK}.{record}.{field}"


def _said(text: str) -> str:
    """Whether the text is one, and not one of the ways in which GA4 says "nothing"."""
    return f"trim({text}) not in ('', '(not set)')"
