"""`mkt analyze`: one file in, six tables and a report out, or one clear line and nothing."""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from mkt_assets.cli import app
from mkt_assets.publish.analyze import analyze_file

TABLES = {
    "marketing_kpi", "kpi_daily", "anomalies", "trends", "insights", "campaign_clusters",
}  # fmt: skip
FILES = {f"{table}.csv" for table in TABLES} | {"report.html"}
FIRST = date(2024, 3, 1)
CAMPAIGNS = [("Search", "brand"), ("Search", "generic"), ("Social", "shoes"), ("CTV", "launch")]


def _wave(*seed: object) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    return zlib.crc32(repr(seed).encode()) / 2**32


def report(days: int = 35) -> pd.DataFrame:
    """A faultless report of four campaigns, whose spend is spiked once."""
    rows = []
    for number in range(days):
        for place, (channel, campaign) in enumerate(CAMPAIGNS):
            clicks = 80 + 30 * place + int(20 * _wave(number, campaign))
            spiked = (number, campaign) == (days - 5, "brand")
            rows.append(
                {
                    "Day": FIRST + timedelta(days=number),
                    "Channel": channel,
                    "Campaign": campaign,
                    "Impressions": clicks * 40,
                    "Clicks": clicks,
                    "Cost": round(clicks * (0.5 + 0.1 * place) * (9 if spiked else 1), 2),
                    "Conversions": clicks // 20,
                    "Conversion value": round(clicks * 1.7, 2),
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "campaigns.csv"
    report().to_csv(path, index=False)
    return path


@pytest.fixture
def analyze(tmp_path: Path) -> Callable[..., Result]:
    def run(file: Path, *options: str) -> Result:
        arguments = ["analyze", str(file), "--out", str(tmp_path / "out"), *options]
        return CliRunner().invoke(app, arguments, catch_exceptions=False)

    return run


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_six_tables_and_a_report_are_written(
    file: Path, analyze: Callable[..., Result], tmp_path: Path
) -> None:
    result = analyze(file)
    out = tmp_path / "out"
    assert result.exit_code == 0
    assert written(out) == FILES
    assert "140 read, 140 kept" in result.stdout
    assert f"Report: {out}/report.html" in result.stdout
    kpi = pd.read_csv(out / "marketing_kpi.csv")
    assert len(kpi) == 140
    spiked = pd.read_csv(out / "anomalies.csv")
    assert ("brand", "spend_spike") in set(zip(spiked["campaign"], spiked["type"], strict=True))


def test_totals_are_those_of_the_file_at_every_grain(file: Path, tmp_path: Path) -> None:
    found = analyze_file(file, tmp_path / "out")
    given_rows = report()
    spend, revenue = given_rows["Cost"].sum(), given_rows["Conversion value"].sum()
    assert found.totals["mark_spent"] == pytest.approx(spend, abs=0.005)
    assert found.totals["revenue"] == pytest.approx(revenue, abs=0.005)
    assert found.totals["roas"] == pytest.approx(revenue / spend)
    assert found.totals["roi"] == pytest.approx(revenue / spend - 1)
    for name in ("marketing_kpi", "kpi_daily"):
        table = pd.read_csv(tmp_path / "out" / f"{name}.csv")
        assert table["mark_spent"].sum() == pytest.approx(spend, abs=0.005)
        assert table["clicks"].sum() == given_rows["Clicks"].sum()
        ratio = table["revenue"] / table["mark_spent"]
        assert (table["roas"] - ratio).abs().max() < 1e-9


def test_json_tells_the_same(file: Path, analyze: Callable[..., Result], tmp_path: Path) -> None:
    result = analyze(file, "--json", "--currency", "EUR")
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert told["success"] is True
    assert (told["rows_in"], told["rows_kept"], told["quarantined"]) == (140, 140, {})
    assert told["columns"]["spend"] == "Cost"
    assert told["totals"]["mark_spent"] == pytest.approx(report()["Cost"].sum(), abs=0.005)
    assert told["tables"].keys() == TABLES
    rows = {table: len(pd.read_csv(tmp_path / "out" / f"{table}.csv")) for table in TABLES}
    assert told["tables"] == rows


def test_the_same_file_gives_the_same_bytes(file: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        analyze_file(file, tmp_path / name)
    for name in FILES - {"report.html"}:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_report_needs_no_network_and_escapes_names(file: Path, tmp_path: Path) -> None:
    rows = report().replace({"brand": "<script>alert(1)</script>", "generic": "=cmd|'/c calc'!A1"})
    rows.to_csv(file, index=False)
    analyze_file(file, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert re.findall(r"(?:src|href)=[\"']?(?!#|data:)[^\"'> ]+", page) == []
    assert not re.search(r"url\((?!data:)|@import", page)


def test_no_denominator_is_empty_and_never_zero_or_infinite(file: Path, tmp_path: Path) -> None:
    rows = report()
    rows.loc[0, ["Clicks", "Impressions", "Conversions", "Cost", "Conversion value"]] = 0
    rows.to_csv(file, index=False)
    analyze_file(file, tmp_path / "out")
    kpi = pd.read_csv(tmp_path / "out" / "marketing_kpi.csv")
    zero = kpi[(kpi["clicks"] == 0) & (kpi["mark_spent"] == 0)]
    assert len(zero) == 1
    ratios = ["ctr", "cvr", "cpa", "cpc", "cpm", "aov", "roas", "roi"]
    assert zero[ratios].isna().all(axis=None)
    assert not kpi[ratios].isin([math.inf, -math.inf]).any(axis=None)
    assert "inf" not in (tmp_path / "out" / "marketing_kpi.csv").read_text()


SHAPES = {
    "one row": lambda rows: rows.head(1),
    "one day": lambda rows: rows.head(4),
    "one campaign": lambda rows: rows[rows["Campaign"] == "brand"],
    "no revenue": lambda rows: rows.drop(columns="Conversion value"),
    "no conversions": lambda rows: rows.drop(columns="Conversions"),
    "only spend and clicks": lambda rows: rows[["Day", "Campaign", "Cost", "Clicks"]],
    "no spend at all": lambda rows: rows.assign(Cost=0),
    "gaps": lambda rows: rows[(rows.index % 7) != 3],
    "one name in two channels": lambda rows: rows.replace({"Campaign": {"shoes": "brand"}}),
    "newest first": lambda rows: rows.iloc[::-1],
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_a_report_of_any_shape_is_analysed(file: Path, tmp_path: Path, shape: str) -> None:
    rows = SHAPES[shape](report())
    rows.to_csv(file, index=False)
    found = analyze_file(file, tmp_path / "out")
    assert written(tmp_path / "out") == FILES
    assert len(found.tables["marketing_kpi"]) == len(rows)
    assert found.totals["mark_spent"] == pytest.approx(rows["Cost"].sum(), abs=0.005)
    assert found.as_text()
    json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.slow
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_every_row_is_kept_or_counted(tmp_path: Path, data: st.DataObject) -> None:
    rows = report(12).astype("str")
    bad = data.draw(
        st.dictionaries(
            st.integers(0, len(rows) - 1),
            st.sampled_from([("Cost", "-1"), ("Clicks", "lots"), ("Cost", ""), ("Day", "soon")]),
            max_size=9,
        )
    )
    for row, (column, value) in bad.items():
        rows.loc[row, column] = value
    path = tmp_path / "some.csv"
    rows.to_csv(path, index=False)
    found = analyze_file(path, tmp_path / "out")
    assert found.rows_in == len(rows)
    assert len(found.tables["marketing_kpi"]) == len(rows) - len(bad)
    assert sum(found.quarantined.values()) == len(bad)


def test_rows_set_aside_are_told_without_their_text(
    file: Path, analyze: Callable[..., Result], tmp_path: Path
) -> None:
    rows = report().astype("str")
    rows.loc[2, "Cost"] = "-4"
    rows.loc[5, "Clicks"] = "jane.doe@example.com"
    rows.loc[9, "Campaign"] = ""
    rows["Note"] = "call +49 151 55500101"
    rows.to_csv(file, index=False)
    result = analyze(file)
    assert result.exit_code == 0
    assert "140 read, 137 kept" in result.stdout
    assert written(tmp_path / "out") == FILES | {"quarantined.csv"}
    aside = pd.read_csv(tmp_path / "out" / "quarantined.csv")
    assert list(aside["source_row"]) == [3, 6, 10]
    assert list(aside["reason"]) == ["negative_spend", "not_a_number", "missing_campaign"]
    assert {"raw", "value"} & set(aside.columns) == set()
    texts = [path.read_text() for path in (tmp_path / "out").iterdir()] + [result.output]
    assert [t for t in texts if "jane.doe" in t or "55500101" in t] == []


def test_a_report_that_was_mended_leaves_no_old_quarantine(file: Path, tmp_path: Path) -> None:
    rows = report().astype("str")
    rows.loc[2, "Cost"] = "-4"
    rows.to_csv(file, index=False)
    analyze_file(file, tmp_path / "out")
    report().to_csv(file, index=False)
    analyze_file(file, tmp_path / "out")
    assert written(tmp_path / "out") == FILES


def _csv(rows: pd.DataFrame) -> bytes:
    return rows.to_csv(index=False).encode()


REFUSED = {
    "missing column": (lambda: _csv(report().drop(columns="Cost")), "no 'spend' column"),
    "two columns for one": (lambda: _csv(report().assign(spend=1)), "'Cost'"),
    "ambiguous dates": (
        lambda: _csv(
            report(12).assign(Day=lambda r: pd.to_datetime(r["Day"]).dt.strftime("%d/%m/%y"))
        ),
        "ambiguous",
    ),
    "empty": (lambda: b"", "empty"),
    "headers alone": (lambda: _csv(report().head(0)), "no row"),
    "truncated gzip": (lambda: gzip.compress(_csv(report()))[:-9], "truncated"),
    "no usable row": (lambda: _csv(report().assign(Cost="much")), "no row of the file can be used"),
    "a workbook": (lambda: b"PK\x03\x04rest", "Excel"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    file: Path, analyze: Callable[..., Result], tmp_path: Path, fault: str
) -> None:
    content, words = REFUSED[fault]
    file.write_bytes(content())
    result = analyze(file)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("mkt: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert str(file) in result.stderr
    assert written(tmp_path / "out") == set()
    told = json.loads(analyze(file, "--json").stdout)
    assert told["success"] is False
    assert words in told["error"]


def test_ambiguous_dates_are_settled_by_the_option(
    file: Path, analyze: Callable[..., Result], tmp_path: Path
) -> None:
    rows = report(12)
    rows.assign(Day=pd.to_datetime(rows["Day"]).dt.strftime("%d/%m/%y")).to_csv(file, index=False)
    refused = analyze(file)
    assert "--date-order" in refused.stderr
    assert analyze(file, "--date-order", "dmy").exit_code == 0
    kpi = pd.read_csv(tmp_path / "out" / "kpi_daily.csv")
    assert list(kpi["date"])[::11] == ["2024-03-01", "2024-03-12"]


@pytest.mark.parametrize("name", ["none.csv", "."])
def test_a_path_that_is_no_file_is_refused(
    analyze: Callable[..., Result], tmp_path: Path, name: str
) -> None:
    result = analyze(tmp_path / name)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert written(tmp_path / "out") == set()


def test_a_file_in_the_place_of_the_folder_is_refused(
    file: Path, analyze: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("mine")
    result = analyze(file)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.slow
def test_the_real_report_is_reproduced(
    shared: Path, analyze: Callable[..., Result], tmp_path: Path
) -> None:
    result = analyze(shared / "data" / "campaigns_2021_02.csv", "--json")
    told = json.loads(result.stdout)
    assert (told["rows_in"], told["rows_kept"], told["quarantined"]) == (308, 308, {})
    totals = told["totals"]
    assert round(totals["mark_spent"], 2) == 30_590_879.82
    sums = ("revenue", "clicks", "impressions", "leads", "conversions")
    assert [totals[name] for name in sums] == [
        42_889_366, 2_999_919, 1_577_722_399, 65_579, 8_043,
    ]  # fmt: skip
    assert round(100 * totals["ctr"], 3) == 0.190
    kpi = pd.read_csv(tmp_path / "out" / "marketing_kpi.csv")
    assert (kpi["cpl"].isna().sum(), kpi["cpa"].isna().sum()) == (4, 19)
    social = kpi[kpi["channel"].str.lower() == "social"][["revenue", "mark_spent"]].sum()
    assert round(100 * (social["revenue"] / social["mark_spent"] - 1), 1) == -13.7
    assert kpi["campaign"].nunique() == 11
    assert written(tmp_path / "out") == FILES
