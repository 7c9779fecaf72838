"""Erasure as a privacy officer does it: by command, killed at any moment, proved at the end."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mkt_assets.warehouse import fingerprint, mart_tables

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

SMALL = {"MKT_SAMPLE_EVENTS_PER_DAY": "200"}
RANGE = ("--from", "2025-03-03", "--to", "2025-03-06")
#: tables that say when or by which run something was done
_OF_A_RUN = {"lineage_ledger", "publication", "forecast_accuracy", "revenue_forecast"}


@pytest.fixture(scope="module")
def base(once: Callable[..., Told], product: type[Product]) -> Told:
    """Four small days, published; a member with stored rows, and the device of another person."""

    def make(home: Path) -> Told:
        there = product(home, SMALL)
        ran = there.mkt("run", *RANGE)
        assert ran["code"] == 0, ran["out"] + ran["err"]
        with duckdb.connect() as con:
            found = con.execute(
                "select user_id, user_pseudo_id "
                f"from '{there.data}/landing/events/*/*.parquet' where user_id is not null "
                "and privacy_info.analytics_storage = 'Yes' "
                "group by all order by count(*) desc, user_id limit 1"
            ).fetchone()
            assert found is not None
            other = con.execute(
                f"select user_pseudo_id from '{there.data}/landing/events/*/*.parquet' "
                "where user_id is null and privacy_info.analytics_storage = 'Yes' "
                "group by all order by count(*) desc, user_pseudo_id limit 1"
            ).fetchone()
        assert other is not None
        return {"login": found[0], "device": found[1], "other": other[0]}

    return once("erase-base", make)


def subject_file(folder: Path, *names: str) -> Path:
    path = folder / "subjects.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return path


def copied(base: Told, product: type[Product], home: Path) -> Product:
    shutil.copytree(base["home"] / "data", home / "data", symlinks=True)
    return product(home, SMALL)


def prints(there: Product) -> dict[str, Any]:
    with there.reader() as con:
        tables = [t for t in mart_tables(con) if t not in _OF_A_RUN]
        return {t: fingerprint(con, f"marts.{t}") for t in tables}


def killed_when(there: Product, file: Path, is_time: Callable[[], bool]) -> None:
    """Start an erasure and kill it as soon as something is so; a minute is enough for anything."""
    process = there.start("mkt", "erase", "--subject-file", file)
    give_up = time.monotonic() + 120
    while process.poll() is None and not is_time() and time.monotonic() < give_up:
        time.sleep(0.01)
    assert process.poll() is None, "it ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stderr.close()


@pytest.fixture(scope="module")
def calm(base: Told, once: Callable[..., Told], product: type[Product]) -> Told:
    """A login and another's device erased undisturbed; then their source sends them again."""

    def make(home: Path) -> Told:
        there = copied(base, product, home)
        asked = ("--subject-file", subject_file(home / "asked", base["login"], base["other"]))
        steps: Told = {"before": there.mkt("erase", "--verify", *asked)}
        steps["erased"] = there.mkt("erase", *asked)
        steps["versions"] = len(list(there.lake.serving.glob("v-*.duckdb")))
        steps["prints"] = prints(there)
        steps["sent again"] = there.mkt("run", *RANGE)
        steps["after"] = [there.mkt("erase", "--verify", *one) for one in ((), asked)]
        return steps

    return once("erase-calm", make)


def test_killed_and_repeated_it_ends_as_if_undisturbed(
    base: Told, calm: Told, product: type[Product], tmp_path: Path
) -> None:
    told = calm["erased"]
    assert told["code"] == 0, told["out"] + told["err"]
    file = subject_file(tmp_path, base["login"], base["other"])
    there = copied(base, product, tmp_path / "killed")
    first_publication = there.published.name
    segments = there.lake.model("audiences/audience_segments")
    moments: list[Callable[[], bool]] = [
        lambda: any(there.lake.erasures.glob("er_*.json")),
        lambda: not there.lake.warehouse.exists(),
        lambda: there.lake.warehouse.exists() and not segments.exists(),
        lambda: segments.exists() and there.lake.outdated.exists(),
    ]
    for is_time in moments:
        killed_when(there, file, is_time)
        assert there.published.name == first_publication
        assert there.rows("select count(*) from marts.publication") == [(1,)]
    ended = there.mkt("erase", "--subject-file", file, "--json")
    assert ended["code"] == 0, ended["out"] + ended["err"]
    record = json.loads(ended["out"])["record"]
    assert record["completed_at"] is not None
    assert sum(record["partitions"].values()) > 0

    assert prints(there) == calm["prints"]
    assert len(list(there.lake.serving.glob("v-*.duckdb"))) == calm["versions"] == 1
    for arguments in (["--verify"], ["--verify", "--subject-file", file]):
        proved = there.mkt("erase", *arguments)
        assert proved["code"] == 0, proved["out"]
    for name in ("login", "other"):
        assert base[name] not in ended["out"] + told["out"]


def test_the_source_sends_them_again_and_they_stay_out(
    base: Told, calm: Told, product: type[Product]
) -> None:
    assert calm["before"]["code"] == 1
    assert "landing/events" in calm["before"]["out"]
    for name in ("login", "device", "other"):
        assert base[name] not in calm["before"]["out"]
    ran = calm["sent again"]
    assert ran["code"] == 0, ran["out"] + ran["err"]
    for proved in calm["after"]:
        assert proved["code"] == 0, proved["out"]
    ((erased,),) = product(calm["home"]).rows("select sum(rows_erased) from marts.lineage_ledger")
    assert erased > 0


def test_somebody_who_is_not_there_is_an_answer(
    base: Told, product: type[Product], tmp_path: Path
) -> None:
    there = copied(base, product, tmp_path / "nobody")
    version = there.published.name
    told = there.mkt("erase", "--subject-file", subject_file(tmp_path, "nobody-at-all"))
    assert told["code"] == 0
    assert "nobody of them is here" in told["out"]
    assert there.published.name == version


def test_what_cannot_be_read_is_refused(base: Told, product: type[Product], tmp_path: Path) -> None:
    there = product(base["home"], SMALL)
    missing = there.mkt("erase", "--subject-file", tmp_path / "none.txt")
    assert (missing["code"], "cannot be read" in missing["err"]) == (1, True)
    assert there.mkt("erase")["code"] == 2
