"""A day is judged by the days before it alone; what is usual, holidays included, is no alarm."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkt_assets.quality.history import amount_band, count_band, share_band

DAY = date(2025, 6, 2)
COUNTS = st.integers(0, 10**7)


def weeks(level: float, count: int = 8) -> dict[date, float]:
    return {DAY - timedelta(weeks=w): level for w in range(1, count + 1)}


def days(level: float, count: int = 28) -> dict[date, float]:
    return {DAY - timedelta(days=n): level for n in range(1, count + 1)}


@given(st.lists(COUNTS, min_size=4, max_size=8), COUNTS, COUNTS)
def test_neither_the_day_nor_a_later_one_is_part_of_its_band(
    before: list[int], day: int, later: int
) -> None:
    history = {DAY - timedelta(weeks=w): float(n) for w, n in enumerate(before, start=1)}
    alone = count_band(history, DAY)
    assert alone == count_band(history | {DAY: day, DAY + timedelta(weeks=1): later}, DAY)


@given(st.lists(COUNTS, min_size=4, max_size=8))
def test_the_band_holds_what_it_expects_and_is_never_negative(before: list[int]) -> None:
    history = {DAY - timedelta(weeks=w): float(n) for w, n in enumerate(before, start=1)}
    band = count_band(history, DAY)
    assert band is not None
    assert band.holds(band.expected)
    assert 0 <= band.lower <= band.expected <= band.upper


@given(st.integers(1, 10**6), st.floats(0.02, 0.98))
def test_a_share_that_stays_is_no_shift(of: int, share: float) -> None:
    part, whole = days(of * share), days(of)
    band = share_band(part, whole, DAY, of)
    assert band is not None
    assert band.holds(share)
    assert 0 <= band.lower <= band.upper <= 1


def test_a_history_of_three_weeks_says_nothing() -> None:
    assert count_band({}, DAY) is None
    assert count_band(weeks(500.0, 3), DAY) is None
    assert amount_band({}, {}, DAY) is None
    assert share_band({}, {}, DAY, 100) is None
    assert share_band(days(50.0, 9), days(100.0, 9), DAY, 100) is None


@pytest.mark.parametrize(("today", "is_usual"), [(1000, True), (500, True), (2000, True)])
def test_a_half_holiday_or_a_sale_is_usual(today: float, is_usual: bool) -> None:
    band = count_band(weeks(1000.0), DAY)
    assert band is not None
    assert band.holds(today) is is_usual


@pytest.mark.parametrize("today", [0, 100, 300, 4000])
def test_a_lost_file_or_one_given_four_times_is_not(today: float) -> None:
    band = count_band(weeks(1000.0), DAY)
    assert band is not None
    assert not band.holds(today)


def test_one_odd_week_among_those_before_moves_little() -> None:
    odd = weeks(1000.0) | {DAY - timedelta(weeks=3): 20.0}
    band = count_band(odd, DAY)
    assert band is not None
    assert band.expected == pytest.approx(1000)
    assert not band.holds(100)


def test_few_things_are_allowed_more_noise() -> None:
    few, many = count_band(weeks(4.0), DAY), count_band(weeks(4000.0), DAY)
    assert few is not None
    assert many is not None
    assert few.holds(0)
    assert not many.holds(0)


@pytest.mark.parametrize("back", [364, 365])
def test_a_holiday_that_was_as_quiet_a_year_ago_is_usual(back: int) -> None:
    then = DAY - timedelta(days=back)
    last_year = {then - timedelta(weeks=w): 1000.0 for w in range(1, 9)} | {then: 80.0}
    without, band = count_band(weeks(1000.0), DAY), count_band(weeks(1000.0) | last_year, DAY)
    assert without is not None
    assert band is not None
    assert not without.holds(90)
    assert band.holds(90)
    assert band.holds(1000)
    assert not band.holds(2)


def test_a_ratio_of_few_things_is_not_judged() -> None:
    assert amount_band(weeks(40.0), weeks(9.0), DAY) is None
    band = amount_band(weeks(40.0), weeks(200.0), DAY)
    assert band is not None
    assert band.holds(30)
    assert not band.holds(4)


def test_nothing_where_much_is_usual_breaks_the_band() -> None:
    band = amount_band(weeks(40.0), weeks(200.0), DAY)
    assert band is not None
    assert not band.holds(0)


def test_a_shift_that_nobody_would_act_on_is_none() -> None:
    band = share_band(days(700_000.0), days(1_000_000.0), DAY, 1_000_000)
    assert band is not None
    assert band.holds(0.67)
    assert not band.holds(0.5)


def test_a_few_events_tell_nothing_of_a_share() -> None:
    band = share_band(days(7000.0), days(10_000.0), DAY, 4)
    assert band is not None
    assert band.holds(0)
    assert band.holds(1)
