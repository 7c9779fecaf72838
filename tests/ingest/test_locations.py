"""Templates to files: dates, globs and URIs, and refusals that say what to do."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from mkt_assets.errors import InputError
from mkt_assets.ingest import locations

DAY = date(2021, 2, 3)


def test_a_date_becomes_eight_digits(tmp_path: Path) -> None:
    for day in ("20210203", "20210204"):
        (tmp_path / f"events_{day}.parquet").touch()
    template = f"{tmp_path}/events_{{date}}.parquet"
    assert locations.is_dated(template)
    assert [p.name for p in locations.resolve(template, DAY)] == ["events_20210203.parquet"]
    assert len(locations.resolve(template, None)) == 2


def test_globs_come_in_the_order_of_their_names_and_skip_folders(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).touch()
    (tmp_path / "c.csv").mkdir()
    assert [p.name for p in locations.resolve(f"{tmp_path}/*.csv", None)] == ["a.csv", "b.csv"]


@pytest.mark.parametrize("name", ["with space.csv", "brackets[1].csv", "100%.csv"])
def test_a_file_uri_is_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    assert locations.resolve(path.as_uri(), None) == [path]
    assert locations.resolve(str(path), None) == [path]


@pytest.mark.parametrize("template", ["{here}/none.csv", "{here}/none_*.csv", "{here}/e_{{date}}"])
def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path, template: str) -> None:
    with pytest.raises(InputError) as caught:
        locations.resolve(template.format(here=tmp_path), DAY)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("template", ["s3://bucket/a.csv", "https://host/a.csv", "/tmp/{day}.csv"])
def test_what_cannot_be_resolved_is_refused(template: str) -> None:
    with pytest.raises(InputError):
        locations.resolve(template, DAY)


def test_a_secret_in_a_uri_is_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        locations.resolve("https://me:hunter2@host/a.csv", DAY)
    assert "hunter2" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        locations.resolve(str(tmp_path), None)


def test_a_source_object_is_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"x" * 3_000_000)
    described = locations.describe(path)
    assert described.bytes == 3_000_000
    assert described.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert described.uri == path.as_uri()
