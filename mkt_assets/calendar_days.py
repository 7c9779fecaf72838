"""Which days can be asked for, in the property's time zone; no Dagster, so a refusal is quick."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from mkt_assets.errors import MktError
from mkt_assets.settings import Settings


def today(settings: Settings) -> date:
    """The current date in the property's time zone."""
    return datetime.now(settings.tz).date()


def last_complete_day(settings: Settings) -> date:
    """Yesterday, in the property's time zone."""
    return today(settings) - timedelta(days=1)


def late_window(settings: Settings, last: date) -> tuple[date, date]:
    """``last`` and the days before it that GA4 may still rewrite."""
    return max(last - timedelta(days=settings.late_days), settings.start_date), last


def refuse_odd_days(settings: Settings, first: date, last: date) -> None:
    """Raise unless ``first`` to ``last`` are complete days of the calendar.

    Raises:
        MktError: the range is empty, begins before MKT_START_DATE or is not over yet.
    """
    if first > last:
        raise MktError(f"the first day {first} is after the last day {last}: swap them")
    if first < settings.start_date:
        raise MktError(
            f"{first} is before the first partition {settings.start_date}: "
            f"set MKT_START_DATE={first} or earlier"
        )
    newest = last_complete_day(settings)
    if last > newest:
        raise MktError(f"{last} is not over yet in {settings.timezone}: the last day is {newest}")
