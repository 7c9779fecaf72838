"""The data docs: one page of every rule, how it did and what to do, that needs no network.

Great Expectations' own pages load scripts and styles from nine hosts, so they are blank offline and
tell those hosts who reads them; this page has the same outcomes beside those of SQL and of history.
Each step of a run replaces its part, and the page is made of all parts. What stays out: judging.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake, replacing
from mkt_assets.privacy.scan_places import scan_file
from mkt_assets.quality.outcomes import Outcome

_TEMPLATES: Final = Path(__file__).with_name("templates")
PAGE: Final = "index.html"
_PARTS: Final = "parts"


@dataclass(frozen=True)
class Part:
    """What one step of a run found, and for which days."""

    name: str
    run_id: str
    days: str
    outcomes: tuple[Outcome, ...]


def folder(lake: Lake) -> Path:
    """Where the page lies."""
    return lake.root / "reports" / "data_docs"


def page(lake: Lake) -> Path:
    """The page to open."""
    return folder(lake) / PAGE


def write(lake: Lake, part: Part) -> Path:
    """Replace one part and the page that is made of all of them.

    Raises:
        MktError: the page would hold something personal; the one before stays.
    """
    with replacing(folder(lake) / _PARTS / f"{part.name}.json") as writing:
        writing.write_text(json.dumps(asdict(part), indent=1, ensure_ascii=False), encoding="utf-8")
        # the page repeats the parts and adds no word of the data
        _refuse_personal(lake, writing)
    target = page(lake)
    with replacing(target) as writing:
        writing.write_text(render(parts(lake)), encoding="utf-8")
    return target


def _refuse_personal(lake: Lake, file: Path) -> None:
    found = scan_file(lake, file)
    if found:
        raise MktError(
            f"the data docs would hold personal data: {'; '.join(f.as_line() for f in found[:5])}; "
            "tell who looks after privacy: a key of a published table is personal"
        )


def parts(lake: Lake) -> list[Part]:
    """The parts of all steps, by name."""
    return [_part(path) for path in sorted((folder(lake) / _PARTS).glob("*.json"))]


def _part(path: Path) -> Part:
    told = json.loads(path.read_text(encoding="utf-8"))
    outcomes = (Outcome(**{**o, "samples": tuple(o["samples"])}) for o in told.pop("outcomes"))
    return Part(**told, outcomes=tuple(outcomes))


def render(told: Sequence[Part]) -> str:
    """The page as HTML; every word of the data is escaped."""
    outcomes = [(part, o) for part in told for o in part.outcomes]
    broken = [(part, o) for part, o in outcomes if not o.holds]
    return _template().render(
        runs=list(dict.fromkeys((part.run_id, part.days) for part in told)),
        rules=len(outcomes),
        blocking=[o for _, o in broken if o.blocking],
        warnings=[o for _, o in broken if not o.blocking],
        tables=_by_table(outcomes),
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("data_docs.html")


def _by_table(outcomes: Sequence[tuple[Part, Outcome]]) -> list[dict[str, Any]]:
    """One record a table, in the order in which the tables come."""
    tables: dict[str, list[tuple[Part, Outcome]]] = {}
    for part, outcome in outcomes:
        tables.setdefault(outcome.table, []).append((part, outcome))
    return [
        {
            "name": name,
            "rows": found,
            "blocked": sum(o.blocking and not o.holds for _, o in found),
            "warned": sum(not o.blocking and not o.holds for _, o in found),
        }
        for name, found in tables.items()
    ]
