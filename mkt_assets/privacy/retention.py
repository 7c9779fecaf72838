"""Raw files and logs past their retention.

What stays out: guarded data, which holds no personal data, and what Dagster keeps of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mkt_assets.lake import Lake


@dataclass(frozen=True)
class Purged:
    """What a purge did: files and bytes removed, and when the oldest file that stays was landed."""

    files: int
    bytes: int
    kept: int
    oldest: datetime | None


def purge(lake: Lake, *, days: int, now: datetime) -> Purged:
    """Remove every raw file that was landed more than ``days`` days before ``now``.

    A day that is landed again counts from then. May be interrupted and run again.
    """
    limit = now - timedelta(days=days)
    files = size = 0
    stay: list[datetime] = []
    for path in sorted(p for p in lake.landing.rglob("*") if p.is_file()):
        told = path.stat()
        landed = datetime.fromtimestamp(told.st_mtime, UTC)
        if landed < limit:
            path.unlink()
            files, size = files + 1, size + told.st_size
        else:
            stay.append(landed)
    for folder in sorted((p for p in lake.landing.rglob("*") if p.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    return Purged(files, size, len(stay), min(stay, default=None))


def purge_logs(lake: Lake, *, days: int, now: datetime) -> int:
    """Remove what `mkt` wrote down of runs more than ``days`` days before ``now``; how many."""
    limit = (now - timedelta(days=days)).timestamp()
    old = [p for p in (lake.root / "logs").glob("run-*.log") if p.stat().st_mtime < limit]
    for path in old:
        path.unlink()
    return len(old)
