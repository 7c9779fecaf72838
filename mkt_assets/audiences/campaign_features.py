"""What a campaign looks like in numbers: sums over its days, and the features for clusters.

What stays out: forming clusters (grouping.py) and speaking about them (clusters.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from mkt_assets.errors import InputError
from mkt_assets.marts.metrics import kpi_sums, kpi_value, ratio_sums

NEEDED = ("date", "channel", "campaign", "spend")
COUNTED = ("spend", "impressions", "clicks", "conversions", "revenue")

#: How much one natural-log unit of a feature counts. The four ratios are a basis: CPC, CPA, ROAS
#: and ROI are sums and differences of their logs, so adding those would count the same fact twice.
#: Size and evenness of spend are what somebody decided, not how the campaign behaves, so they only
#: tip the balance.
WEIGHTS = {
    "cpm": 1.0,
    "ctr": 1.0,
    "cvr": 1.0,
    "aov": 1.0,
    "daily_spend": 0.3,
    "volatility": 0.3,
}
#: fewer running days than this say nothing about how even the spend is
_FEWEST_DAYS = 8
#: day-to-day changes below 2 % are rounding and pacing, not unevenness
_EVEN = 0.02
#: robust standard deviations beyond which a feature counts no more, so that one odd campaign does
#: not set the scale
_FAR = 4.0
_MAD_TO_SD = 1.4826
#: a feature known of fewer campaigns than this would mostly be made up
_KNOWN = 0.5


def prepared(daily: pd.DataFrame) -> pd.DataFrame:
    """``daily`` with every counted column as float, and its rows in one order.

    Raises:
        InputError: a needed column is missing or a campaign has no name.
    """
    for name in NEEDED:
        if name not in daily:
            raise InputError("the campaign table lacks a column", column=name, remedy="Add it.")
    if daily["campaign"].isna().any():
        raise InputError("a row has no campaign", column="campaign", remedy="Name each campaign.")
    frame = daily[["date", "channel", "campaign"]].copy()
    for name in COUNTED:
        known = daily[name] if name in daily else pd.Series(np.nan, index=daily.index)
        frame[name] = pd.to_numeric(known).astype("float64")
    return frame.sort_values([*frame.columns], kind="stable").reset_index(drop=True)


def totals(frame: pd.DataFrame) -> pd.DataFrame:
    """Per campaign, sorted by name: channel with most spend, sums, days, daily spend, volatility.

    The sums are those of ``kpi_sums``. A sum over nothing but missing values is missing.
    """
    sums = kpi_sums(frame, ["campaign"])
    sums["days"] = frame.groupby("campaign", sort=True)["date"].nunique()
    sums["daily_spend"] = sums["spend"] / sums["days"]
    sums["volatility"] = _volatility(frame).reindex(sums.index)
    by_channel = frame.groupby(["campaign", "channel"], sort=True)["spend"].sum().reset_index()
    largest = by_channel.sort_values(["campaign", "spend"], ascending=[True, False], kind="stable")
    channels = largest.drop_duplicates("campaign").set_index("campaign")["channel"]
    sums.insert(0, "channel", channels.reindex(sums.index).fillna("(none)"))
    return sums


def design(sums: pd.DataFrame) -> pd.DataFrame:
    """The features of :func:`totals`: weighted logs around the median campaign, far ones drawn in.

    Logs because the ratios are skewed and a factor of two should count alike at any level, which
    also makes the result independent of the currency. They are not scaled one by one: that would
    blow up a feature in which the campaigns hardly differ. Counts get half an event added, so that
    a campaign without conversions has a finite place. What is unknown of one campaign is set to the
    median, which says nothing; a feature known of fewer than half the campaigns is left out.
    """
    spend = sums["spend"].where(sums["spend"] > 0)
    logs = pd.DataFrame(
        {
            # per impression: a factor of 1000 is the same for all
            "cpm": _log_ratio(sums, "cost_per_impression"),
            "ctr": _log_ratio(sums, "ctr", added=0.5),
            "cvr": _log_ratio(sums, "cvr", added=0.5),
            "aov": _log_ratio(sums, "aov"),
            "daily_spend": np.log(spend / sums["days"]),
            "volatility": np.log(sums["volatility"] + _EVEN),
        },
        index=sums.index,
    )
    logs = logs.loc[:, logs.notna().mean() >= _KNOWN]
    centred = (logs - logs.median()).fillna(0.0)
    limit = _FAR * _MAD_TO_SD * centred.abs().median()
    limit = limit.where(limit > 0, np.inf)
    drawn_in = centred.clip(lower=-limit, upper=limit, axis=1)
    weights = pd.Series(WEIGHTS).reindex(drawn_in.columns)
    weighted: pd.DataFrame = drawn_in * weights
    return weighted


def _log_ratio(sums: pd.DataFrame, ratio: str, added: float = 0.0) -> npt.NDArray[np.float64]:
    """The log of a ratio with so many events, and twice as many chances, added; NaN where none."""
    (above, top), (below, bottom) = ratio_sums(sums, ratio).items()
    known = {
        above: np.where(top + added > 0, top + added, np.nan),
        below: np.where(bottom > 0, bottom + 2 * added, np.nan),
    }
    return np.log(kpi_value(ratio, **known))


def matrix(features: pd.DataFrame) -> npt.NDArray[np.float64]:
    """The values of :func:`design` as a campaigns by features array."""
    return features.to_numpy(dtype="float64")


def _volatility(frame: pd.DataFrame) -> pd.Series[float]:
    """Median relative change of spend from one running day to the next, per campaign."""
    running = frame[frame["spend"] > 0]
    logs = np.log(running["spend"])
    change = logs.groupby(running["campaign"]).diff().abs()
    steps = change.groupby(running["campaign"])
    middle: pd.Series[float] = np.expm1(steps.median()).where(steps.count() >= _FEWEST_DAYS)
    return middle
