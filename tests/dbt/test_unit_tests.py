"""Every model that does more than rename has a dbt unit test, and the one in Python has its own."""

from __future__ import annotations

import datetime as dt
import importlib.util
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
import sqlglot
import yaml
from common_sql import PROJECT, of_no_engine
from sqlglot import exp

MODELS = PROJECT / "models"
#: what can be got wrong
TRICKY = (exp.Join, exp.Window, exp.Case, exp.AggFunc, exp.Group, exp.Distinct)
#: models without a unit test of dbt's, and what stands for it
EXCUSED = {
    "int_markov_effects": "dbt takes each model of a unit test for SQL; the tests below run it",
    "time_spine_daily": "reads nothing that could be given; its days are tested to be unique",
}


def is_tricky(sql: str) -> bool:
    return any(tree.find(*TRICKY) for tree in sqlglot.parse(sql, dialect="duckdb") if tree)


def test_every_tricky_model_has_a_unit_test() -> None:
    files = [yaml.safe_load(path.read_text()) for path in MODELS.rglob("*.yml")]
    tested = {test["model"] for file in files for test in file.get("unit_tests", [])}
    tricky = {path.stem for path in MODELS.rglob("*.sql") if is_tricky(of_no_engine(path))}
    tricky |= {path.stem for path in MODELS.rglob("*.py")}
    assert tricky - tested == EXCUSED.keys()


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select a as b, trim(c) as d from t where e > 1", False),
        ("select a from t inner join u on t.a = u.a", True),
        ("select case when a then b end as c from t", True),
        ("select max(a) as b from t", True),
        ("select distinct a from t", True),
        ("select a from t where b in (select row_number() over (order by c) from u)", True),
    ],
)
def test_what_can_be_got_wrong(sql: str, told: bool) -> None:
    assert is_tricky(sql) is told


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
