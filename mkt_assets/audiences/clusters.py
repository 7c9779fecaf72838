"""Campaigns that behave alike, named in plain words with the numbers that set them apart.

The features are in campaign_features.py, the statistics in grouping.py; here they get names and
colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mkt_assets.audiences.campaign_features import design, matrix, prepared, totals
from mkt_assets.audiences.grouping import FEWEST_POINTS, Labels, grouped, stabilities
from mkt_assets.marts.metrics import add_kpis, kpi_sums

COLUMNS = ("campaign", "channel", "cluster", "name", "why", "colour", "stability")

#: Okabe & Ito (2008), told apart with any common colour blindness; black is kept for text
PALETTE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#56B4E9",
    "#F0E442",
    "#999999",
)


@dataclass(frozen=True)
class _Trait:
    """How a group may differ from the others, and how high and low are said."""

    column: str
    label: str
    high: str
    low: str
    style: str
    #: as in the features: decisions about spend weigh less than behaviour
    weight: float = 1.0


_TRAITS = (
    _Trait("roas", "ROAS", "better return", "weaker return", "{:,.2f}"),
    _Trait("ctr", "CTR", "often clicked", "rarely clicked", "{:.2%}"),
    _Trait("cvr", "CVR", "often converts", "rarely converts", "{:.2%}"),
    _Trait("aov", "order value", "large orders", "small orders", "{:,.2f}"),
    _Trait("cpm", "CPM", "expensive reach", "cheap reach", "{:,.2f}"),
    _Trait("daily_spend", "spend a day", "large budgets", "small budgets", "{:,.2f}", 0.3),
    _Trait("volatility", "day-to-day change of spend", "uneven spend", "even spend", "{:.0%}", 0.3),
)
#: a group within 15 % of the others is not called high or low
_ALIKE = float(np.log(1.15))
#: return leads a name only where it differs by a quarter: it is what a marketer asks first
_RETURN_LEADS = float(np.log(1.25))
#: stands for "infinitely more" where one side is zero
_VAST = float(np.log(1000.0))


def cluster_campaigns(daily: pd.DataFrame) -> pd.DataFrame:
    """Group campaigns by how they behave; the number of groups is found, and may be one.

    Args:
        daily: one row per date and campaign: ``date, channel, campaign, spend`` and, where known,
            ``impressions, clicks, conversions, revenue``.

    Returns:
        One row per campaign, sorted by name: ``campaign, channel`` (the one with most spend),
        ``cluster`` (0 has most spend), ``name``, ``why``, ``colour`` (hex), ``stability`` (0 to 1;
        1 where there is one cluster only). Empty where ``daily`` is.

    Raises:
        InputError: a needed column is missing or a campaign has no name.
    """
    sums = totals(prepared(daily))
    if sums.empty:
        return _typed(pd.DataFrame({name: [] for name in COLUMNS}))
    points = matrix(design(sums))
    labels, p_value = grouped(points)
    labels = _by_spend(labels, sums)
    stability = stabilities(points, labels)
    names, reasons = _described(sums, labels, p_value)
    frame = pd.DataFrame(
        {
            "campaign": sums.index,
            "channel": sums["channel"].to_numpy(),
            "cluster": labels,
            "name": [names[label] for label in labels],
            "why": [reasons[label] for label in labels],
            "colour": [PALETTE[label] for label in labels],
            "stability": stability[labels],
        }
    )
    return _typed(frame)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    texts = dict.fromkeys(("campaign", "channel", "name", "why", "colour"), "str")
    return frame.astype({**texts, "cluster": "int64", "stability": "float64"})[list(COLUMNS)]


def _by_spend(labels: Labels, sums: pd.DataFrame) -> Labels:
    """Number the groups by falling spend, equal ones by their first campaign."""
    spend = sums["spend"].fillna(0.0).to_numpy()
    groups = range(int(labels.max()) + 1)
    keys = [(-float(spend[labels == g].sum()), int(np.flatnonzero(labels == g)[0])) for g in groups]
    order = sorted(groups, key=lambda group: keys[group])
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[labels]


def _described(sums: pd.DataFrame, labels: Labels, p_value: float) -> tuple[list[str], list[str]]:
    """A name and a reason for each group."""
    if labels.max() == 0:
        return ["All campaigns"], [_no_structure(len(sums), p_value)]
    names: list[str] = []
    reasons: list[str] = []
    total = float(sums["spend"].sum())
    for group in range(int(labels.max()) + 1):
        inside = sums[labels == group]
        ours, theirs = _pooled(inside), _pooled(sums[labels != group])
        traits = _telling(ours, theirs)
        names.append(_unused_name(traits, names))
        share = f", {inside['spend'].sum() / total:.0%} of spend" if total > 0 else ""
        plural = "s" if len(inside) != 1 else ""
        told = "; ".join(_told(trait, ours, theirs) for trait, _ in traits[:3])
        reasons.append(f"{len(inside)} campaign{plural}{share}: {told or 'close to the average'}")
    return names, reasons


def _no_structure(count: int, p_value: float) -> str:
    if count < FEWEST_POINTS:
        are = "campaign is" if count == 1 else "campaigns are"
        return f"No structure: {count} {are} too few to form groups ({FEWEST_POINTS} are needed)"
    if np.isnan(p_value):
        return f"No structure: the {count} campaigns hardly differ in what is known of them"
    return (
        f"No structure: the {count} campaigns differ, but fall into groups no more clearly than "
        f"campaigns spread by chance (p = {p_value:.2f})"
    )


def _pooled(sums: pd.DataFrame) -> pd.Series[float]:
    """KPIs as ratios of sums over the campaigns; size and evenness of the median campaign."""
    names = ["roas", "ctr", "cvr", "aov", "cpm"]
    kpis = add_kpis(kpi_sums(sums.assign(all="all"), ["all"]), names)[names].iloc[0]
    extra = sums[["daily_spend", "volatility"]].median()
    both: pd.Series[float] = pd.concat([kpis, extra]).astype("float64")
    return both


def _telling(ours: pd.Series[float], theirs: pd.Series[float]) -> list[tuple[_Trait, float]]:
    """The traits in which the group differs, the most telling first, with the log of the factor."""
    found = []
    for trait in _TRAITS:
        factor = _log_factor(float(ours[trait.column]), float(theirs[trait.column]))
        if abs(factor) >= _ALIKE:
            found.append((trait, factor))
    return sorted(found, key=lambda pair: -abs(pair[1]) * pair[0].weight)


def _log_factor(ours: float, theirs: float) -> float:
    if np.isnan(ours) or np.isnan(theirs) or ours == theirs:
        return 0.0
    if ours <= 0 or theirs <= 0:
        return _VAST if ours > theirs else -_VAST
    return float(np.log(ours / theirs))


def _unused_name(traits: Sequence[tuple[_Trait, float]], used: Sequence[str]) -> str:
    """Two traits, return first where it differs; more only to be told apart from others."""
    leads = [t for t in traits if t[0].column == "roas" and abs(t[1]) >= _RETURN_LEADS]
    ordered = leads + [t for t in traits if t not in leads]
    words = [trait.high if factor > 0 else trait.low for trait, factor in ordered] or ["average"]
    for length in range(min(2, len(words)), len(words) + 1):
        name = ", ".join(words[:length]).capitalize()
        if name not in used:
            return name
    return f"{', '.join(words).capitalize()} ({len(used) + 1})"


def _told(trait: _Trait, ours: pd.Series[float], theirs: pd.Series[float]) -> str:
    here, there = (trait.style.format(float(side[trait.column])) for side in (ours, theirs))
    return f"{trait.label} {here} against {there} elsewhere"
