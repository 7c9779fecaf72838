"""What is said of dbt's tests: what each claims, and the words and rows of those that failed.

Reads what dbt wrote; nothing here knows Dagster or opens the warehouse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

#: what dbt says of a run when it is over, by node
RESULTS: Final = "run_results.json"
#: rows of a failed test that are shown: enough to see what they have in common
SAMPLE_ROWS: Final = 5


def described(manifest: Path) -> dict[str, Any]:
    """The manifest, with what each test claims where dagster-dbt looks for a description."""
    told: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    for node in told["nodes"].values():
        if node["resource_type"] == "test":
            node["meta"]["description"] = node["description"] or _claim(node, told["macros"])
    return told


def _claim(test: Mapping[str, Any], macros: Mapping[str, Any]) -> str:
    """The words of the kind of test, and the columns that it looks at."""
    kind = [
        macro for macro in test["depends_on"]["macros"] if macro.split(".")[-1].startswith("test_")
    ]
    words = next((macros[macro]["description"] for macro in kind if macro in macros), "")
    arguments = (test.get("test_metadata") or {}).get("kwargs", {})
    columns = arguments.get("columns") or arguments.get("column_name") or arguments.get("condition")
    looked_at = ", ".join(columns) if isinstance(columns, (list, dict)) else columns
    sentence = words.strip() or f"{test['name'].replace('_', ' ')}."
    return f"{sentence} ({looked_at})" if looked_at else sentence


def messages(artifacts: Path) -> dict[str, str]:
    """What dbt said of each node, by its unique id; nothing where dbt never came to run one."""
    return {node: result["message"] or "" for node, result in _results(artifacts).items()}


def sample_query(artifacts: Path, test: str) -> str | None:
    """A query for the first rows that a failed test found; None where it could not be asked."""
    result = _results(artifacts).get(test, {})
    if result.get("status") not in ("fail", "warn"):
        return None
    return f"select * from ({result['compiled_code']}) as found limit {SAMPLE_ROWS}"


def _results(artifacts: Path) -> dict[str, Any]:
    path = artifacts / RESULTS
    if not path.is_file():
        return {}
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    return {result["unique_id"]: result for result in results}
