"""What names of files and refusals say where others read them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.errors import InputError, MktError, PassingError
from mkt_assets.lake import Lake
from mkt_assets.privacy import judging
from mkt_assets.privacy.pii import REDACTED
from mkt_assets.redaction import REFUSED, redact_place, redact_words, speakably

PERSONAL = [
    "jane.doe@example.com",
    "jane%40example.com",
    "+49 151 23456789",
    "(555) 123-4567",
    "192.168.10.20",
    "2001:db8::8a2e:370:7334",
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "1234567890.1612345678",
    "d41d8cd98f00b204e9800998ecf8427e",
    "gclid=Tester-123",
]
PLAIN = [
    "/data/ga4/events_20250101.parquet",
    "/data/2025/01/01/00/events.ndjson.gz",
    "/data/year=2025/month=01/day=01/part-00012.parquet",
    "/data/2025-01-01/campaigns_2021_02.csv",
    "/exports/ads_20250101123000.csv",
    "/exports/ads_20250101T123000Z_v1.2.csv",
    "/exports/events_20250101_000000000012.parquet",
    "/exports/20250101-20250131/ads 1.csv",
    "/Datens\u00e4tze/M\u00e4rz/events_20250301.csv",
]


@pytest.mark.parametrize("name", PERSONAL)
@pytest.mark.parametrize("path", ["/data/{}/events.csv", "/data/ads_{}_20250101.csv"])
def test_no_identifier_stays_in_an_address(name: str, path: str) -> None:
    for address in (Path(path.format(name)).as_uri(), path.format(name)):
        told = redact_place(address)
        assert REDACTED in told
        assert name not in told
        assert judging.kinds(told) == []


@pytest.mark.parametrize("path", PLAIN)
def test_dates_and_parts_stay(path: str) -> None:
    for address in (Path(path).as_uri(), path):
        assert redact_place(address) == address


@given(
    st.lists(st.sampled_from([*PERSONAL, *PLAIN, "_", "-", " ", "0", "a"]) | st.text(max_size=4))
    .map("".join)
    .map(lambda text: text.replace("\x00", ""))
)
@settings(max_examples=100, deadline=None)
def test_what_was_redacted_has_nothing_left_to_find(text: str) -> None:
    assert judging.kinds(redact_words(text)) == []
    assert judging.kinds(redact_place(text)) == []


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    Lake(tmp_path).prepare()
    return Lake(tmp_path)


def _refused(lake: Lake, place: str) -> MktError:
    def work() -> None:
        raise InputError("the file is empty", file=place, remedy="Export it again.")

    with pytest.raises(MktError) as caught:
        speakably(lake, work)
    return caught.value


def test_a_refusal_that_names_nobody_passes_unchanged(lake: Lake) -> None:
    refusal = _refused(lake, "/data/events_20250101.csv")
    assert isinstance(refusal, InputError)
    assert refusal.file == "/data/events_20250101.csv"
    assert not (lake.landing / REFUSED).exists()


def test_a_refusal_that_names_somebody_stands_in_full_in_the_closed_area_only(lake: Lake) -> None:
    place = "/data/jane.doe@example.com/events_20250101.csv"
    refusal = _refused(lake, place)
    full = lake.landing / REFUSED
    assert "the file is empty (file /data/[redacted]/events_20250101.csv)" in str(refusal)
    assert "Export it again." in str(refusal)
    assert str(full) in str(refusal)
    assert refusal.__context__ is None
    assert place in full.read_text(encoding="utf-8")
    assert stat.S_IMODE(full.stat().st_mode) == 0o600


def test_an_error_of_the_engine_never_shows_its_values(lake: Lake) -> None:
    with pytest.raises(MktError) as caught:
        speakably(lake, lambda: duckdb.execute("select 'Jane Doe'::int"))
    assert "Jane" not in repr(caught.value)
    assert "ConversionException" in str(caught.value)
    assert caught.value.__context__ is None
    assert "Jane" in (lake.landing / REFUSED).read_text(encoding="utf-8")


def test_work_that_ends_well_gives_its_result(lake: Lake) -> None:
    assert speakably(lake, lambda: 7) == 7
    assert not (lake.landing / REFUSED).exists()


@pytest.mark.parametrize(
    ("number", "passes"), [(errno.ESTALE, True), (errno.EIO, True), (errno.ENOSPC, False)]
)
def test_what_may_be_gone_in_a_minute_is_told_apart(lake: Lake, number: int, passes: bool) -> None:
    def work() -> None:
        raise OSError(number, os.strerror(number), "/data/jane.doe@example.com/events.csv")

    with pytest.raises(MktError) as caught:
        speakably(lake, work)
    assert isinstance(caught.value, PassingError) == passes
    assert os.strerror(number) in str(caught.value)
    assert "jane" not in str(caught.value)


def test_a_disk_too_full_to_write_the_reason_down_does_not_show_it(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/data/jane.doe@example.com")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(MktError, match=r"could not be written down .*No space left") as caught:
        speakably(lake, lambda: duckdb.execute("select 'Jane Doe'::int"))
    assert "jane" not in str(caught.value).lower()
    assert caught.value.__context__ is None
