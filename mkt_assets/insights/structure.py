"""Stories about the account as a whole: weekdays, beginnings and ends, concentration, budget.

Each is told only when chance is an unlikely explanation; the words of one campaign are in stories.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mkt_assets.insights.stories import RECENT_DAYS, Context, Story, certainty_of, day
from mkt_assets.marts.metrics import kpi_frame

#: a campaign younger than this is new; one without spend for this long has ended
NEW_DAYS, ENDED_DAYS = 14, 7
#: a weekday is weak if its return is this much lower, week after week
WEAK_WEEKDAY, WEEKDAY_WEEKS, WEEKDAY_LEAST_WEEKS = 0.85, 8, 4
#: chance of calling any of seven weekdays weak for nothing
WEEKDAY_P = 0.05 / 7
#: from this share of revenue on, one campaign carries the account (among three or more)
CONCENTRATED, CONCENTRATION_LEAST = 0.5, 3
#: what a bad month of that campaign would look like
SETBACK = 0.2
#: moving a tenth is a test, not a bet; returns must differ by a quarter and beyond chance
SHIFT, SHIFT_RATIO, SHIFT_Z, SHIFT_LEAST_DAYS = 0.10, 1.25, 3.0, 14
WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def weekday_story(context: Context) -> list[Story]:
    """The weekday whose return is lowest, if it is so week after week."""
    since = context.last - pd.Timedelta(days=7 * WEEKDAY_WEEKS - 1)
    window = context.daily[(context.daily["date"] >= since) & context.daily["revenue"].notna()]
    by_day = kpi_frame(window, ["date"])
    weeks = (context.last - by_day["date"]).dt.days // 7
    table = by_day.assign(week=weeks, weekday=by_day["date"].dt.day_of_week)
    # a week has each weekday once
    returns = table.pivot_table("roas", index="week", columns="weekday", aggfunc="first").dropna()
    if (
        len(returns) < WEEKDAY_LEAST_WEEKS
        or returns.shape[1] < len(WEEKDAYS)
        or (returns <= 0).any(axis=None)
    ):
        return []
    logs = np.log(returns.to_numpy("float64"))
    gaps = logs - (logs.sum(axis=1, keepdims=True) - logs) / 6
    worst = int(gaps.mean(axis=0).argmin())
    by_chance = _one_sided_p(gaps[:, worst])
    if by_chance >= WEEKDAY_P:
        return []
    mine, others = table[table["weekday"] == worst], table[table["weekday"] != worst]
    low, high = _roas(mine), _roas(others)
    if low > WEAK_WEEKDAY * high:
        return []
    spent = float(mine.loc[mine["week"] < RECENT_DAYS // 7, "spend"].sum())
    name = WEEKDAYS[worst]
    return [
        Story(
            kind="day_of_week",
            subject=name,
            headline=f"{name} return {1 - low / high:.0%} less per {context.currency} spent "
            "than the other days",
            evidence=f"Return on ad spend of {low:.2f} on {name} against {high:.2f} on the other "
            f"days, in {len(returns)} whole weeks. Table kpi_daily, key date from "
            f"{since:%Y-%m-%d} to {context.last:%Y-%m-%d}.",
            action=f"Test lower bids on {name} and move the money to the better days.",
            money=spent * (high - low),
            topic=("account", "weekday"),
            # the weakest of seven was picked
            certainty=certainty_of(len(WEEKDAYS) * by_chance),
        )
    ]


def _one_sided_p(gaps: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Chance of a mean so far below zero if the weekday were like the others (t-test)."""
    from scipy.special import stdtr

    error = float(gaps.std(ddof=1)) / np.sqrt(len(gaps))
    if error == 0:
        return 0.0 if gaps.mean() < 0 else 1.0
    return float(stdtr(len(gaps) - 1, gaps.mean() / error))


def _roas(frame: pd.DataFrame) -> float:
    sums = kpi_frame(frame[["spend", "revenue"]].assign(all=0), ["all"])
    return float(sums["roas"].iloc[0])


def life_cycle_stories(context: Context) -> list[Story]:
    """Campaigns that have just begun, and campaigns that have just ended."""
    running = context.daily[context.daily["spend"] > 0]
    begun, ended = (running.groupby("campaign")["date"].agg(f) for f in ("min", "max"))
    first = context.daily["date"].min()
    out: list[Story] = []
    for name in begun.index:
        start, end = pd.Timestamp(begun[name]), pd.Timestamp(ended[name])
        age, silent = (context.last - start).days + 1, (context.last - end).days
        if age <= NEW_DAYS and (start - first).days >= RECENT_DAYS:
            out.append(_new(context, str(name), start, age))
        elif ENDED_DAYS <= silent < RECENT_DAYS:
            out.append(_ended(context, str(name), end))
    return out


