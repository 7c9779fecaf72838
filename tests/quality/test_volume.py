"""Days with too few rows, or with another consent, are told by name with what to do."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

from mkt_assets.quality import volume

DAYS = [date(2025, 6, 2) + timedelta(days=n) for n in range(4)]
TABLE = "privacy/events"


def rows(level: int = 1000, weeks: int = 8) -> dict[date, int]:
    first = DAYS[0] - timedelta(weeks=weeks)
    return {first + timedelta(days=n): level for n in range(7 * weeks + len(DAYS))}


def fates(share: float, since: date | None = None, then: float = 0.0) -> pd.DataFrame:
    """Eight weeks of 10,000 events a day with a share of consent; another one ``since`` a day."""
    told = []
    for day in rows():
        kept = round(10_000 * (then if since and day >= since else share))
        told.append((pd.Timestamp(day), kept, 9000 - kept, 500, 500))
    columns = ["day", "kept", "consent_denied", "consent_unset", "cookieless"]
    return pd.DataFrame(told, columns=columns)


def test_usual_days_are_told_as_such() -> None:
    found = volume.volume(TABLE, rows(), DAYS)
    assert [o.holds for o in found] == [True, True]
    assert found[0].tested == len(DAYS)


def test_a_first_run_has_nothing_to_compare_with() -> None:
    found = volume.volume(TABLE, dict.fromkeys(DAYS, 0), DAYS)
    assert all(o.holds for o in found)
    assert found[0].tested == 0


def test_a_day_with_a_tenth_of_its_rows_is_a_warning() -> None:
    odd, empty = volume.volume(TABLE, rows() | {DAYS[2]: 90}, DAYS)
    assert not odd.holds
    assert not odd.blocking
    assert odd.samples == ("2025-06-04: 90 rows, usual are 402 to 2,488",)
    assert empty.holds


def test_a_bank_holiday_is_no_warning() -> None:
    assert all(o.holds for o in volume.volume(TABLE, rows() | {DAYS[0]: 450}, DAYS))


def test_an_empty_day_stops_the_run_and_says_how_to_go_on() -> None:
    odd, empty = volume.volume(TABLE, rows() | {DAYS[1]: 0}, DAYS)
    assert odd.holds, "told once is enough"
    assert empty.blocking
    assert empty.samples == ("2025-06-03",)
    assert "set MKT_ACCEPTED_CHANGES=events@2025-06-03" in empty.sentence()


def test_an_empty_day_that_a_person_accepted_is_as_it_should_be() -> None:
    found = volume.volume(TABLE, rows() | {DAYS[1]: 0}, DAYS, ["events@2025-06-03"])
    assert all(o.holds for o in found)


def test_weekends_without_business_may_be_empty() -> None:
    closed = {day: 0 if day.weekday() == DAYS[1].weekday() else n for day, n in rows().items()}
    assert all(o.holds for o in volume.volume(TABLE, closed, DAYS))


def test_the_days_needed_hold_every_week_and_the_year_before() -> None:
    needed = set(volume.days_needed(DAYS[:1]))
    assert {DAYS[0] - timedelta(weeks=w) for w in range(9)} <= needed
    assert DAYS[0] - timedelta(days=365) in needed
    assert DAYS[0] - timedelta(days=364 + 56) in needed


def test_the_same_consent_as_before_is_no_shift() -> None:
    assert volume.consent(TABLE, fates(0.8), DAYS).holds


def test_a_banner_that_costs_a_third_of_consent_is_told_as_what_it_is() -> None:
    found = volume.consent(TABLE, fates(0.75, since=DAYS[2], then=0.5), DAYS)
    assert not found.blocking
    assert found.broken == 2
    assert found.samples[0] == "2025-06-04: 50% of 10,000 events, 75% before"
    assert "a fall of 33%" in found.means
    assert "consent banner" in found.means


def test_a_fall_of_traffic_is_no_shift_of_consent() -> None:
    told = fates(0.8)
    last = told["day"] >= pd.Timestamp(DAYS[2])
    columns = ["kept", "consent_denied", "consent_unset", "cookieless"]
    told.loc[last, columns] //= 10
    assert volume.consent(TABLE, told, DAYS).holds


def test_a_ledger_without_days_says_nothing() -> None:
    found = volume.consent(TABLE, fates(0.8).head(0), DAYS)
    assert found.holds
    assert found.tested == 0
