"""Visitors in seven segments by recency, frequency and money, with limits that are stated.

Whether a visitor may be used for advertising is passed through from consent and never derived from
behaviour. What stays out: names, contact data, anything but the pseudonymous key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mkt_assets.errors import InputError

#: what a segment is told from, as the table shows it
_FEATURES = (
    "days_since_last_seen",
    "sessions",
    "engaged_sessions",
    "item_views",
    "purchases",
    "revenue",
)
COLUMNS = (
    "user_key",
    "segment",
    "features",
    "recency_days",
    "frequency",
    "monetary",
    "ads_eligible",
)

#: one purchase is a try, the second a habit
_AGAIN = 2

#: in the order in which the rules are tried, but for the last
SEGMENTS = (
    "Champions",
    "Lapsing buyers",
    "Loyal buyers",
    "New buyers",
    "Lapsing visitors",
    "Browsers without purchase",
    "Other visitors",
)
#: a payload never names fewer people than this: a small audience points at persons
SMALLEST_AUDIENCE = 50

#: three visitors of four came back sooner than this; the bounds keep a quiet or a busy month from
#: absurd limits
_LAPSE_SHARE, _LAPSE_LEAST, _LAPSE_MOST = 0.75, 14.0, 90.0
#: the upper quarter of buyers by money
_MONEY_SHARE = 0.75
_COUNTS = ("sessions", "engaged_sessions", "purchases", "days_since_last_seen", "item_views")


@dataclass(frozen=True)
class Limits:
    """Where segments part: both are values that occur in the data, or a stated bound."""

    #: a visitor last seen longer ago than this is lapsing
    lapse_days: float
    #: a champion has brought at least this; infinite where nobody bought
    champion_money: float

    def sentences(self) -> dict[str, str]:
        """Segment to rule, as told to a person; the first rule that fits decides."""
        lapse, money = f"{self.lapse_days:g} days", f"{self.champion_money:,.2f}"
        return {
            "Champions": f"2 or more purchases worth {money} or more, seen within {lapse}",
            "Lapsing buyers": f"bought, but last seen more than {lapse} ago",
            "Loyal buyers": "2 or more purchases",
            "New buyers": "1 purchase",
            "Lapsing visitors": f"never bought, last seen more than {lapse} ago",
            "Browsers without purchase": "looked at items or engaged twice, never bought",
            "Other visitors": "everybody else",
        }


def limits(features: pd.DataFrame) -> Limits:
    """The limits for this set of visitors: order statistics, so one giant order moves nothing."""
    recency = features["days_since_last_seen"].astype("float64")
    money = features.loc[features["purchases"] > 0, "revenue"].astype("float64").dropna()
    lapse = recency.quantile(_LAPSE_SHARE, interpolation="lower") if len(recency) else _LAPSE_LEAST
    champion = money.quantile(_MONEY_SHARE, interpolation="lower") if len(money) else np.inf
    return Limits(float(np.clip(lapse, _LAPSE_LEAST, _LAPSE_MOST)), float(champion))


def segment_users(features: pd.DataFrame) -> pd.DataFrame:
    """Put each visitor into exactly one segment.

    Args:
        features: one row per ``user_key``: ``sessions, engaged_sessions, purchases, revenue,
            days_since_last_seen, item_views, ads_eligible``. Revenue may be missing; anything but
            True in ``ads_eligible`` is not eligible.

    Returns:
        ``user_key, segment, features`` (JSON of what the segment was told from),
        ``recency_days, frequency`` (sessions), ``monetary`` (revenue),
        ``ads_eligible``, sorted by key.

    Raises:
        InputError: a column is missing, a key is missing or repeated, a count is missing or
            negative.
    """
    _refuse(features)
    frame = features.sort_values("user_key", kind="stable").reset_index(drop=True)
    parts = limits(frame)
    bought, lapsed = frame["purchases"] > 0, frame["days_since_last_seen"] > parts.lapse_days
    again = frame["purchases"] >= _AGAIN
    looked = (frame["item_views"] > 0) | (frame["engaged_sessions"] >= _AGAIN)
    # a missing revenue is below any limit
    rich = frame["revenue"].astype("float64") >= parts.champion_money
    rules = [again & rich & ~lapsed, bought & lapsed, again, bought, lapsed, looked]
    segment = np.select([rule.to_numpy(dtype=bool) for rule in rules], SEGMENTS[:-1], SEGMENTS[-1])
    return pd.DataFrame(
        {
            "user_key": frame["user_key"].astype("str"),
            "segment": pd.Series(segment, dtype="str"),
            "features": [_told(*row) for row in frame[list(_FEATURES)].itertuples(index=False)],
            "recency_days": frame["days_since_last_seen"].astype("int64"),
            "frequency": frame["sessions"].astype("int64"),
            "monetary": frame["revenue"].astype("float64"),
            "ads_eligible": _granted(frame["ads_eligible"]),
        }
    )[list(COLUMNS)]


def segment_sizes(segments: pd.DataFrame, minimum: int = SMALLEST_AUDIENCE) -> pd.DataFrame:
    """How many visitors of each segment may be advertised to; no total to subtract from.

    Args:
        segments: the result of :func:`segment_users`.
        minimum: audiences smaller than this are suppressed.

    Returns:
        One row per segment in a fixed order: ``segment``, ``eligible_users`` (missing where
        suppressed), ``suppressed``.
    """
    granted = segments.loc[_granted(segments["ads_eligible"]), "segment"]
    counts = granted.value_counts().reindex(list(SEGMENTS), fill_value=0)
    small = counts < max(minimum, 1)
    sizes = counts.astype("Int64").mask(small)
    return pd.DataFrame(
        {
            "segment": list(SEGMENTS),
            "eligible_users": sizes.to_numpy(),
            "suppressed": small.to_numpy(),
        }
    ).astype({"segment": "str", "eligible_users": "Int64", "suppressed": "bool"})


def _told(*values: float) -> str:
    known = {n: None if pd.isna(v) else v for n, v in zip(_FEATURES, values, strict=True)}
    return json.dumps(known, default=float)


def _granted(column: pd.Series) -> pd.Series[bool]:
    """True only where consent says True: missing, 'yes' or 1 is not a grant."""
    return column.map(lambda value: isinstance(value, (bool, np.bool_)) and bool(value)).astype(
        "bool"
    )


def _refuse(features: pd.DataFrame) -> None:
    """Raise on what no segment can be made of; values are not shown, they belong to persons."""
    for name in ("user_key", *_COUNTS, "revenue", "ads_eligible"):
        if name not in features:
            raise InputError("the visitor table lacks a column", column=name, remedy="Add it.")
    keys = features["user_key"]
    if keys.isna().any() or keys.duplicated().any():
        raise InputError(
            "a visitor has no key, or more than one row",
            column="user_key",
            remedy="Give one row per visitor, and leave out events without an id.",
        )
    for name in _COUNTS:
        wrong = ~(features[name].astype("float64") >= 0)
        if wrong.any():
            row = int(np.flatnonzero(wrong.to_numpy())[0]) + 1
            raise InputError("a count is missing or negative", row=row, column=name)
