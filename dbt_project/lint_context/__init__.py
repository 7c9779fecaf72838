"""What sqlfluff needs to know of dbt, so that it lints the real SQL: variables, metrics, DuckDB's macros.

Named by `library_path` in .sqlfluff; dbt itself never looks in here.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from jinja2 import pass_context
from jinja2.runtime import Context
from jinja2.utils import missing

_PROJECT = Path(__file__).resolve().parents[1]


def _yaml(path: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((_PROJECT / path).read_text(encoding="utf-8"))
    return loaded


_VARS = {
    **_yaml("dbt_project.yml")["vars"],
    # as in a unit test, which has no graph to read metrics from either
    "semantic_layer": _yaml("models/metrics/_metrics.yml"),
}


def var(name: str, default: Any = None) -> Any:
    """The dbt variable called ``name``, as in a model."""
    return _VARS.get(name, default)


def env_var(name: str, default: str = "") -> str:  # noqa: ARG001  the same on every machine
    """The default of the environment variable called ``name``."""
    return default


class Adapter:
    """As dbt's: a macro that engines say differently is the one that DuckDB says."""

    @pass_context
    def dispatch(self, context: Context, name: str, namespace: str = "mkt") -> Any:  # noqa: ARG002
        """The macro ``duckdb__name``, or ``default__name`` where DuckDB has none of its own."""
        found = context.resolve_or_missing(f"duckdb__{name}")
        return context.resolve(f"default__{name}") if found is missing else found


adapter = Adapter()
#: as in a model, the engine
target = SimpleNamespace(type="duckdb")
