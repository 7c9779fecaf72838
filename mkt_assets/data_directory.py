"""Whether a run may begin in a data directory: is it ours to write, whose is it, is it whole.

What stays out: where things lie in it and how they are replaced (`lake`), and who works there now
(`locks`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake, replacing

#: whose data lie here
_PROPERTY = "property.json"
#: what a Parquet file begins and ends with; between are a length and a footer
_MAGIC = b"PAR1"
#: below this Dagster's own history cannot be opened, and a run ends with the error of a database
_LEAST_BYTES = 32 * 2**20


def refuse_unusable(lake: Lake) -> None:
    """Look whether a run may write here, before it begins.

    Raises:
        MktError: the data directory, or a folder of it, cannot be written by this user, or is full.
    """
    top = next(place for place in (lake.root, *lake.root.parents) if place.exists())
    if not top.is_dir():
        raise MktError(f"{top} is no folder: set MKT_DATA_DIR to one")
    inside = sorted(p for p in lake.root.glob("*") if p.is_dir()) if top == lake.root else []
    for place in (top, *inside, *sorted(lake.locks.glob("*.lock"))):
        if not os.access(place, os.W_OK | (os.X_OK if place.is_dir() else 0)):
            raise MktError(
                f"{place} cannot be written by user {os.geteuid()}: it belongs to user "
                f"{place.stat().st_uid}, or its disk is mounted read-only. Run as its owner, "
                "give it to this user (chown -R), or set MKT_DATA_DIR to another folder."
            )
        free = shutil.disk_usage(place).free
        if free < _LEAST_BYTES:
            raise MktError(
                f"no space left at {place}: {free / 2**20:.0f} MB are free, a run begins with "
                f"{_LEAST_BYTES / 2**20:.0f}. Make room, or set MKT_DATA_DIR to another disk."
            )


def claim(lake: Lake, identity: Mapping[str, str]) -> None:
    """Write down whose data lie here; once there are days, later runs must be of the same.

    Raises:
        MktError: the data are another property's, or made up: rows of two are never mixed.
    """
    path = lake.root / _PROPERTY
    if not path.is_file() or not any(lake.guarded.glob("*/event_date=*")):
        with replacing(path) as writing:
            writing.write_text(json.dumps(dict(identity)), encoding="utf-8")
        return
    if told := differences(lake, identity):
        raise MktError(
            f"{lake.root} holds the data of another property ({told}). Set MKT_DATA_DIR to a "
            "folder of its own, or remove that folder if it is not needed any more."
        )


def differences(lake: Lake, identity: Mapping[str, str]) -> str:
    """In what the data that lie here are not of ``identity``, in words; empty where they are."""
    path = lake.root / _PROPERTY
    if not path.is_file() or not any(lake.guarded.glob("*/event_date=*")):
        return ""
    known = json.loads(path.read_text(encoding="utf-8"))
    other = [k for k in identity if known.get(k, identity[k]) != identity[k]]
    return ", ".join(f"{k} {known[k]} there, {identity[k]} here" for k in other)


def refuse_damaged(lake: Lake, days: Collection[date]) -> None:
    """Look at both ends of each Parquet file, but of those that a run of ``days`` replaces.

    Raises:
        MktError: one is cut off or overwritten. No run leaves such; a disk or a person does.
    """
    models = lake.guarded / "models"
    made = {lake.partition(place.name, day) for place in lake.guarded.glob("*") for day in days}
    damaged = [
        path
        for path in sorted(lake.guarded.rglob("*.parquet"))
        if models not in path.parents and path not in made and not _is_whole(path)
    ]
    if damaged:
        named = ", ".join(str(path.relative_to(lake.root)) for path in damaged[:5])
        raise MktError(
            f"{named}: cut off or overwritten ({len(damaged)} files in all). Look at the disk; "
            "take them from a backup, or remove them and run their days again (mkt run --from "
            "D --to D), which makes them anew where the source is still there."
        )


def _is_whole(parquet: Path) -> bool:
    with parquet.open("rb") as file:
        begins = file.read(len(_MAGIC))
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - len(_MAGIC), 0))
        return size > 2 * len(_MAGIC) and begins == file.read() == _MAGIC
