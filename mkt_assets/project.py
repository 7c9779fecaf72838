"""Where the dbt project lies; what stays out: running it (that is `assets.py`)."""

from __future__ import annotations

from pathlib import Path

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