def _new(context: Context, name: str, start: pd.Timestamp, age: int) -> Story:
    mine = context.daily[(context.daily["campaign"] == name) & (context.daily["date"] >= start)]
    spent = float(mine["spend"].sum())
    return Story(
        kind="life_cycle",
        subject=name,
        headline=f"{name} is new: it started on {day(start)}",
        evidence=f"{context.money(spent)} spent in its first {age} days, too few for a verdict. "
        f"Table marketing_kpi, key campaign={name}, date from {start:%Y-%m-%d}.",
        action="Leave it alone for two weeks, then judge it on its own numbers.",
        money=spent,
        topic=(name, "life"),
    )


def _ended(context: Context, name: str, end: pd.Timestamp) -> Story:
    since = end - pd.Timedelta(days=RECENT_DAYS - 1)
    mine = context.daily[(context.daily["campaign"] == name) & (context.daily["date"] >= since)]
    revenue, spent = float(mine["revenue"].sum()), float(mine["spend"].sum())
    return Story(
        kind="life_cycle",
        subject=name,
        headline=f"{name} has stopped: no spend since {day(end)}",
        evidence=f"In its last {RECENT_DAYS} days it spent {context.money(spent)} and brought "
        f"{context.money(revenue)}. Table marketing_kpi, key campaign={name}, "
        f"date from {since:%Y-%m-%d} to {end:%Y-%m-%d}.",
        action="If it was to end, reassign its budget; if not, find out what stopped it.",
        money=max(revenue, spent),
        topic=(name, "delivery"),
    )


def concentration_story(context: Context) -> list[Story]:
    """One campaign that carries half of the revenue or more."""
    revenue = context.recent.groupby("campaign")["revenue"].sum()
    revenue = revenue[revenue > 0].sort_values(ascending=False, kind="stable")
    if len(revenue) < CONCENTRATION_LEAST or revenue.iloc[0] < CONCENTRATED * revenue.sum():
        return []
    name, top, share = revenue.index[0], float(revenue.iloc[0]), revenue.iloc[0] / revenue.sum()
    return [
        Story(
            kind="concentration",
            subject=str(name),
            headline=f"{share:.0%} of the revenue hangs on {name} alone",
            evidence=f"{context.money(top)} of {context.money(float(revenue.sum()))}; a setback of "
            f"{SETBACK:.0%} would cost {context.money(SETBACK * top)} in four weeks. Table "
            f"marketing_kpi, key campaign={name}, date from {context.span}.",
            action="Watch it daily and build up a second campaign before you need it.",
            money=SETBACK * top,
            topic=("account", "concentration"),
        )
    ]


def budget_story(context: Context) -> list[Story]:
    """The shift of budget between two campaigns that promises most, if their returns differ."""
    table = _returns(context.recent)
    pairs = [
        (_gain(low, high), low, high)
        for low in table.itertuples()
        for high in table.itertuples()
        if _clearly_better(low, high)
    ]
    if not pairs:
        return []
    (amount, money), low, high = max(pairs, key=lambda p: (p[0][1], str(p[1]), str(p[2])))
    return [
        Story(
            kind="budget_shift",
            subject=str(high.Index),
            headline=f"{context.money(amount)} of four weeks' budget would earn more in "
            f"{high.Index} than in {low.Index}",
            evidence=f"Return on ad spend of {high.roas:.2f} against {low.roas:.2f}, a difference "
            f"beyond chance. Half of it is counted, since more money earns less than the average. "
            f"Table marketing_kpi, key campaign={high.Index} and {low.Index}, "
            f"date from {context.span}.",
            action=f"Test it: move {context.money(amount / RECENT_DAYS)} a day for two weeks and "
            "compare.",
            money=money,
            topic=("account", "budget"),
            certainty=_difference_certainty(low, high),
        )
    ]


def _returns(recent: pd.DataFrame) -> pd.DataFrame:
    """ROAS of each campaign with its standard error (ratio estimator over days)."""
    known = recent[recent["revenue"].notna() & (recent["spend"] > 0)]
    table = kpi_frame(known, ["campaign"]).set_index("campaign")
    table["days"] = known.groupby("campaign").size()
    fitted = known["campaign"].map(table["roas"]).astype("float64") * known["spend"]
    square = (known["revenue"] - fitted).pow(2).groupby(known["campaign"]).sum()
    correction = table["days"] / (table["days"] - 1).clip(lower=1)
    table["error"] = np.sqrt(square * correction) / table["spend"]
    return table.loc[table["days"] >= SHIFT_LEAST_DAYS, ["spend", "roas", "error"]]


def _clearly_better(low: Any, high: Any) -> bool:
    beyond_chance = high.roas - low.roas > SHIFT_Z * np.hypot(low.error, high.error)
    return bool(beyond_chance and high.roas >= SHIFT_RATIO * low.roas)


def _difference_certainty(low: Any, high: Any) -> float:
    from scipy.special import ndtr

    error = float(np.hypot(low.error, high.error))
    return certainty_of(float(ndtr((low.roas - high.roas) / error))) if error else 1.0


def _gain(low: Any, high: Any) -> tuple[float, float]:
    """The amount to move in four weeks, and what half the difference in return makes of it."""
    amount = SHIFT * min(low.spend, high.spend)
    return amount, amount * (high.roas - low.roas) / 2
