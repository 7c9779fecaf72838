"""What the season is about to do, when a year ago the same weeks moved revenue beyond chance.

Only from more than a year of history; single weekdays are told in structure.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mkt_assets.insights.stories import RECENT_DAYS, Context, Story, certainty_of

#: 52 whole weeks: the same season and the same weekdays
YEAR_DAYS = 364
#: a season is worth a word if it moved revenue by this much, and hardly by chance
CLEAR_CHANGE, SURE_P = 0.15, 0.01


def season_story(context: Context) -> list[Story]:
    """The four weeks ahead, by what followed the same four weeks in every year known."""
    known = context.daily[context.daily["revenue"].notna()]
    revenue = known.groupby("date")["revenue"].sum()
    logs = [_step(revenue, context.last - pd.Timedelta(days=YEAR_DAYS * n)) for n in (1, 2)]
    steps = [step for step in logs if step is not None]
    # the last year must have moved beyond chance; an older year must not contradict it
    if logs[0] is None or logs[0][1] >= SURE_P or abs(logs[0][0]) < np.log1p(CLEAR_CHANGE):
        return []
    if any(np.sign(step) != np.sign(logs[0][0]) for step, _ in steps):
        return []
    return [_story(context, revenue, float(np.exp(np.mean([step for step, _ in steps]))), steps)]


def _step(revenue: pd.Series, end: pd.Timestamp) -> tuple[float, float] | None:
    """Log change of weekly revenue from the four weeks up to ``end`` to the next, and its p-value.

    None unless every day of both is known and every week has revenue.
    """
    from scipy.stats import ttest_ind

    first = end - pd.Timedelta(days=RECENT_DAYS - 1)
    days = pd.date_range(first, periods=2 * RECENT_DAYS)
    if not days.isin(revenue.index).all():
        return None
    weeks = revenue.loc[days].to_numpy("float64").reshape(-1, 7).sum(axis=1)
    if (weeks <= 0).any():
        return None
    before, after = np.split(np.log(weeks), 2)
    step = float(after.mean() - before.mean())
    if np.ptp(before) == 0 and np.ptp(after) == 0:
        return step, 0.0 if step else 1.0
    return step, float(ttest_ind(before, after, equal_var=True).pvalue)


def _story(
    context: Context, revenue: pd.Series, ratio: float, steps: list[tuple[float, float]]
) -> Story:
    start = context.last - pd.Timedelta(days=YEAR_DAYS + RECENT_DAYS - 1)
    end = context.last - pd.Timedelta(days=YEAR_DAYS - RECENT_DAYS)
    turn = context.last - pd.Timedelta(days=YEAR_DAYS)
    before = context.money(float(revenue.loc[start:turn].sum()))
    after = context.money(float(revenue.loc[turn + pd.Timedelta(days=1) : end].sum()))
    rises, years = ratio > 1, "a year ago" if len(steps) == 1 else "in each of the last two years"
    now = float(context.recent["revenue"].sum())
    return Story(
        kind="seasonality",
        subject="season",
        headline=f"The season turns: revenue {'rose' if rises else 'fell'} by "
        f"{abs(ratio - 1):.0%} in the next four weeks {years}",
        evidence=f"Revenue went from {before} to {after} last year, beyond the usual scatter of "
        f"weeks (p = {steps[0][1]:.2g}). Table kpi_daily, key date from {start:%Y-%m-%d} to "
        f"{end:%Y-%m-%d}, halves of four weeks.",
        action="Plan budget and stock for the rise before it begins."
        if rises
        else "Plan lower budgets for the weeks ahead and do not take the fall for a fault.",
        money=now * abs(ratio - 1),
        topic=("account", "season"),
        certainty=certainty_of(steps[0][1]),
    )
