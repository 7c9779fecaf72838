"""What a person has said of divisions that no metric is known to be in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

Place = tuple[str, str]

_TOLD = yaml.safe_load(Path(__file__).with_suffix(".yml").read_text(encoding="utf-8"))


def _places(kind: str) -> dict[Place, str]:
    return {(path, one): why for path, told in _TOLD[kind].items() for one, why in told.items()}


#: (path, function) -> why it makes no KPI
PYTHON, QUERIES, OF_ANY_METRICS = map(_places, ("python", "queries", "of_any_metrics"))
#: model -> why it makes no KPI
MODELS: dict[str, str] = _TOLD["models"]


def asked(kind: str, places: Iterable[Place]) -> str:
    """What to write into the list, once it is known to be no KPI."""
    lines = [f"  {path}:\n    {function}: why" for path, function in sorted(set(places))]
    return "\n".join(["use kpi(), kpi_value() or add_kpis(), or explain in", f"{kind}:", *lines])
