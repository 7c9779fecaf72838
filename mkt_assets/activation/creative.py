"""Ad copy for each audience from templates: honest, short, checked, waiting for approval.

No model writes here, and no template states a price, an offer or a property of a product: the
platform knows neither. What stays out: which campaign runs what, and approvals, which only people
give.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import pandas as pd

from mkt_assets.activation.compliance import check
from mkt_assets.errors import InputError

COLUMNS = (
    "creative_id",
    "segment",
    "variant",
    "headline",
    "body",
    "cta",
    "channels",
    "currency",
    "compliance",
    "reasons",
    "approval",
)
VARIANTS = ("A", "B", "C")
#: the audience where there are no segments: no targeting at all
EVERYONE = "Everyone"
PENDING = "pending"

#: segment -> (headline, body, call to action) of the variants A, B and C
_TEMPLATES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Champions": (
        ("Thank you for coming back", "See what is new since your last order.", "See what is new"),
        (
            "New arrivals are here",
            "A look at what we added this week, before you order again.",
            "Take a look",
        ),
        (
            "Made for regulars",
            "Reorder in a few clicks, or find something you have not tried yet.",
            "Order again",
        ),
    ),
    "Loyal buyers": (
        (
            "Ready when you are",
            "Reorder in a few clicks, with your last order as a starting point.",
            "Order again",
        ),
        ("Something to go with it", "Find what goes well with what you chose before.", "Explore"),
        ("What is new this week", "New items in the ranges you know.", "See new items"),
    ),
    "New buyers": (
        (
            "Good to have you here",
            "Find out how to get the most from your first order.",
            "Learn more",
        ),
        (
            "What comes next?",
            "Ideas that go well with a first order, picked by our team.",
            "Get ideas",
        ),
        ("Your second visit", "See the ranges you have not opened yet.", "Browse ranges"),
    ),
    "Lapsing buyers": (
        ("It has been a while", "See what has changed since you last stopped by.", "See changes"),
        ("Welcome back", "Your next order starts where you left off.", "Come back in"),
        (
            "New since your last visit",
            "A short list of what we added in the meantime.",
            "See the list",
        ),
    ),
    "Lapsing visitors": (
        ("Still looking?", "Come back and compare at your own pace.", "Compare now"),
        (
            "New since your last visit",
            "A short list of what we added in the meantime.",
            "See the list",
        ),
        ("Take another look", "Our range has changed. See if something fits now.", "Browse"),
    ),
    "Browsers without purchase": (
        (
            "Still thinking it over?",
            "Compare items side by side and read what is inside each one.",
            "Compare items",
        ),
        (
            "Questions before you buy?",
            "Delivery, returns and sizes, answered on one page.",
            "Read answers",
        ),
        (
            "Pick up where you left off",
            "The items you can choose from are one click away.",
            "Continue",
        ),
    ),
    "Other visitors": (
        ("Nice to meet you", "Find out what we make and who it is for.", "Learn more"),
        ("Start with the basics", "A short guide to choosing from our range.", "Read the guide"),
        ("Have a look around", "Browse the range, no account needed.", "Browse"),
    ),
    EVERYONE: (
        ("Have a look around", "Find out what we make and who it is for.", "Learn more"),
        ("Start with the basics", "A short guide to choosing from our range.", "Read the guide"),
        (
            "Questions before you buy?",
            "Delivery, returns and sizes, answered on one page.",
            "Read answers",
        ),
    ),
}


def build_library(
    campaigns: pd.DataFrame | None, segments: pd.DataFrame | None, *, currency: str
) -> pd.DataFrame:
    """Three variants of copy for each segment that occurs, each with its verdict.

    Args:
        campaigns: any frame with a ``channel`` column: where copy is needed; None without ad data.
        segments: any frame with a ``segment`` column; None or empty means no segments are known,
            and
            copy for everyone is made.
        currency: the property's currency, for whoever adds a price to a variant.

    Returns:
        One row per segment and variant: ``creative_id`` (from the words, so an approval holds for
        exactly these), ``segment, variant, headline, body, cta, channels`` (list), ``currency,
        compliance`` (green, amber, red), ``reasons`` (list), ``approval`` (always ``pending``:
        people approve).

    Raises:
        InputError: a column is missing or a segment has no templates.
    """
    channels = _distinct(campaigns, "channel")
    rows = [
        _creative(segment, variant, words, channels, currency)
        for segment in _segments(segments)
        for variant, words in zip(VARIANTS, _TEMPLATES[segment], strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def creative_id(segment: str, variant: str, words: Iterable[str]) -> str:
    """``cr-`` and 16 hex digits of the hash of segment, variant and words."""
    content = "\x1f".join((segment, variant, *words))
    return "cr-" + hashlib.sha256(content.encode()).hexdigest()[:16]


def _segments(segments: pd.DataFrame | None) -> list[str]:
    found = _distinct(segments, "segment") or [EVERYONE]
    unknown = [segment for segment in found if segment not in _TEMPLATES]
    if unknown:
        raise InputError(
            "a segment has no copy",
            column="segment",
            value=unknown[0],
            remedy="Add its templates to activation/creative.py.",
        )
    return found


def _distinct(frame: pd.DataFrame | None, column: str) -> list[str]:
    if frame is None or frame.empty:
        return []
    if column not in frame:
        raise InputError(f"the {column} table lacks a column", column=column, remedy="Add it.")
    return sorted({str(value) for value in frame[column].dropna()})


def _creative(
    segment: str, variant: str, words: tuple[str, str, str], channels: list[str], currency: str
) -> dict[str, object]:
    verdict = check(*words)
    return {
        "creative_id": creative_id(segment, variant, words),
        "segment": segment,
        "variant": variant,
        **dict(zip(("headline", "body", "cta"), words, strict=True)),
        "channels": list(channels),
        "currency": currency,
        "compliance": verdict.status,
        "reasons": list(verdict.reasons),
        "approval": PENDING,
    }
