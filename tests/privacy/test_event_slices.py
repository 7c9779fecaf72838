"""A large partition in slices: the same rows, whatever the slices."""

from __future__ import annotations

from typing import Any

import pytest

from mkt_assets.errors import MktError
from mkt_assets.privacy import event_slices, event_words

Workplace = Any  # the fixture's type lives in conftest


def rows(workplace: Workplace, count: int) -> list[dict[str, Any]]:
    """Several people and sources of trouble, with copies, far apart and in no order."""
    return [
        workplace.event(
            event_timestamp=workplace.NOON + number * 7 % 31,
            user_pseudo_id=(None, "jane@example.com", "customer-8821-q", "55.66")[number % 4],
            event_name=("page_view", "scroll", "")[number % 3 if number % 10 else 2],
            privacy_info={"analytics_storage": "No" if number % 13 == 5 else "Yes"},
            params={
                "page_location": f"https://a.example/{number % 6}?utm_source=x&email=a@b.com",
                "page_title": ("Shoes", "for jim@example.com", "customer-8821-q")[number % 3],
            },
            geo={"country": ("Spain", None, "France")[number % 3]},
            ecommerce={"transaction_id": f"T{number}", "purchase_revenue": number / 8},
            items=[{"item_id": "S1", "price": 9.995}] * (number % 2),
            source_row=number,
        )
        for number in (n * 17 % count for n in range(count))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("size", [7, 20])
@pytest.mark.parametrize("files", [1, 4])
@pytest.mark.parametrize("min_rows", [0, 10**9])
def test_slices_change_no_row(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, size: int, files: int, min_rows: int
) -> None:
    monkeypatch.setattr(event_words, "MIN_ROWS", min_rows)
    folder = workplace.folder / "landing"
    folder.mkdir()
    events = rows(workplace, 40)
    for number in range(files):
        workplace.land(events[number::files])
        workplace.landing.rename(folder / f"{number}.parquet")
    fates = workplace.guard(landing=folder)
    whole = workplace.kept()
    assert fates.kept > 10
    assert fates.duplicates == 0
    monkeypatch.setattr(event_slices, "SLICE_ROWS", size)
    assert workplace.guard(landing=folder) == fates
    assert workplace.kept() == whole
    assert [path.name for path in workplace.folder.rglob("*.parts*")] == []


@pytest.mark.slow
def test_copies_in_different_slices_are_found(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_slices, "SLICE_ROWS", 3)
    events = rows(workplace, 20)
    once = workplace.guard(events)
    told = workplace.kept()
    twice = workplace.guard([*events, *events])
    assert (twice.kept, twice.duplicates) == (once.kept, once.kept)
    assert workplace.kept() == told


@pytest.mark.slow
def test_slices_give_equal_bytes_in_any_order(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_slices, "SLICE_ROWS", 11)
    monkeypatch.setattr(event_words, "MIN_ROWS", 0)
    events = rows(workplace, 60)
    workplace.guard(events)
    once = workplace.out.read_bytes()
    workplace.con.execute("set threads = 1")
    workplace.guard(events[::-1])
    assert workplace.out.read_bytes() == once


@pytest.mark.slow
def test_a_failure_leaves_no_slice_behind(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_slices, "SLICE_ROWS", 3)
    workplace.land(rows(workplace, 20))
    out = workplace.folder / "nowhere" / "out.parquet"
    with pytest.raises(MktError):
        workplace.guard(out=out)
    assert [path.name for path in workplace.folder.rglob("*.parts*")] == []
    assert workplace.con.execute("select table_name from duckdb_tables()").fetchall() == []
