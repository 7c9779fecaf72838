"""The test of rows: what it finds in a mart, and what is said of it."""

from __future__ import annotations

import duckdb
import pytest
from lake_project import DAY_1, DAY_2, Project
from small_lake import fill

from mkt_assets.marts.dbt_tests import described, failing_rows, first_of, messages

pytestmark = pytest.mark.slow

#: a change to the stored marts -> how many rows break which rules
_SPOILT = {
    "marketing_clean": (
        (
            "insert into {table} select * from {table} limit 1",
            f"update {{table}} set clicks = -1, currency = 'USD' where date = '{DAY_1}'",
            f"update {{table}} set is_final = null where date = '{DAY_2}'",
        ),
        {
            "is_final is null.",
            "clicks is below zero. currency is another than that of the property.",
        },
    ),
    "marketing_kpi": (
        ("update {table} set ctr = 2, roas = 'inf'",),
        {"roas is not finite. not so: ctr_is_a_share."},
    ),
    "platform_claims": (
        (
            "update {table} set channel = null, campaign = 'one', known_to = 'nobody'",
            "insert into {table} select * from {table} limit 1",
        ),
        {"not so: known_to_is_known."},
    ),
    "fct_sessions": (
        ("update {table} set channel_group = 'Telepathy', user_key = null",),
        {"user_key is null. not so: channel_group_is_known."},
    ),
}


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A build whose marts somebody changed since, tested again."""
    project = Project(tmp_path_factory.mktemp("spoilt"))
    fill(project)
    project.build()
    with duckdb.connect(str(project.home / "warehouse.duckdb")) as con:
        for table, (statements, _) in _SPOILT.items():
            for statement in statements:
                con.execute(statement.format(table=f"marts.{table}"))
        # of a day that is tested already only what changed is read again
        con.execute("delete from builds.readings where consumer = 'fct_sessions_rows_are_sound'")
    done = project.dbt("test", "--select", *(f"{table}_rows_are_sound" for table in _SPOILT))
    assert done.returncode == 1
    return project


def _test(project: Project, table: str) -> str:
    name = f".{table}_rows_are_sound."
    [found] = [one for one in messages(project.target) if name in one]
    return found


def _found(project: Project, table: str) -> str:
    failing = failing_rows(project.target, _test(project, table))
    assert failing is not None
    return failing


@pytest.mark.parametrize("table", _SPOILT)
def test_each_row_that_breaks_a_rule_says_which(spoilt: Project, table: str) -> None:
    found = spoilt.query(_found(spoilt, table))["broken"].value_counts().to_dict()
    repeated = {told for told in found if told.endswith(" rows.")}
    assert set(found) - repeated == _SPOILT[table][1]
    assert bool(repeated) == (table in ("marketing_clean", "platform_claims"))
    rows = spoilt.query(f"from marts.{table}")
    for told in repeated:
        # null is a value of a key that may be null
        assert told.startswith("date, channel, campaign of ")
        twice = rows.groupby(["date", "channel", "campaign"], dropna=False).size()
        assert found[told] == twice[twice == int(told.split()[-2])].sum()


def test_rules_are_counted_and_the_sample_shows_their_columns_first(spoilt: Project) -> None:
    reasons, sample = first_of(_found(spoilt, "marketing_kpi"), spoilt.query)
    rows = len(spoilt.query("from marts.marketing_kpi"))
    assert reasons == f"rows {rows}: roas is not finite. not so: ctr_is_a_share."
    assert [*sample][:3] == ["broken", "roas", "date"]
    assert len(sample) == min(rows, 5)


def test_a_sample_has_no_key_of_a_person_a_visit_or_an_order(spoilt: Project) -> None:
    """Dagster keeps it for good, and no erasure reaches it."""
    for table in _SPOILT:
        found = spoilt.query(_found(spoilt, table))
        _, sample = first_of(_found(spoilt, table), spoilt.query)
        assert {"user_key", "session_key"} & {*found} == (
            {"user_key", "session_key"} if table == "fct_sessions" else set()
        )
        assert not {"user_key", "session_key"} & {*sample}
    purchases = "select * from marts.fct_purchases"
    _, sample = first_of(purchases, spoilt.query)
    assert len(sample.columns) == 8
    values = spoilt.query(purchases)
    keys = {
        v for name in ("user_key", "session_key", "transaction_id") for v in values[name].dropna()
    }
    assert not keys & {str(value) for value in sample.to_numpy().ravel()}


def test_what_was_tested_is_not_read_again(spoilt: Project) -> None:
    """A day of an incremental model that did not change since its test passed cost once."""
    done = spoilt.dbt("test", "--select", "stg_events_rows_are_sound")
    assert done.returncode == 0, done.stdout
    compiled = spoilt.home / "target/compiled/mkt/models/staging/_staging.yml"
    assert str(DAY_1) not in (compiled / "stg_events_rows_are_sound.sql").read_text()


def test_the_description_names_every_rule(spoilt: Project) -> None:
    nodes = described(spoilt.target / "manifest.json")["nodes"].values()
    told = {n["name"]: n["meta"]["description"] for n in nodes if n["resource_type"] == "test"}
    assert told["marketing_clean_rows_are_sound"] == (
        "Every row keeps the rules of its model. (one row for each date and channel and campaign, "
        "never null: mark_spent is_final lineage_id, "
        "not below zero: impressions clicks leads conversions mark_spent, "
        "the property's currency in currency)"
    )
    assert "channel group is known" in told["fct_sessions_rows_are_sound"]
    assert "finite KPIs" in told["marketing_kpi_rows_are_sound"]
