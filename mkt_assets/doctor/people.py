"""The looks at what personal data hang on: closed areas, keys, people who cannot be found."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from mkt_assets.doctor.findings import Finding
from mkt_assets.errors import MktError
from mkt_assets.lake import Lake
from mkt_assets.privacy.vault import open_places
from mkt_assets.settings import Settings


def vault(known: Settings, lake: Lake) -> Iterator[Finding]:
    """Match keys can be undone by whoever has a list of addresses."""
    if not lake.vault.exists():
        seen = "none yet" if known.has_contacts else "no contacts, so no match keys"
        yield Finding("ok", "vault", seen)
        return
    loose = open_places(lake)
    yield Finding(
        "fail" if loose else "ok",
        "vault",
        f"{len(loose)} places open to others, {loose[0]}" if loose else "closed to others",
        f"find out who could read it, then chmod -R go-rwx {lake.vault}" if loose else "",
    )


def closed_areas(_known: Settings, lake: Lake) -> Iterator[Finding]:
    """Keys and the list of erased people; landing area and vault have looks of their own."""
    areas = [place for place in (lake.root / "keys", lake.erasures) if place.exists()]
    inside = [path for area in areas for path in (area, *sorted(area.rglob("*")))]
    loose = [path for path in inside if _mode(path) & 0o077]
    if loose:
        named = ", ".join(f"{path} has mode {_mode(path):04o}" for path in loose[:3])
        yield Finding(
            "fail",
            "closed",
            f"{named} ({len(loose)} in all)",
            f"find out who could read it, then chmod -R go-rwx {' '.join(map(str, areas))}; "
            "if somebody could, change the key: mkt rotate-keys",
        )
    elif areas:
        yield Finding("ok", "closed", f"{' and '.join(a.name for a in areas)} closed to others")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def keys(known: Settings, lake: Lake) -> Iterator[Finding]:
    """Whether the keys are there, long enough, and every one that stored data were made with."""
    from mkt_assets.privacy.keys import key_ring, refuse_missing

    if not known.has_ga4:
        yield Finding("ok", "keys", "no events, so no pseudonyms")
        return
    try:
        ring = key_ring(known, create=False)
        if ring is not None:
            refuse_missing(ring, lake)
    except MktError as error:
        yield Finding("fail", "keys", str(error), "set MKT_PII_KEYS")
        return
    if ring is None:
        seen = "the sample source makes its own key at the first run"
        yield Finding("ok", "keys", seen)
    else:
        yield Finding("ok", "keys", f"active key {ring.active.id}")


def unlinked(known: Settings, lake: Lake) -> Iterator[Finding]:
    """Whether there are people whom a rotation cut from their identifier."""
    from mkt_assets.privacy import unlinked as unlinking
    from mkt_assets.privacy.keys import key_ring

    told = unlinking.everything(lake)
    if not told:
        return
    try:
        ring = key_ring(known, create=False)
    except MktError:
        return  # the look at the keys has said so
    lost = unlinking.unsearchable(lake, ring) if ring else [one.place for one in told]
    yield Finding(
        "fail" if lost else "ok",
        "unlinked",
        f"{sum(one.rows for one in told):,} rows in {len(told)} partitions, "
        f"{len(lost)} of which cannot be searched for anybody",
        "put the old key back, or run those days again from their source" if lost else "",
    )


def erasures(_known: Settings, lake: Lake) -> Iterator[Finding]:
    """Whether each request was carried out."""
    from mkt_assets.privacy.erasure_list import records, unfinished

    waiting = unfinished(lake)
    told = ", ".join(record["request_id"] for record in waiting)
    yield Finding(
        "warn" if waiting else "ok",
        "erasures",
        f"{len(records(lake))} requests, {len(waiting)} unfinished {told}".rstrip(),
        "run mkt erase again with their subject file, or mkt run" if waiting else "",
    )
