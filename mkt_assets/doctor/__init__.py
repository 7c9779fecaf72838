"""Is this installation healthy? Each finding says what was seen and what to do about it.

Looking changes nothing. What stays out: the looks themselves (the other modules of this folder).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from mkt_assets.doctor import directory, installation, people, publication
from mkt_assets.doctor.findings import Finding
from mkt_assets.errors import MktError
from mkt_assets.lake import Lake
from mkt_assets.settings import Settings, settings

_LOOKS: tuple[Callable[[Settings, Lake], Iterator[Finding]], ...] = (
    directory.disk,
    directory.owner,
    directory.landing,
    people.vault,
    people.closed_areas,
    people.keys,
    people.unlinked,
    people.erasures,
    directory.lock,
    directory.warehouse,
    directory.identity,
)
#: those that depend on what time it is
_TIMED_LOOKS: tuple[Callable[[Settings, Lake, datetime], Iterator[Finding]], ...] = (
    publication.published,
    publication.clock,
    publication.partitions,
)


def examine(now: datetime | None = None) -> list[Finding]:
    """Look at everything; a refused setting is itself a finding.

    Args:
        now: the time, with its zone, that days are stale at; by default the clock's.
    """
    findings = list(installation.versions())
    try:
        known = settings()
    except MktError as error:
        return [*findings, Finding("fail", "settings", str(error), "correct the variable")]
    findings.append(Finding("ok", "settings", f"source {known.source}, {known.timezone}"))
    findings += installation.env_file()
    lake, at = Lake(known.data_dir), now or datetime.now(UTC)
    findings += installation.dagster_home(lake)
    for look in _LOOKS:
        findings += look(known, lake)
    for timed_look in _TIMED_LOOKS:
        findings += timed_look(known, lake, at)
    return findings


__all__ = ["Finding", "examine"]
