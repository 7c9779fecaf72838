"""A night of faults: after each the last good version stays, and the next run repairs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from mkt_assets.warehouse import fingerprint, mart_tables

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

#: ads alone: what a fault does to a run is the same, and a run costs half
REPORT = "date,channel,campaign,impressions,clicks,spend,conversions,revenue\n" + "".join(
    f"2025-01-0{day},{channel},{campaign},{1000 * day},{50 + day},2{day}.5,2,90.25\n"
    for day in (1, 2)
    for channel, campaign in (("Search", "brand"), ("Social", "shoes"), ("Social", "video"))
)
RUN = ("run", "--from", "2025-01-01", "--to", "2025-01-02")
#: a run and all that it leaves need some 40 MB
DISK_MB = 160
#: enough to load the graph, too little for its first steps (KB of address space)
SHORT_OF_MEMORY = 'ulimit -v 1100000; exec "$0" "$@"'


@contextmanager
def _disk(place: Path) -> Iterator[bool]:
    """A small disk of its own, where this user may mount one."""
    place.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(place)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def _full(place: Path) -> Iterator[None]:
    """Write until nothing more can be written, and take it away again."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 2**16)
    try:
        yield
    finally:
        filler.unlink()


def _while_dbt_works(there: Product, act: Callable[[int], object]) -> Any:
    """A run to which something happens as soon as dbt is at work; ``act`` is told dbt's process."""
    run = there.start("mkt", *RUN)
    while run.poll() is None:
        time.sleep(0.1)
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                told = (entry / "cmdline").read_bytes()
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
            except OSError:
                continue
            if b"/dbt\0build" in told and parent == str(run.pid):
                time.sleep(5)
                act(int(entry.name))
                return run
    return run


def _seen(there: Product) -> Told:
    """What a reader sees: the name of the version, and each table."""
    with there.reader() as con:
        prints = {t: fingerprint(con, f"marts.{t}") for t in mart_tables(con)}
    return {"version": there.published.name, "prints": prints}


@pytest.fixture(scope="module")
def night(once: Callable[..., Told], product: Product, wait_for: Callable[[Any], Told]) -> Told:
    def make(home: Path) -> Told:
        (home / "ads.csv").write_text(REPORT)
        there = product(
            home,
            {
                "MKT_SOURCE": "files",
                "MKT_ADS_URI": str(home / "ads.csv"),
                "MKT_START_DATE": "2025-01-01",
            },
        )
        with _disk(home / "disk") as mounted:
            # the data directory is a link to that disk, and its landing area one back to this one
            there.data.symlink_to(home / "disk")
            (home / "landing").mkdir()
            there.lake.landing.symlink_to(home / "landing")
            told: Told = {"mounted": mounted, "good": there.mkt(*RUN), "first": _seen(there)}
            told["mode"] = (home / "landing").stat().st_mode & 0o777
            if mounted:
                with _full(home / "disk"):
                    told["full"] = there.mkt(*RUN)
                    told["while full"] = _seen(there)
                with ExitStack() as filled:
                    run = _while_dbt_works(
                        there, lambda _: filled.enter_context(_full(home / "disk"))
                    )
                    told["filled"] = wait_for(run)
                    told["while filled"] = _seen(there)
            short = subprocess.Popen(
                ["sh", "-c", SHORT_OF_MEMORY, Path(sys.executable).parent / "mkt", *RUN],
                env=there.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            told["short"] = wait_for(short)
            told["while short"] = _seen(there)
            days = there.lake.guarded / "ad_performance"
            first_day = days / "event_date=2025-01-01" / "ad_performance.parquet"
            first_day.write_bytes(first_day.read_bytes()[:-9])
            told["cut off"] = there.mkt("run", "--date", "2025-01-02")
            told["while cut off"] = _seen(there)
            # mends that day, and does not come further than dbt
            told["killed"] = wait_for(
                _while_dbt_works(there, lambda dbt: os.kill(dbt, signal.SIGKILL))
            )
            told["while killed"] = _seen(there)
            warehouse = there.lake.warehouse
            warehouse.write_bytes(warehouse.read_bytes()[:100_000])
            told["after"] = there.mkt(*RUN)
            told["last"] = _seen(there)
            told["left"] = [p.name for p in there.lake.find(".writing-*")]
        return told

    return once("night", make)


def test_each_fault_ends_its_run_and_the_last_good_version_stays(night: Told) -> None:
    assert night["good"]["code"] == 0, night["good"]
    for fault in ("short", "killed", "cut off"):
        assert night[fault]["code"] != 0, night[fault]
    for moment in ("while short", "while cut off", "while killed"):
        assert night[moment] == night["first"]


def test_folders_may_be_links_to_other_disks(night: Told) -> None:
    assert night["good"]["code"] == 0, night["good"]
    assert night["mode"] == 0o700
    assert (night["home"] / "landing" / "ad_performance").is_dir()


def test_a_full_disk_is_named(night: Told) -> None:
    if not night["mounted"]:
        pytest.skip("no disk of its own could be mounted here")
    assert night["full"]["code"] == 1
    assert "no space left at " in night["full"]["err"]
    assert night["while full"] == night["first"]


def test_a_disk_that_fills_up_under_way_leaves_the_last_good_version(night: Told) -> None:
    if not night["mounted"]:
        pytest.skip("no disk of its own could be mounted here")
    assert night["filled"]["code"] != 0
    assert night["while filled"] == night["first"]


def test_the_next_run_repairs_by_itself_and_publishes_the_same(night: Told) -> None:
    assert night["after"]["code"] == 0, night["after"]
    assert night["last"]["version"] > night["first"]["version"]
    for table, wanted in night["first"]["prints"].items():
        if table != "publication":
            assert night["last"]["prints"][table] == wanted, table
    assert night["left"] == []


def test_a_damaged_day_is_named_with_its_remedy(night: Told) -> None:
    said = night["cut off"]["out"] + night["cut off"]["err"]
    file = "lake/ad_performance/event_date=2025-01-01/ad_performance.parquet"
    assert f"{file}: cut off" in said
    assert "run their days again" in said
    # as the remedy says: nothing is wrong any more until dbt is killed
    assert "ok  privacy/ad_performance" in night["killed"]["out"]
    assert night["after"]["code"] == 0, night["after"]
