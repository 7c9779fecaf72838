"""What an A/B test says: did the split hold, what is the lift, how sure is it, what to do.

The tests here are for one look at a planned end: looking daily and stopping at the first p < 0.05
finds a winner far too often. A visitor counts once, on the day of assignment, so that days can be
added up. Weekdays convert differently, which is the same in both arms as long as the planned split
does not change; where it changed during a test, pooling is biased and the test is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mkt_assets.errors import InputError
from mkt_assets.experiments.statistics import (
    ALPHA,
    difference_interval,
    proportion_p,
    proportion_power,
    smallest_effect,
    split_p,
    welch,
)

COLUMNS = (
    "test",
    "n_a",
    "n_b",
    "rate_a",
    "rate_b",
    "diff",
    "lift",
    "p_value",
    "ci_lo",
    "ci_hi",
    "srm_p",
    "srm",
    "mde",
    "power",
    "rev_diff",
    "rev_lift",
    "rev_p",
    "rev_ci_lo",
    "rev_ci_hi",
    "decision",
)
#: a fair split fails one time in a thousand: this alarm should mean something (Fabijan et al., KDD
#: 2019)
SRM_ALPHA = 0.001
#: the relative lift that `power` is stated for: small enough to matter, large enough to be found
_STATED_LIFT = 0.10

SHIP, KEEP, RUN = "ship B", "keep A", "keep running"
REVIEW = "review: conversions up, revenue down"
NO_EVENTS = "keep running: nobody or everybody converted"
INVALID_SRM = "invalid: sample ratio mismatch"
INVALID_ARM = "invalid: an arm has no users"
INVALID_SPLIT = "invalid: the planned split changed"
DECISIONS = (SHIP, KEEP, RUN, REVIEW, NO_EVENTS, INVALID_SRM, INVALID_ARM, INVALID_SPLIT)

_KEY = ["test", "day", "arm"]
_SUMS = ["users", "conversions", "revenue", "revenue_sq"]
#: rounding of stored sums, not a wrong sum
_SLACK = 1e-6


def analyse(daily: pd.DataFrame) -> pd.DataFrame:
    """Analyse each test on all its days.

    Args:
        daily: one row per ``test, day, arm`` (A or B) with ``expected_share`` (of the traffic,
            planned),
            ``users``, ``conversions`` (converted users), and, where known, ``revenue`` and
            ``revenue_sq`` (the sum of squared revenues of single users).

    Returns:
        One row per test, sorted: sizes, conversion rates, ``diff`` (B - A), ``lift`` (relative),
        two-sided ``p_value`` (score test), ``ci_lo, ci_hi`` (95 %, of ``diff``, Newcombe),
        ``srm_p``, ``srm``, ``mde`` (difference found with 80 % power at these sizes), ``power`` (to
        find a relative lift of 10 %), ``rev_*`` (revenue per user: absolute and relative
        difference, Welch's test, 95 % interval of ``rev_diff``) and ``decision``. What cannot be
        computed is missing. The p-values, intervals and ``lift`` of a test with a broken split are
        shown, but must not be acted on.

    Raises:
        InputError: a column is missing, a row repeated, an arm unknown, a count missing, negative
            or
            impossible, or the planned shares do not add up to one.
    """
    frame = _checked(daily)
    rows = [_analysed(test, days) for test, days in frame.groupby("test", sort=True)]
    result = pd.DataFrame(rows, columns=list(COLUMNS))
    types = dict.fromkeys(COLUMNS, "float64") | {"n_a": "int64", "n_b": "int64"}
    texts = {"test": "str", "decision": "str", "srm": "bool"}
    return result.astype(types | texts)


def _analysed(test: object, days: pd.DataFrame) -> dict[str, Any]:
    sums = days.groupby("arm")[_SUMS].sum(min_count=1).reindex(["A", "B"])
    users, wins = sums["users"].fillna(0.0).to_numpy(), sums["conversions"].fillna(0.0).to_numpy()
    n_a, n_b, x_a, x_b = (float(v) for v in (*users, *wins))
    row: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan)
    row |= {"test": str(test), "n_a": n_a, "n_b": n_b, "srm": False}
    rate_a = x_a / n_a if n_a else np.nan
    rate_b = x_b / n_b if n_b else np.nan
    row |= {"rate_a": rate_a, "rate_b": rate_b}
    shares = _shares_of_b(days)
    if len(shares) > 1:
        return row | {"decision": INVALID_SPLIT}
    row["srm_p"] = split_p(n_a, n_b, shares[0])
    row["srm"] = bool(row["srm_p"] < SRM_ALPHA)
    if not (n_a and n_b):
        return row | {"decision": INVALID_ARM}
    diff = rate_b - rate_a
    row |= {"diff": diff, "lift": diff / rate_a if rate_a else np.nan}
    row["p_value"] = proportion_p(x_a, n_a, x_b, n_b)
    row["ci_lo"], row["ci_hi"] = difference_interval(x_a, n_a, x_b, n_b)
    pooled = (x_a + x_b) / (n_a + n_b)
    row["mde"] = smallest_effect(pooled, n_a, n_b)
    row["power"] = proportion_power(rate_a, rate_a * (1 + _STATED_LIFT), n_a, n_b)
    row |= _revenue(sums, n_a, n_b)
    return row | {"decision": _decision(row)}


def _revenue(sums: pd.DataFrame, n_a: float, n_b: float) -> dict[str, Any]:
    (total_a, squares_a), (total_b, squares_b) = (
        (float(total), float(squares))
        for total, squares in zip(sums["revenue"], sums["revenue_sq"], strict=True)
    )
    mean_a, mean_b = total_a / n_a, total_b / n_b
    p_value, low, high = welch((total_a, squares_a, n_a), (total_b, squares_b, n_b))
    diff = mean_b - mean_a
    return {
        "rev_diff": diff,
        "rev_lift": diff / mean_a if mean_a else np.nan,
        "rev_p": p_value,
        "rev_ci_lo": low,
        "rev_ci_hi": high,
    }


def _decision(row: dict[str, Any]) -> str:
    """What to do; the split first, since a broken one makes the rest meaningless."""
    p_value, diff, rev_hi = (row[name] for name in ("p_value", "diff", "rev_ci_hi"))
    if row["srm"]:
        return INVALID_SRM
    if np.isnan(p_value):
        return NO_EVENTS
    if p_value >= ALPHA:
        return RUN
    if diff < 0:
        return KEEP
    return REVIEW if rev_hi < 0 else SHIP


def _shares_of_b(days: pd.DataFrame) -> list[float]:
    """The planned shares of arm B that occur; one, unless the split was changed."""
    of_b = np.where(days["arm"] == "B", days["expected_share"], 1 - days["expected_share"])
    return sorted({round(float(share), 9) for share in of_b})


def _checked(daily: pd.DataFrame) -> pd.DataFrame:
    frame = daily.copy()
    for name in ("revenue", "revenue_sq"):
        if name not in frame:
            frame[name] = np.nan
    for name in (*_KEY, "expected_share", "users", "conversions"):
        if name not in frame:
            raise InputError("the experiment table lacks a column", column=name, remedy="Add it.")
    _refuse_rows(frame)
    for name in ("expected_share", *_SUMS):
        frame[name] = frame[name].astype("float64")
    frame = frame.sort_values(_KEY, kind="stable").reset_index(drop=True)
    _refuse_sums(frame)
    return frame


def _refuse_rows(frame: pd.DataFrame) -> None:
    counts, share = frame[["users", "conversions"]].astype("float64"), frame["expected_share"]
    money = frame["revenue_sq"].astype("float64")
    rules = (
        ("arm", ~frame["arm"].isin(["A", "B"]), "an arm is neither A nor B"),
        ("day", frame[_KEY].isna().any(axis=1), "a row has no test, day or arm"),
        ("day", frame.duplicated(_KEY), "a test, day and arm occurs twice"),
        (
            "expected_share",
            ~share.astype("float64").between(0, 1, "neither"),
            "a planned share is not between 0 and 1",
        ),
        ("users", ~(counts["users"] >= 0), "a number of users is missing or negative"),
        (
            "conversions",
            ~(counts["conversions"] >= 0),
            "a number of conversions is missing or negative",
        ),
        ("users", (counts % 1 != 0).any(axis=1), "users and conversions must be whole numbers"),
        ("revenue_sq", money < 0, "a sum of squares is negative"),
    )
    for column, wrong, problem in rules:
        if wrong.any():
            row = int(np.flatnonzero(wrong.to_numpy())[0])
            value = frame[column].iloc[row]
            raise InputError(problem, row=row + 1, column=column, value=value)


def _refuse_sums(frame: pd.DataFrame) -> None:
    """What only shows over the days: more converted users than users, squares that cannot be."""
    sums = frame.groupby(["test", "arm"])[_SUMS].sum(min_count=1)
    impossible = (
        ("conversions", sums["conversions"] > sums["users"], "more converted users than users"),
        (
            "revenue_sq",
            sums["revenue_sq"] * sums["users"] < sums["revenue"] ** 2 * (1 - _SLACK),
            "revenue_sq is less than its users and revenue allow",
        ),
    )
    for column, wrong, problem in impossible:
        if wrong.any():
            test, arm = wrong.index[int(np.flatnonzero(wrong.to_numpy())[0])]
            remedy = (
                f"Count each user of test {test}, arm {arm} once, and square each user's revenue."
            )
            raise InputError(problem, column=column, remedy=remedy)
    planned = frame.pivot_table(index=["test", "day"], columns="arm", values="expected_share")
    planned = planned.reindex(columns=["A", "B"]).dropna()
    off = (planned.sum(axis=1) - 1).abs() > _SLACK
    if off.any():
        test, day = off.index[int(np.flatnonzero(off.to_numpy())[0])]
        raise InputError(
            f"the planned shares of test {test} on {day} do not add up to 1",
            column="expected_share",
        )
