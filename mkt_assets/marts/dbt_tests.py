"""What is said of dbt's tests: what each claims, and the words and rows of those that failed.

Reads what dbt wrote; nothing here knows Dagster or opens the warehouse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from mkt_assets.contracts import identifying

#: what dbt says of a run when it is over, by node
RESULTS: Final = "run_results.json"
#: rows of a failed test that are shown: enough to see what they have in common
SAMPLE_ROWS: Final = 5
#: and so many of their columns
SAMPLE_COLUMNS: Final = 8
#: the generic test that says of each row it finds which rules are broken, in the column BROKEN
ROWS: Final = "sound_rows"
BROKEN: Final = "broken"


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
    columns = (
        _rules(arguments)
        if (test.get("test_metadata") or {}).get("name") == ROWS
        else arguments.get("columns") or arguments.get("column_name")
    )
    looked_at = ", ".join(columns) if isinstance(columns, (list, dict)) else columns
    sentence = words.strip() or f"{test['name'].replace('_', ' ')}."
    return f"{sentence} ({looked_at})" if looked_at else sentence


def _rules(arguments: Mapping[str, Any]) -> list[str]:
    """What a test of rows looks at, a few words for each rule."""
    told = [f"one row for each {' and '.join(arguments['key'])}"] if "key" in arguments else []
    for argument, words in (("never_null", "never null"), ("not_negative", "not below zero")):
        if argument in arguments:
            told.append(f"{words}: {' '.join(arguments[argument])}")
    if "currency" in arguments:
        told.append(f"the property's currency in {arguments['currency']}")
    if arguments.get("kpis"):
        told.append("finite KPIs")
    return told + [name.replace("_", " ") for name in arguments.get("rules", {})]


def messages(artifacts: Path) -> dict[str, str]:
    """What dbt said of each node, by its unique id; nothing where dbt never came to run one."""
    return {node: result["message"] or "" for node, result in _results(artifacts).items()}


def failing_rows(artifacts: Path, test: str) -> str | None:
    """The query for the rows that a failed test found; None where it could not be asked."""
    result = _results(artifacts).get(test, {})
    failed = result.get("status") in ("fail", "warn")
    return str(result["compiled_code"]) if failed else None


def first_of(failing: str, query: Callable[[str], pd.DataFrame]) -> tuple[str, pd.DataFrame]:
    """Of the rows that a query finds: how many break which rules, if that is told, and a sample.

    The sample has the first rows, and of their columns why the row was found, those that the reason
    names, then the others in their order; none by which a person could be followed.
    """
    found, reasons = query(f"select * from ({failing}) as found limit {SAMPLE_ROWS}"), ""
    if BROKEN in found:
        counted = query(
            f"select {BROKEN}, count(*) as broken_rows from ({failing}) as found "
            f"group by {BROKEN} order by broken_rows desc, {BROKEN} limit {SAMPLE_ROWS}"
        )
        counts = zip(counted[BROKEN], counted["broken_rows"], strict=True)
        reasons = " ".join(f"rows {rows:,}: {broken}" for broken, rows in counts)
    # lists of lineage ids and items would hide the rest
    told = [name for name in found if name not in identifying()]
    flat = [str(name) for name in told if not found[name].map(np.ndim).any()]
    named = set(re.findall(r"\w+", reasons))
    shown = sorted(flat, key=lambda name: (name != BROKEN, name not in named))
    return reasons, found[shown[:SAMPLE_COLUMNS]]


def _results(artifacts: Path) -> dict[str, Any]:
    path = artifacts / RESULTS
    if not path.is_file():
        return {}
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    return {result["unique_id"]: result for result in results}
