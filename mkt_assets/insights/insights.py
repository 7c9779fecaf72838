"""The five to ten things to know, by money at stake and certainty; nothing where there is nothing.

Choosing and ranking only: the stories themselves are told in stories and structure.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from mkt_assets.insights.grid import check_daily
from mkt_assets.insights.seasons import season_story
from mkt_assets.insights.stories import Context, Story, anomaly_stories, trend_stories
from mkt_assets.insights.structure import (
    budget_story,
    concentration_story,
    life_cycle_stories,
    weekday_story,
)

COLUMNS = (
    "rank", "kind", "subject", "headline", "evidence", "action", "money_at_risk", "certainty",
)  # fmt: skip
TEXTS = COLUMNS[1:6]
#: no kind and no campaign fills the list: the sixth anomaly is in the table of anomalies
KIND_LIMITS = {"anomaly": 5, "trend": 3, "life_cycle": 2}
SUBJECT_LIMIT = 2
#: below this share of four weeks' spend a story is not worth a marketer's minute
WORTH_TELLING = 0.0005


def compose(
    daily: pd.DataFrame,
    anomalies: pd.DataFrame,
    trends: pd.DataFrame,
    *,
    currency: str = "USD",
    limit: int = 10,
) -> pd.DataFrame:
    """The insights of a run, the most expected money (money at stake times certainty) first.

    Args:
        daily: as for ``anomalies.detect``.
        anomalies: what ``anomalies.detect`` returned for it.
        trends: what ``trends.compute`` returned for it.
        currency: written after amounts.
        limit: at most so many rows.

    Returns:
        ``rank`` (1 is first), ``kind``, ``subject``, one ``headline``, the ``evidence`` with the
        table and key that its numbers come from, one ``action``, ``money_at_risk`` over four weeks,
        and ``certainty``, the probability that there is something to it (``certainty_of``; 1 for
        facts). Events older than four weeks are no news. Each topic of a campaign is told once,
        by the story with the most expected money. Empty when there is nothing to say.

    Raises:
        InputError: as ``anomalies.detect``.
    """
    checked = check_daily(daily)
    if checked.empty:
        return _frame([])
    # refunds stay in: these sums must be those of the tables that the evidence names
    context = Context(checked, currency)
    stories = [
        *anomaly_stories(context, _dated(anomalies, "start", "end")),
        *trend_stories(context, _dated(trends, "window_start", "window_end")),
        *life_cycle_stories(context),
        *weekday_story(context),
        *season_story(context),
        *concentration_story(context),
        *budget_story(context),
    ]
    return _frame(_choose(stories, WORTH_TELLING * float(context.recent["spend"].sum()), limit))


def _dated(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Dates as dates: a table read back from storage may hold them as plain objects."""
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in names})


def _choose(stories: list[Story], least: float, limit: int) -> list[Story]:
    """The stories worth most, each topic once, no kind and no campaign crowding out the others."""
    ranked = sorted(stories, key=lambda s: (-float(np.nan_to_num(s.expected)), s.kind, s.subject))
    kinds: Counter[str] = Counter()
    subjects: Counter[str] = Counter()
    topics: set[tuple[str, str]] = set()
    chosen: list[Story] = []
    for story in ranked:
        full = kinds[story.kind] >= KIND_LIMITS.get(story.kind, 1)
        full = full or subjects[story.subject] >= SUBJECT_LIMIT or len(chosen) >= limit
        if full or story.topic in topics or not story.expected >= least or not story.money > 0:
            continue
        kinds[story.kind] += 1
        subjects[story.subject] += 1
        topics.add(story.topic)
        chosen.append(story)
    return chosen


def _frame(stories: list[Story]) -> pd.DataFrame:
    rows = [(rank, *_row(story)) for rank, story in enumerate(stories, start=1)]
    out = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = {"rank": "int64", "money_at_risk": "float64", "certainty": "float64"}
    return out.astype(numbers | dict.fromkeys(TEXTS, "str"))


def _row(s: Story) -> tuple[object, ...]:
    said = (s.kind, s.subject, s.headline, s.evidence, s.action)
    return (*said, round(s.money, 2), round(s.certainty, 4))
