"""Exchange rates and ad sources as people write them: taken whole, or refused with the row."""

from __future__ import annotations

from pathlib import Path

import pytest

from mkt_assets.errors import InputError
from mkt_assets.marts.dbt import project_digest
from mkt_assets.marts.own_seeds import (
    ensure_own_seeds,
    read_ad_sources,
    read_rates,
    write_own_seeds,
)
from mkt_assets.project import dbt_project_dir
from mkt_assets.settings import load_settings

RATES = "date,reference,currency,rate"
SOURCES = "channel,time_zone,click_window_days,view_window_days,attribution_model"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "given.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_rates_are_sorted_and_keep_their_digits(tmp_path: Path) -> None:
    rows = ("2024-03-04,EUR,USD,1.0850", " 2024-03-01 ,EUR,USD, 1.0834", "2024-03-01,EUR,GBP,0.85")
    path = written(tmp_path, "rate,extra,currency,reference,date", *(_turned(r) for r in rows))
    assert [(r["date"], r["currency"], r["rate"]) for r in read_rates(path)] == [
        ("2024-03-01", "GBP", "0.85"),
        ("2024-03-01", "USD", "1.0834"),
        ("2024-03-04", "USD", "1.0850"),
    ]


def _turned(row: str) -> str:
    day, reference, currency, rate = row.split(",")
    return f"{rate},x,{currency},{reference},{day}"


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        ("2024-13-01,EUR,USD,1", "date", "2024-13-01"),
        ("20240301,EUR,USD,1", "date", "20240301"),
        ("01/03/2024,EUR,USD,1", "date", "01/03/2024"),
        ("2024-03-01,EUR,dollar,1", "currency", "dollar"),
        ("2024-03-01,eur,USD,1", "reference", "eur"),
        ("2024-03-01,EUR,EUR,1", "currency", "EUR"),
        ("2024-03-01,EUR,USD,-1.1", "rate", "-1.1"),
        ("2024-03-01,EUR,USD,0", "rate", "0"),
        ("2024-03-01,EUR,USD,nan", "rate", "nan"),
        ("2024-03-01,EUR,USD,inf", "rate", "inf"),
        ('2024-03-01,EUR,USD,"1,08"', "rate", "1,08"),
        ("2024-03-01,EUR,USD,1e10", "rate", "1e10"),
        ("2024-03-01,EUR,USD,", "rate", ""),
        ("2024-03-01,USD,GBP,1", "reference", "USD"),
        ("2024-03-04,EUR,GBP,1", "date, currency", None),
    ],
)
def test_a_rate_that_cannot_be_is_refused_with_its_row(
    tmp_path: Path, row: str, column: str, value: str | None
) -> None:
    path = written(tmp_path, RATES, "2024-03-04,EUR,GBP,0.85", row)
    with pytest.raises(InputError) as refused:
        read_rates(path)
    found = refused.value
    assert (found.file, found.row, found.column, found.value) == (path, 2, column, value)
    assert found.remedy


def test_ad_sources_are_matched_without_case_and_may_be_silent(tmp_path: Path) -> None:
    path = written(tmp_path, SOURCES, "Social,America/Chicago,7,1,last touch", "Search,,30,,")
    search, social = read_ad_sources(path)
    assert search["channel"] == "search"
    assert (search["time_zone"], search["view_window_days"]) == ("", "")
    assert social["click_window_days"] == "7"


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("Mail,Mars/Olympus,7,1,", "time_zone"),
        ("Mail,,7.5,1,", "click_window_days"),
        ("Mail,,7,-1,", "view_window_days"),
        ("Mail,,3000,1,", "click_window_days"),
        ("SEARCH,,7,1,", "channel"),
        (",,7,1,", "channel"),
    ],
)
def test_an_ad_source_that_cannot_be_is_refused(tmp_path: Path, row: str, column: str) -> None:
    path = written(tmp_path, SOURCES, "search,,30,,", row)
    with pytest.raises(InputError) as refused:
        read_ad_sources(path)
    assert (refused.value.row, refused.value.column) == (2, column)


def test_a_missing_column_is_refused_with_the_columns_that_must_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"lacks reference.*{RATES}"):
        read_rates(written(tmp_path, "date,currency,rate", "2024-03-01,USD,1"))


def test_no_files_are_empty_seeds_and_a_refused_file_leaves_the_old_ones(tmp_path: Path) -> None:
    place = tmp_path / "seeds"
    write_own_seeds(load_settings(data_dir=tmp_path), place)
    shipped = dbt_project_dir() / "seeds"
    for file in ("currency_rates.csv", "ad_sources.csv"):
        assert (place / file).read_bytes() == (shipped / file).read_bytes()
    given = written(tmp_path, RATES, "2024-03-01,EUR,USD,1.5")
    settings = load_settings(data_dir=tmp_path, rates_uri=str(given))
    write_own_seeds(settings, place)
    kept = (place / "currency_rates.csv").read_bytes()
    assert kept == given.read_bytes()
    ensure_own_seeds(place)
    written(tmp_path, RATES, "2024-03-01,EUR,USD,0")
    with pytest.raises(InputError):
        write_own_seeds(settings, place)
    assert (place / "currency_rates.csv").read_bytes() == kept


def test_another_currency_builds_the_marts_anew() -> None:
    assert len({project_digest(load_settings(currency=code)) for code in ("EUR", "USD")}) == 2


def test_a_decimal_comma_without_quotes_is_not_taken_for_two_cells(tmp_path: Path) -> None:
    path = written(tmp_path, RATES, "2024-03-01,EUR,GBP,0.85", "2024-03-01,EUR,USD,1,08")
    with pytest.raises(InputError, match="5 cells, the header 4") as refused:
        read_rates(path)
    assert (refused.value.file, refused.value.row) == (path, 2)
    assert refused.value.remedy


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, f"{RATES},rate", "2024-03-01,EUR,USD,1.08,1.09")
    with pytest.raises(InputError, match="two columns have one name") as refused:
        read_rates(path)
    assert refused.value.column == "rate"


def test_lines_of_blanks_are_no_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "", SOURCES, "  ", "search,Europe/Berlin,7,1,last", ",,,,", "\t")
    assert [row["channel"] for row in read_ad_sources(path)] == ["search"]
