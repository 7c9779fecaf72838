"""A column of dates has one order; what two orders fit is refused, never guessed."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkt_assets.errors import InputError
from mkt_assets.ingest.dates import recognise

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
LONG = "January February March April May June July August September October November December"
WRITTEN = {
    "iso": lambda d: d.isoformat(),
    "iso with time": lambda d: f"{d.isoformat()}T07:30:00+02:00",
    "y/m/d": lambda d: f"{d.year}/{d.month}/{d.day}",
    "yyyymmdd": lambda d: f"{d:%Y%m%d}",
    "d/m/y": lambda d: f"{d.day}/{d.month}/{d.year}",
    "dd.mm.yyyy": lambda d: f"{d.day:02}.{d.month:02}.{d.year}",
    "d-m-y with time": lambda d: f"{d.day}-{d.month}-{d.year} 23:59",
    "m/d/y": lambda d: f"{d.month}/{d.day}/{d.year}",
    "mm-dd-yyyy": lambda d: f"{d.month:02}-{d.day:02}-{d.year}",
    "m/d/y with time": lambda d: f"{d.month}/{d.day}/{d.year} 12:00 AM",
    "d Mon y": lambda d: f"{d.day} {MONTHS[d.month - 1]} {d.year}",
    "dd-Mon-yy": lambda d: f"{d.day:02}-{MONTHS[d.month - 1]}-{d.year % 100:02}",
    "Month d, y": lambda d: f"{LONG.split()[d.month - 1]} {d.day}, {d.year}",
    "weekday": lambda d: f"{d:%A}, {d.day} {MONTHS[d.month - 1]} {d.year}",
}
SHORT = {
    "d/m/yy": lambda d: f"{d.day}/{d.month}/{d.year % 100}",
    "dd.mm.yy": lambda d: f"{d.day:02}.{d.month:02}.{d.year % 100}",
    "m/d/yy": lambda d: f"{d.month}/{d.day}/{d.year % 100}",
    "yy/mm/dd": lambda d: f"{d.year % 100}/{d.month:02}/{d.day:02}",
}
days = st.dates(date(2015, 1, 1), date(2029, 12, 31))
late_days = days.filter(lambda d: d.day > 12)


@given(st.sampled_from(sorted(WRITTEN)), st.lists(days, max_size=30), late_days)
def test_a_column_with_a_day_above_12_is_read_back_exactly(
    how: str, some: list[date], late: date
) -> None:
    column = [*some, late]
    assert recognise([WRITTEN[how](day) for day in column]).days == column


@given(st.sampled_from(sorted(SHORT)), st.integers(2015, 2029), st.integers(1, 12))
def test_a_month_with_two_digit_years_is_read_back_exactly(how: str, year: int, month: int) -> None:
    first = date(year, month, 1)
    column = [first + timedelta(days=n) for n in range(28)]
    assert recognise([SHORT[how](day) for day in column]).days == column


@given(
    st.sampled_from(["d/m/y", "m/d/y", "dd.mm.yyyy", "mm-dd-yyyy"]),
    st.lists(days.filter(lambda d: d.day <= 12), min_size=1, max_size=30),
)
def test_a_column_that_fits_two_orders_is_refused_or_means_the_same(
    how: str, column: list[date]
) -> None:
    texts = [WRITTEN[how](day) for day in column]
    if all(day.day == day.month for day in column):
        assert recognise(texts).days == column
        return
    with pytest.raises(InputError, match="ambiguous") as caught:
        recognise(texts)
    assert "YYYY-MM-DD" in caught.value.remedy
    order = "dmy" if how in ("d/m/y", "dd.mm.yyyy") else "mdy"
    assert recognise(texts, order=order).days == column


def test_february_in_the_first_twelve_days_looks_consecutive_and_is_still_ambiguous() -> None:
    with pytest.raises(InputError, match="ambiguous"):
        recognise([f"2/{day}/21" for day in range(1, 13)])


def test_a_two_digit_year_first_without_a_telling_day_is_ambiguous() -> None:
    with pytest.raises(InputError, match="ambiguous"):
        recognise(["13/02/21", "14/02/21"])
    assert recognise(["13/02/21"], order="dmy").days == [date(2021, 2, 13)]
    assert recognise(["13/02/21"], order="ymd").days == [date(2013, 2, 21)]


def test_one_bad_value_does_not_flip_the_order() -> None:
    good = [f"{m}/{d}/2021" for m in range(1, 13) for d in range(1, 29)]
    for bad in ("31/12/2021", "n/a", "45/45/2021", ""):
        told = recognise([*good, bad])
        assert told.format == "month-day-year"
        assert told.days[-1] is None
        assert told.days[0] == date(2021, 1, 1)


def test_one_value_in_many_does_not_decide_the_order() -> None:
    undecided = [f"{m}/{d}/2021" for m in range(1, 13) for d in range(1, 13)]
    with pytest.raises(InputError, match="ambiguous"):
        recognise([*undecided, "13/1/2021"])


@pytest.mark.parametrize(
    "column",
    [
        ["13/1/2021", "1/13/2021", "2/2/2021"],
        ["2021-02-01", "2021-02-02", "13/02/2021"],
    ],
)
def test_mixed_orders_are_refused(column: list[str]) -> None:
    with pytest.raises(InputError, match="mixed"):
        recognise(column)


def test_a_given_order_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="order"):
        recognise(["13/1/2021", "14/1/2021"], order="mdy")


def test_a_given_order_leaves_unmistakable_dates_alone() -> None:
    assert recognise(["2021-02-03"], order="mdy").days == [date(2021, 2, 3)]


@pytest.mark.parametrize("column", [["apple", "pear"], ["44228", "44229"], ["30/30/2021"]])
def test_what_is_no_date_is_refused(column: list[str]) -> None:
    with pytest.raises(InputError, match="not dates"):
        recognise(column)


def test_typed_dates_pass() -> None:
    told = recognise([date(2021, 2, 1), datetime(2021, 2, 2, 5), None])  # noqa: DTZ001
    assert told.days == [date(2021, 2, 1), date(2021, 2, 2), None]


def test_the_real_months_are_words_and_others_are_not() -> None:
    told = recognise(["1 Sept 2021", "2 September 2021", "3 Marble 2021"])
    assert told.days == [date(2021, 9, 1), date(2021, 9, 2), None]
