"""A run does not begin where it may not write, where others lie, or where files are cut off."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from mkt_assets.data_directory import claim, refuse_damaged, refuse_unusable
from mkt_assets.errors import MktError
from mkt_assets.lake import Lake


def _damaged(lake: Lake, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"n": range(100)}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    return path


@pytest.mark.parametrize("table", ["events", "lineage_ledger", "consent_log"])
def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path, table: str) -> None:
    lake, day = Lake(tmp_path), date(2026, 1, 2)
    good = lake.partition("events", date(2026, 1, 1))
    good.parent.mkdir(parents=True)
    pd.DataFrame({"n": [1]}).to_parquet(good)
    refuse_damaged(lake, [])
    path = _damaged(lake, lake.partition(table, day, "lines"))
    with pytest.raises(MktError, match=rf"lake/{table}/event_date=2026-01-02/lines.*mkt run"):
        refuse_damaged(lake, [day])
    assert path.exists()


@pytest.mark.parametrize("left", [0, 3, 8, 100])
def test_what_the_run_makes_anew_may_be_damaged(tmp_path: Path, left: int) -> None:
    lake, day = Lake(tmp_path), date(2026, 1, 2)
    for path in (lake.partition("events", day), lake.model("insights/things")):
        path.write_bytes(_damaged(lake, path).read_bytes()[:left])
    refuse_damaged(lake, [day])
    with pytest.raises(MktError, match=r"1 files in all"):
        refuse_damaged(lake, [date(2026, 1, 3)])


def test_two_properties_do_not_share_a_data_directory(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    made_up = {"source": "sample", "timezone": "UTC"}
    claim(lake, {"source": "files", "timezone": "UTC"})
    # a first try that stored nothing binds nobody
    claim(lake, made_up)
    lake.partition("events", date(2026, 1, 2)).parent.mkdir(parents=True)
    claim(lake, made_up)
    with pytest.raises(MktError, match=r"source sample there, files here.*MKT_DATA_DIR"):
        claim(lake, {"source": "files", "timezone": "UTC"})
    with pytest.raises(MktError, match="timezone UTC there, Europe/Berlin here"):
        claim(lake, {"source": "sample", "timezone": "Europe/Berlin"})


def _as_nobody(lake: Lake) -> str:
    """What another user is refused with."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else for a moment")
    os.setresuid(65_534, 65_534, 0)
    try:
        refuse_unusable(lake)
    except MktError as error:
        return str(error)
    finally:
        os.setresuid(0, 0, 0)
    return ""


def _open_to_all(place: Path) -> Lake:
    """A data directory on a path that every user may walk."""
    for folder in (place, *place.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    return Lake(place)


@pytest.mark.parametrize("theirs", [".", "lake", "locks/run.lock"])
def test_a_data_directory_of_somebody_else_is_refused_with_words(
    tmp_path: Path, theirs: str
) -> None:
    lake = _open_to_all(tmp_path)
    lake.prepare()
    lake.locks.joinpath("run.lock").touch()
    for place in (tmp_path, *tmp_path.rglob("*")):
        os.chown(place, 65_534, -1)
    assert _as_nobody(lake) == ""
    os.chown(tmp_path / theirs, 0, -1)
    said = _as_nobody(lake)
    assert f"{tmp_path / theirs} cannot be written by user 65534: it belongs to user 0" in said
    assert "MKT_DATA_DIR" in said


def test_a_data_directory_that_cannot_be_made_is_refused_with_words(tmp_path: Path) -> None:
    there = _open_to_all(tmp_path)
    tmp_path.chmod(0o755)
    assert "cannot be written by user" in _as_nobody(Lake(there.root / "data"))
    (tmp_path / "file").touch()
    with pytest.raises(MktError, match="no folder: set MKT_DATA_DIR"):
        refuse_unusable(Lake(tmp_path / "file" / "data"))
    refuse_unusable(Lake(tmp_path / "data"))


def test_a_full_disk_is_refused_with_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5 * 2**20))
    with pytest.raises(MktError, match=r"no space left at .*: 5 MB are free, a run begins with 32"):
        refuse_unusable(Lake(tmp_path))


def test_a_disk_that_is_mounted_read_only_is_refused_with_words_even_to_root(
    tmp_path: Path,
) -> None:
    Lake(tmp_path / "data").prepare()
    looked = (
        "from pathlib import Path; from mkt_assets.lake import Lake; "
        "from mkt_assets.data_directory import refuse_unusable; "
        f"refuse_unusable(Lake(Path('{tmp_path}/data')))"
    )
    mounted = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path}"
    try:
        allowed = subprocess.run(
            ["unshare", "-m", "sh", "-c", mounted], check=False, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("only Linux has mounts of one process")
    if allowed.returncode:
        pytest.skip("only root may mount")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mounted} && "{sys.executable}" -c "{looked}"'],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"MktError: {tmp_path}/data cannot be written" in done.stderr
    assert "its disk is mounted read-only" in done.stderr
