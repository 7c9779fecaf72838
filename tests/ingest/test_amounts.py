"""Numbers are read with one decimal sign for the file, or refused where it could be either."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkt_assets.errors import InputError
from mkt_assets.ingest.amounts import decimal_sign, parse

cents = st.integers(-(10**10), 10**10)


def written(value: int, sign: str, group: str) -> str:
    text = f"{value / 100:,.2f}"
    return text.replace(",", "_").replace(".", sign).replace("_", group)


@given(
    st.lists(cents, min_size=1, max_size=20),
    st.sampled_from([".,", ".'", ". ", ".", ",.", ", ", ","]),
)
def test_money_is_read_back_to_the_cent(values: list[int], signs: str) -> None:
    sign, group = signs[0], signs[1:]
    texts = [written(value, sign, group) for value in values]
    assert decimal_sign({"spend": texts}, frozenset()) == sign
    told = parse(texts, "," if sign == "," else ".")
    assert [round(number * 100) for number in told.numbers] == values
    assert not any(told.fault)


@pytest.mark.parametrize(
    ("text", "number", "currency"),
    [
        ("$1,234.50", 1234.5, "$"),
        ("1,234.50 €", 1234.5, "€"),
        ("USD 12", 12, "USD"),
        ("-£5.25", -5.25, "£"),
        ("(1,000.00)", -1000, None),
        ("1.5E+03", 1500, None),
        (".5", 0.5, None),
        ("\u22123", -3, None),
        ("1\u202f234.5", 1234.5, None),
    ],
)
def test_the_ways_people_write_money(text: str, number: float, currency: str | None) -> None:
    told = parse([text], ".")
    assert told.numbers[0] == number
    assert told.currency[0] == currency


@pytest.mark.parametrize("text", ["1,234", "1.234", "-5.678", "12,345"])
def test_a_lone_separator_is_ambiguous_for_money(text: str) -> None:
    with pytest.raises(InputError, match="ambiguous"):
        decimal_sign({"spend": [text, "7"]}, frozenset())


def test_one_telling_number_anywhere_in_the_file_decides() -> None:
    assert decimal_sign({"spend": ["1,234"], "revenue": ["9.5"]}, frozenset()) == "."
    assert decimal_sign({"spend": ["1.234"], "revenue": ["9,5"]}, frozenset()) == ","


@pytest.mark.parametrize(("text", "sign"), [("1,234", "."), ("1.234", ",")])
def test_a_count_has_no_fraction_so_its_separator_groups(text: str, sign: str) -> None:
    assert decimal_sign({"clicks": [text]}, frozenset({"clicks"})) == sign


def test_a_mixture_is_refused_but_one_slip_is_a_fault_of_its_row() -> None:
    with pytest.raises(InputError, match="mixes"):
        decimal_sign({"spend": ["1.5", "2,5"]}, frozenset())
    assert decimal_sign({"spend": ["1.5"] * 200 + ["2,5"]}, frozenset()) == "."
    assert parse(["2,5"], ".").fault[0] == "not_a_number"


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("twelve", "not_a_number"), ("12 apples", "not_a_number"), ("12%", "not_a_number"),
        ("1.2.3", "not_a_number"), (True, "not_a_number"), ("inf", "infinite"),
        (math.inf, "infinite"), ("1e999", "infinite"), ("1e12", "too_large"),
    ],
)  # fmt: skip
def test_what_is_no_number_has_a_reason(cell: object, fault: str) -> None:
    told = parse([cell], ".")
    assert told.fault[0] == fault
    assert np.isnan(told.numbers[0])


@pytest.mark.parametrize("cell", [None, "", " ", "--", "n/a", "NaN", math.nan])
def test_missing_is_missing_and_never_zero(cell: object) -> None:
    told = parse([cell], ".")
    assert told.fault[0] is None
    assert np.isnan(told.numbers[0])


def test_counts_have_no_fractions_and_micros_are_divided() -> None:
    assert parse(["12.0", "12.5"], ".", whole=True).fault.tolist() == [None, "not_an_integer"]
    assert parse(["7307370000", 1500000, Decimal("2e6")], ".", per=1e6).numbers.tolist() == [
        7307.37, 1.5, 2.0,
    ]  # fmt: skip
