"""GA4's default channel group as plain Python, from Google's help page and from nothing else.

https://support.google.com/analytics/answer/9756891, "Channels for manual traffic". What stays out:
which category a source has; that is a list, and is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

PAID = re.compile(r"^(.*cp.*|ppc|retargeting|paid.*)$")
SHOP = re.compile(r"^(.*(([^a-df-z]|^)shop|shopping).*)$")
VIDEO = re.compile(r"^(.*video.*)$")
DISPLAY = {"display", "banner", "expandable", "interstitial", "cpm"}
SOCIAL = {"social", "social-network", "social-media", "sm", "social network", "social media"}
EMAIL = {"email", "e-mail", "e_mail", "e mail"}


@dataclass(frozen=True)
class Traffic:
    """What the rules look at, in lower case."""

    source: str
    medium: str
    campaign: str
    category: str | None

    @property
    def paid(self) -> bool:
        return PAID.fullmatch(self.medium) is not None

    @property
    def shopping(self) -> bool:
        return self.category == "shopping" or SHOP.fullmatch(self.campaign) is not None


#: in Google's order; the first that holds names the group
RULES: list[tuple[str, Callable[[Traffic], bool]]] = [
    ("Direct", lambda t: t.source == "(direct)" and t.medium in {"(not set)", "(none)"}),
    ("Cross-network", lambda t: "cross-network" in t.campaign),
    ("Paid Shopping", lambda t: t.shopping and t.paid),
    ("Paid Search", lambda t: t.category == "search" and t.paid),
    ("Paid Social", lambda t: t.category == "social" and t.paid),
    ("Paid Video", lambda t: t.category == "video" and t.paid),
    ("Display", lambda t: t.medium in DISPLAY),
    ("Paid Other", lambda t: t.paid),
    ("Organic Shopping", lambda t: t.shopping),
    ("Organic Social", lambda t: t.category == "social" or t.medium in SOCIAL),
    ("Organic Video", lambda t: t.category == "video" or VIDEO.fullmatch(t.medium) is not None),
    ("Organic Search", lambda t: t.category == "search" or t.medium == "organic"),
    ("Referral", lambda t: t.medium in {"referral", "app", "link"}),
    ("Email", lambda t: t.source in EMAIL or t.medium in EMAIL),
    ("Affiliates", lambda t: t.medium == "affiliate"),
    ("Audio", lambda t: t.medium == "audio"),
    ("SMS", lambda t: "sms" in (t.source, t.medium)),
    (
        "Mobile Push Notifications",
        lambda t: (
            t.medium.endswith("push")
            or "mobile" in t.medium
            or "notification" in t.medium
            or t.source == "firebase"
        ),
    ),
]


def channel_group(
    source: str | None, medium: str | None, campaign: str | None, categories: dict[str, str]
) -> str:
    """One of 18, or Unassigned; what is missing is direct and has no medium."""
    source = (source or "").strip().lower() or "(direct)"
    medium = (medium or "").strip().lower() or "(none)"
    traffic = Traffic(source, medium, (campaign or "").strip().lower(), categories.get(source))
    return next((name for name, holds in RULES if holds(traffic)), "Unassigned")
