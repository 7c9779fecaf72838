"""The dbt model of the Markov chain reads and answers in each engine's form, with the same rows.

Spark is not here: its two calls are those of its documented interface, `DataFrame.toPandas()` and
`SparkSession.createDataFrame(frame, schema=...)`.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pandas as pd
import pytest

from mkt_assets.project import dbt_project_dir

DAYS = [dt.date(2024, 1, 2), dt.date(2024, 1, 1)]
#: a converts in one of two journeys, b in one of one; on the first day nothing converts
STEPS = [
    (DAYS[0], "(start)", "a", 2),
    (DAYS[0], "(start)", "b", 1),
    (DAYS[0], "a", "(conversion)", 1),
    (DAYS[0], "a", "(null)", 1),
    (DAYS[0], "b", "(conversion)", 1),
    (DAYS[1], "(start)", "a", 1),
    (DAYS[1], "a", "(null)", 1),
]
EFFECTS = [(DAYS[1], "a", 0.0), (DAYS[0], "a", 0.5), (DAYS[0], "b", 0.5)]
COLUMNS = ["date", "from_channel", "to_channel", "journeys"]


class SparkFrame:
    """As much of a Spark DataFrame as the model asks for, with days as Spark gives them."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self.rows = rows

    def toPandas(self) -> pd.DataFrame:  # noqa: N802  Spark's name
        return pd.DataFrame(self.rows, columns=COLUMNS)


class SparkSession:
    """As much of a Spark session."""

    def createDataFrame(self, frame: pd.DataFrame, schema: str) -> tuple[str, list[Any]]:  # noqa: N802
        return schema, list(frame.itertuples(index=False, name=None))


class Dbt:
    """What dbt hands to a Python model."""

    is_incremental = False

    def __init__(self, steps: Any) -> None:
        self.steps = steps

    def ref(self, name: str) -> Any:
        assert name == "int_journey_transitions"
        return self.steps


@pytest.fixture(scope="module")
def file() -> ModuleType:
    path = dbt_project_dir() / "models" / "intermediate" / "int_markov_effects.py"
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("steps", "expected"), [(STEPS, EFFECTS), ([], [])])
def test_on_duckdb(file: ModuleType, steps: list[Any], expected: list[Any]) -> None:
    with duckdb.connect() as con:
        con.execute(
            "create table steps "
            "(date date, from_channel varchar, to_channel varchar, journeys bigint)"
        )
        if steps:
            con.executemany("insert into steps values (?, ?, ?, ?)", steps)
        con.register("found", file.model(Dbt(con.table("steps")), con))
        con.execute("create table effects as from found")
        kinds = {name: kind for name, kind, *_ in con.execute("describe effects").fetchall()}
        rows = con.execute("from effects").fetchall()
    assert kinds == {"date": "DATE", "channel_group": "VARCHAR", "removal_effect": "DOUBLE"}
    assert rows == expected


@pytest.mark.parametrize(("steps", "expected"), [(STEPS, EFFECTS), ([], [])])
def test_on_spark(file: ModuleType, steps: list[Any], expected: list[Any]) -> None:
    schema, rows = file.model(Dbt(SparkFrame(steps)), SparkSession())
    assert schema == "date date, channel_group string, removal_effect double"
    assert rows == expected
