"""Where the dbt project lies and what its YAML says; what stays out: running it (`assets.py`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

#: libyaml where it is there: ten times as fast, and every process reads these files as it starts
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PACKAGE = Path(__file__).resolve().parents[0]


def dbt_project_dir() -> Path:
    """The dbt project: beside the package in a checkout, inside it in an installed wheel.

    Raises:
        FileNotFoundError: neither place holds a ``dbt_project.yml``.
    """
    for place in (_PACKAGE.parent / "dbt_project", _PACKAGE / "_dbt_project"):
        if (place / "dbt_project.yml").is_file():
            return place
    raise FileNotFoundError(
        f"no dbt_project.yml beside or inside {_PACKAGE}: reinstall, or use a full checkout"
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file of the dbt project.

    Raises:
        yaml.YAMLError: it is none.
    """
    loaded: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506
    return loaded
