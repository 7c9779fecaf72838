"""Which header of an ad report means which canonical column; what stays out: the cells.

Headers are compared without case, spaces and punctuation. Two headers for one meaning are refused:
the right one is the user's to say.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from mkt_assets.errors import InputError
from mkt_assets.privacy.pii import findings

#: canonical column -> accepted spellings, the first one being its own name
SPELLINGS: dict[str, tuple[str, ...]] = {
    "date": ("date", "c_date", "day", "report_date", "date_start", "stat_date", "event_date"),
    "channel": (
        "channel", "category", "network", "platform", "publisher", "publisher_platform",
        "media_channel", "marketing_channel",
    ),
    "campaign": ("campaign", "campaign_name"),
    "campaign_id": ("campaign_id",),
    "currency": ("currency", "currency_code", "account_currency", "account_currency_code"),
    "impressions": ("impressions", "impr", "imps", "impression"),
    "clicks": ("clicks", "link_clicks", "click"),
    "leads": ("leads", "lead"),
    "conversions": ("conversions", "orders", "purchases", "results", "conversion"),
    "spend": (
        "spend", "mark_spent", "campaign_cost", "cost", "costs", "cost_micros", "spend_micros",
        "amount_spent", "spent", "ad_spend", "ad_cost", "media_cost", "total_cost", "total_spend",
    ),
    "revenue": (
        "revenue", "conversion_value", "conversions_value", "conv_value", "total_conv_value",
        "purchase_value", "purchases_value", "purchase_conversion_value",
        "purchases_conversion_value", "sales", "total_revenue", "turnover",
    ),
}  # fmt: skip
REQUIRED = ("date", "campaign", "spend")
#: at least one of these: a report without any outcome says nothing about performance
OUTCOMES = ("impressions", "clicks", "revenue")
#: counts of things, which have no fractions; conversions have, when they are modelled
COUNTS = frozenset({"impressions", "clicks", "leads"})
NUMBERS = ("impressions", "clicks", "leads", "conversions", "spend", "revenue")

#: report prefixes of the Google Ads API (metrics.cost_micros, segments.date)
_PREFIX = re.compile(r"^(metrics|segments|customer)\.", re.IGNORECASE)
#: Amount spent (EUR); capitals only, since "Clicks (all)" is no currency
_CURRENCY = re.compile(r"[(\[]\s*([A-Z]{3})\s*[)\]]\s*$")
#: how an ISO 4217 code looks; which of them have a rate is not for a list here
CURRENCY_CODE = re.compile(r"[A-Z]{3}")
#: a file without a header line shows its first row in messages, so only this much of it
_MOST_HEADERS, _LONGEST_HEADER = 40, 40
_NO_NAME = re.compile(r"\s*[-+.]?[0-9]")


@dataclass(frozen=True)
class HeaderMap:
    """Canonical column -> header found, and what the headers say about money."""

    columns: dict[str, str]
    micros: bool = False
    currency: str | None = None


def key(header: str) -> str:
    """A header without case, spaces and punctuation, which is what spellings are compared by."""
    bare = _PREFIX.sub("", unicodedata.normalize("NFKC", header).strip())
    return "".join(sign for sign in _CURRENCY.sub("", bare).casefold() if sign.isalnum())


_CANONICAL = {key(spelling): name for name, all_ in SPELLINGS.items() for spelling in all_}


def map_headers(headers: Sequence[str], *, file: object = None) -> HeaderMap:
    """Find the canonical columns among the headers of a file; the others are left alone.

    Raises:
        InputError: two headers mean one column, a required one is missing, or no outcome is there.
    """
    found: dict[str, str] = {}
    for header in headers:
        name = _CANONICAL.get(key(header))
        if name is None:
            continue
        if name in found:
            raise InputError(
                f"two headers mean {name!r}: {listed((found[name], header))}",
                file=file,
                column=name,
                remedy="Remove one of them, or rename the one that means something else.",
            )
        found[name] = header
    _refuse_missing(found, headers, file)
    spend = found["spend"]
    return HeaderMap(
        {name: found[name] for name in SPELLINGS if name in found},
        micros=key(spend).endswith("micros"),
        currency=_stated_currency([found[n] for n in ("spend", "revenue") if n in found], file),
    )


def _stated_currency(headers: Sequence[str], file: object) -> str | None:
    codes = sorted({found[1] for header in headers if (found := _CURRENCY.search(header))})
    if len(codes) > 1:
        raise InputError(
            f"the headers name two currencies, {' and '.join(codes)}",
            file=file,
            remedy="Export cost and revenue in one currency.",
        )
    return codes[0] if codes else None


def _refuse_missing(found: dict[str, str], headers: Sequence[str], file: object) -> None:
    there = listed(headers)
    for name in REQUIRED:
        if name not in found:
            raise InputError(
                f"there is no {name!r} column; headers found: {there}",
                file=file,
                column=name,
                remedy=f"Rename the right one to {name!r}. Accepted: {', '.join(SPELLINGS[name])}.",
            )
    if not any(name in found for name in OUTCOMES):
        accepted = ", ".join(SPELLINGS[name][0] for name in OUTCOMES)
        raise InputError(
            f"there is no outcome column; headers found: {there}",
            file=file,
            remedy=f"Give at least one of {accepted}.",
        )


def listed(headers: Sequence[str]) -> str:
    """The headers for a message, without what looks like data of a person.

    Names of columns do not begin with a digit or a sign: where one does, the line is a row, and of
    that nothing is shown.
    """
    if _is_a_row(headers):
        return "(not shown: the first line looks like a row)"
    names = [shown(header, among=headers) for header in headers[:_MOST_HEADERS]]
    told = ", ".join("(not shown)" if name is None else repr(name) for name in names)
    return told or "none that could be read"


def shown(header: str, *, among: Sequence[str]) -> str | None:
    """One of the headers for a message; None where it may be data of a person."""
    if _is_a_row(among) or len(header) > _LONGEST_HEADER or findings(header):
        return None
    return header


def _is_a_row(headers: Sequence[str]) -> bool:
    return any(map(_NO_NAME.match, headers))
