"""Headers of ad platforms find their meaning, or the file is refused with the names."""

from __future__ import annotations

import pytest

from mkt_assets.errors import InputError
from mkt_assets.ingest.headers import NUMBERS, SPELLINGS, key, listed, map_headers

ENOUGH = ["date", "campaign", "spend", "clicks"]


@pytest.mark.parametrize("name", sorted(SPELLINGS))
def test_every_spelling_is_found_whatever_its_case_and_punctuation(name: str) -> None:
    for spelling in SPELLINGS[name]:
        for header in (spelling, spelling.upper(), spelling.replace("_", " ").title()):
            others = [h for h in ENOUGH if h != name]
            assert map_headers([*others, header]).columns[name] == header


def test_no_spelling_has_two_meanings() -> None:
    keys = [key(spelling) for all_ in SPELLINGS.values() for spelling in all_]
    assert len(keys) == len(set(keys))
    assert set(NUMBERS) < set(SPELLINGS)


def test_two_headers_for_one_meaning_are_both_named() -> None:
    with pytest.raises(InputError) as caught:
        map_headers(["date", "campaign", "Cost", "amount_spent", "clicks"], file="a.csv")
    for word in ("'Cost'", "'amount_spent'", "spend", "a.csv", "ename"):
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["date", "campaign", "spend"])
def test_a_missing_column_lists_what_was_found_and_what_is_accepted(name: str) -> None:
    with pytest.raises(InputError) as caught:
        map_headers([h if h != name else "other" for h in ENOUGH])
    assert caught.value.column == name
    assert "'other'" in str(caught.value)
    assert SPELLINGS[name][-1] in str(caught.value)


def test_a_report_without_any_outcome_is_refused() -> None:
    with pytest.raises(InputError, match="outcome"):
        map_headers(["date", "campaign", "spend", "conversions"])


def test_names_of_the_google_ads_api() -> None:
    told = map_headers(["segments.date", "campaign.name", "metrics.cost_micros", "metrics.clicks"])
    assert told.micros
    assert told.columns["spend"] == "metrics.cost_micros"


def test_a_currency_in_brackets_is_read_and_clicks_all_is_none() -> None:
    told = map_headers(
        ["Day", "Campaign name", "Amount spent (EUR)", "Link clicks", "Clicks (all)"]
    )
    assert told.currency == "EUR"
    assert told.columns["clicks"] == "Link clicks"


def test_a_file_without_header_does_not_show_a_person() -> None:
    with pytest.raises(InputError) as caught:
        map_headers(["2021-02-01", "jane@example.com", "12.50"])
    assert "jane" not in str(caught.value)


@pytest.mark.parametrize("first", ["20250310", "2025-03-10T12:00:00Z", "1.5", "+4915112345678"])
def test_of_a_line_that_is_no_header_nothing_is_shown(first: str) -> None:
    assert "login-of-jane" not in listed(["login-of-jane", first, "granted"])


def test_names_of_columns_are_shown_unless_they_are_long_or_personal() -> None:
    headers = ["score", "u" * 41, "GA1.2.1234567.1700000000", "jane@example.com", "Kosten (EUR)"]
    assert listed(headers[:2]) == "'score', (not shown)"
    assert listed(headers[2:3]) == "(not shown)"
    assert listed([*headers[3:], "a b " * 10]) == f"(not shown), 'Kosten (EUR)', '{'a b ' * 10}'"
    assert listed([]) == "none that could be read"
    assert listed(list("ab" * 50)).count(", ") == 39
