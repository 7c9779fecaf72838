"""Every model has a dbt unit test, and the one in Python has its own."""

from __future__ import annotations

import datetime as dt
import importlib.util
from types import SimpleNamespace
from typing import Any

import duckdb
import yaml
from common_sql import PROJECT

MODELS = PROJECT / "models"
#: models without a unit test of dbt's, and what stands for it
EXCUSED = {
    "int_markov_effects": "dbt takes each model of a unit test for SQL; the tests below run it",
    "time_spine_daily": "reads nothing that could be given; its days are tested to be unique",
}


def test_every_model_has_a_unit_test() -> None:
    files = [yaml.safe_load(path.read_text()) for path in MODELS.rglob("*.yml")]
    tested = {test["model"] for file in files for test in file.get("unit_tests", [])}
    models = {path.stem for kind in ("*.sql", "*.py") for path in MODELS.rglob(kind)}
    assert models - tested == EXCUSED.keys()


STEPS = """
create table int_journey_transitions as
select * from (values
    (date '2025-03-01', '(start)', 'ad', 2), (date '2025-03-01', '(start)', 'mail', 2),
    (date '2025-03-01', 'ad', '(conversion)', 1), (date '2025-03-01', 'ad', '(null)', 1),
    (date '2025-03-01', 'mail', '(conversion)', 2),
    (date '2025-03-02', '(start)', 'ad', 1), (date '2025-03-02', 'ad', '(conversion)', 1)
) as steps (date, from_channel, to_channel, journeys);
create schema builds;
create table builds.changes (producer varchar, event_date date, number bigint);
create table builds.readings (consumer varchar, producer varchar, number bigint, code varchar);
insert into builds.changes values
    ('int_journey_transitions', '2025-03-01', 1), ('int_journey_transitions', '2025-03-02', 2),
    ('another', '2025-03-01', 9);
insert into builds.readings values ('int_markov_effects', 'int_journey_transitions', 1, 'x');
"""


def effects(*, is_incremental: bool) -> list[dict[str, Any]]:
    """What the Python model makes of the steps, as dbt calls it."""
    path = MODELS / "intermediate" / "int_markov_effects.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with duckdb.connect() as con:
        con.execute(STEPS)
        dbt = SimpleNamespace(ref=con.table, is_incremental=is_incremental)
        return list(module.model(dbt, con).to_pylist())


FIRST, SECOND = dt.date(2025, 3, 1), dt.date(2025, 3, 2)


def test_each_day_has_a_chain_of_its_own() -> None:
    assert effects(is_incremental=False) == [
        {"date": FIRST, "channel_group": "ad", "removal_effect": 0.333333333333},
        {"date": FIRST, "channel_group": "mail", "removal_effect": 0.666666666667},
        {"date": SECOND, "channel_group": "ad", "removal_effect": 1.0},
    ]


def test_days_that_did_not_change_are_not_worked_out_again() -> None:
    assert {row["date"] for row in effects(is_incremental=True)} == {SECOND}
