"""Keys of broken rows that may be shown: one that looks personal is told by its kind alone.

A rule can be broken because something personal came where a name of a campaign belongs. Its sample
would carry that into Dagster's metadata and the data docs, so the key is left out; the rule and its
counts stay. What stays out: scanning the table itself, which is the scan's work.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mkt_assets.privacy.judging import kinds
from mkt_assets.quality.outcomes import Outcome


def showable(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The outcomes; ``(withheld: email)`` stands for a part of a key that is an e-mail address."""
    return [replace(o, samples=tuple(map(_showable, o.samples))) for o in outcomes]


def _showable(sample: str) -> str:
    # the rest of a key still says which row it is
    return ", ".join(map(_part, sample.split(", ")))


def _part(part: str) -> str:
    found = kinds(part)
    return f"(withheld: {', '.join(found)})" if found else part
