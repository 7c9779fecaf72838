"""What sqlfluff needs to know of dbt: `var()` with the real values, so that it lints the real SQL.

Named by `library_path` in .sqlfluff; dbt itself never looks in here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_PROJECT = Path(__file__).resolve().parents[1] / "dbt_project.yml"
_VARS: dict[str, Any] = yaml.safe_load(_PROJECT.read_text(encoding="utf-8"))["vars"]


def var(name: str, default: Any = None) -> Any:
    """The dbt variable called ``name``, as in a model."""
    return _VARS.get(name, default)
