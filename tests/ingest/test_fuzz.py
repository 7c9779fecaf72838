"""Spoilt files through source, landing and guard: refused by name, or every row accounted for.

The campaign is a command, benchmarks/fuzz.py; here are the good files that it starts from, a few of
its cases, and whether its judge would see a row that is lost.
"""

from __future__ import annotations

import random
from pathlib import Path

import fuzz
import fuzz_files as files
import fuzz_mutations as mutations
import pytest

from mkt_assets.lake import Lake

SEED = 7
CASES = len(files.ROTA)


def _good(table: str, kind: str) -> files.Case:
    rng = random.Random(SEED)
    case = files.Case(0, table, kind, rng, *files.some(table, rng))
    files.write(case)
    if kind != "parquet":
        files.encode(case)
    return case


@pytest.mark.slow
@pytest.mark.parametrize(("table", "kind"), files.ROTA)
def test_a_good_file_is_read_and_counted(table: str, kind: str) -> None:
    case = _good(table, kind)
    assert files.rows_in(case) == len(case.rows)
    told = fuzz.judge(case)
    assert (told["how"], told["rows"]) == (fuzz.COUNTED, len(case.rows)), told


@pytest.mark.slow
@pytest.mark.parametrize("number", range(CASES))
def test_a_spoilt_file_is_refused_by_name_or_accounted_for(number: int) -> None:
    told = fuzz.judge(mutations.make(SEED, number))
    assert told["faults"] == [], told


def test_the_same_seed_and_number_are_the_same_file() -> None:
    for number in range(5):
        first, second = mutations.make(SEED, number), mutations.make(SEED, number)
        assert (first.content, first.done) == (second.content, second.done)


def test_a_row_that_is_lost_is_seen(tmp_path: Path) -> None:
    """The judge of the campaign, judged."""
    case = _good("consent", "csv")
    known = fuzz._settings(tmp_path, "consent", files.place(case, tmp_path))
    lake = Lake(known.data_dir)
    lake.prepare()
    _, landed = fuzz._read("consent", known, lake)
    assert fuzz._unaccounted(lake, landed, len(case.rows)) == []
    assert fuzz._unaccounted(lake, landed, len(case.rows) + 1) != []
    assert fuzz._unaccounted(lake, [*landed, *landed], len(case.rows)) != []
