"""Under which keys and policies the stored partitions were made.

Every guarded asset asks, and a ledger has a file a day and table: to open those of two years takes
most of a second, so in one process each file is read again only when it was replaced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mkt_assets.lake import Lake
from mkt_assets.privacy.ledger import LINES, asking_lines, files_of_all
from mkt_assets.privacy.lineage import NO_KEY

#: inode, time of writing in ns and size: another file under the same name differs in one of them
Looks = tuple[int, int, int]

_STAMPS: Final = f"""
    select filename, list(distinct key_id), list(distinct policy_version) from {LINES} group by 1
"""


@dataclass(frozen=True)
class _Stamps:
    """What one file, the lines of one partition of one table, was made with."""

    looks: Looks
    keys: frozenset[str]
    policies: frozenset[str]


#: by file, those of the lake that was asked last
_known: dict[str, _Stamps] = {}


def partitions_by_key(lake: Lake) -> dict[str, int]:
    """Key id -> partitions whose pseudonyms were made under it; what has none is left out."""
    counted = Counter(key for stamps in _stamps(lake).values() for key in stamps.keys)
    counted.pop(NO_KEY, None)
    return dict(sorted(counted.items(), key=str))


def partitions_by_policy(lake: Lake) -> dict[str, int]:
    """Policy stamp -> partitions that were guarded under it."""
    counted = Counter(policy for stamps in _stamps(lake).values() for policy in stamps.policies)
    return dict(sorted(counted.items(), key=str))


def _stamps(lake: Lake) -> Mapping[str, _Stamps]:
    looks: dict[str, Looks] = {}
    for file in files_of_all(lake):
        told = Path(file).stat()
        looks[file] = (told.st_ino, told.st_mtime_ns, told.st_size)
    # copied at once: threads ask, too
    before = [*_known.items()]
    known = {file: stamps for file, stamps in before if looks.get(file) == stamps.looks}
    if unread := sorted(looks.keys() - known.keys()):
        with asking_lines() as con:
            found = con.execute(_STAMPS, {"files": unread}).fetchall()
        # in a path with the signs of a pattern DuckDB may see other files, too
        stamped = {file: (keys, policies) for file, keys, policies in found}
        for file in unread:
            keys, policies = stamped.get(file, ((), ()))
            known[file] = _Stamps(looks[file], frozenset(keys), frozenset(policies))
    _known.clear()
    _known.update(known)
    return known
