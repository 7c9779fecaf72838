"""Which partitions hold people whom a rotation cut from their identifiers, and by which keys.

Such a pseudonym is made from an older one, so every key on its way is needed to compute it again:
without the oldest these people can be neither erased nor refused. What stays out: making such
pseudonyms (``rotation``), and all forms of one person (``stored_forms``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mkt_assets.lake import Lake, replacing
from mkt_assets.privacy.pseudonyms import KeyRing

#: key ids from the oldest to the one that the stored pseudonym was made with
Chain = tuple[str, ...]


@dataclass(frozen=True)
class Unlinked:
    """People of one partition without identifiers: how many, and the chains of their keys."""

    place: str
    people: int
    rows: int
    chains: tuple[Chain, ...]

    def is_searchable(self, ring: KeyRing) -> bool:
        """Whether every pseudonym in it can still be computed from an identifier."""
        live = {key.id for key in ring.keys}
        return all(live.issuperset(chain) for chain in self.chains)


def place_of(table: str, day: date | None) -> str:
    """What a partition is called here and in messages."""
    return f"{table}/{day}" if day else table


def everything(lake: Lake) -> list[Unlinked]:
    """Every partition with such people, in order."""
    return [
        Unlinked(place, told["people"], told["rows"], tuple(map(tuple, told["chains"])))
        for place, told in sorted(_read(lake).items())
    ]


def unsearchable(lake: Lake, ring: KeyRing) -> list[str]:
    """The partitions in which nobody can be looked for by identifier: a key is gone."""
    return [told.place for told in everything(lake) if not told.is_searchable(ring)]


def warning(lake: Lake) -> str:
    """What dropping an old key would cost; empty where nobody is unlinked."""
    known = everything(lake)
    old = sorted({key_id for told in known for chain in told.chains for key_id in chain[:-1]})
    if not known:
        return ""
    return (
        f"Unlinked: {sum(told.rows for told in known):,} rows in {len(known)} partitions hold "
        f"people without identifiers. Keep {', '.join(old)} in MKT_PII_KEYS: without it they can "
        "be neither erased nor refused. Running those days again from their source ends this."
    )


def chains(lake: Lake, ring: KeyRing) -> list[Chain]:
    """The chains that the live keys can follow, from each older key to the active one anyhow."""
    live = {key.id for key in ring.keys}
    known = {chain for told in everything(lake) for chain in told.chains}
    direct = {(key.id, ring.active.id) for key in ring.keys if key != ring.active}
    return sorted(chain for chain in known | direct if live.issuperset(chain))


def note(  # noqa: PLR0913 - each is a column of the record
    lake: Lake, place: str, *, old: Iterable[str], new: str, people: int, rows: int
) -> None:
    """Record a partition before it is re-keyed: a kill must not make anybody forget it."""
    known = _read(lake)
    before: Sequence[Chain] = [tuple(c) for c in known.get(place, {}).get("chains", [])]
    longer = {(*chain, new) for chain in before if chain[-1] in set(old)}
    kept = {chain for chain in before if chain[-1] not in set(old)}
    found = sorted(longer | kept | {(key_id, new) for key_id in old})
    _write(lake, known | {place: {"people": people, "rows": rows, "chains": found}})


def forget(lake: Lake, places: Iterable[str]) -> None:
    """Partitions that were guarded anew have people with identifiers again."""
    known = _read(lake)
    left = {place: told for place, told in known.items() if place not in set(places)}
    if left != known:
        _write(lake, left)


def _path(lake: Lake) -> Path:
    return lake.root / "keys" / "unlinked.json"


def _read(lake: Lake) -> dict[str, Any]:
    path = _path(lake)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _write(lake: Lake, known: Mapping[str, Any]) -> None:
    lake.closed(lake.root / "keys")
    with replacing(_path(lake), mode=0o600) as writing:
        writing.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
