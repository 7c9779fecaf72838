"""No dbt model and no query in a Python module computes a KPI by its own formula, or averages one.

Each model is rendered as for sqlfluff, but with `kpi()` and `kpi_columns()` giving nulls.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from explained_divisions import MODELS, QUERIES, asked
from python_queries import queries, query_findings
from sql_formulas import Models
from sqlfluff.core import FluffConfig, Linter

import mkt_assets
from mkt_assets.marts.metrics import kpis
from mkt_assets.project import dbt_project_dir

PROJECT = dbt_project_dir()
PACKAGE = Path(mkt_assets.__file__).parent

_STUB = """
{% macro kpi(name) -%} cast(null as double) {%- endmacro %}
{% macro kpi_names() -%} {{ return([]) }} {%- endmacro %}
{% macro kpi_columns() -%} COLUMNS {%- endmacro %}
{% macro comparable_measures() -%} {{ return([]) }} {%- endmacro %}
{% macro comparable_columns(of_rows=false) -%} {%- endmacro %}
""".replace("COLUMNS", ", ".join(f"null as {kpi.name}" for kpi in kpis()))


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every model, rendered without the contract's own divisions."""
    macros = tmp_path_factory.mktemp("project") / "macros"
    shutil.copytree(PROJECT / "macros", macros)
    (macros / "kpi.sql").write_text(_STUB)
    found = {}
    for path in sorted((PROJECT / "models").rglob("*.sql")):
        config = FluffConfig.from_path(str(path))
        config.set_value(["templater", "jinja", "load_macros_from_path"], str(macros))
        rendered = Linter(config=config).render_string(
            path.read_text(), fname=str(path), config=config, encoding="utf-8"
        )
        assert rendered.templated_variants, f"{path}: {rendered.templater_violations}"
        found[path.stem] = str(rendered.templated_variants[0])
    return found


@pytest.fixture(scope="module")
def models(sql: dict[str, str]) -> Models:
    """One for all tests: what is known of one query must not leak into the next."""
    return Models(sql)


@pytest.mark.slow
def test_no_model_computes_a_kpi_by_itself(sql: dict[str, str], models: Models) -> None:
    found = [(name, what, sure) for name in sql for what, sure in models.violations(name)]
    assert [(name, what) for name, what, sure in found if sure] == []
    doubtful = {name for name, _, _ in found}
    assert doubtful == MODELS.keys(), "use kpi(), or explain in explained_divisions.yml"


def test_no_query_of_a_python_module_computes_a_kpi_by_itself(models: Models) -> None:
    certain, doubtful = [], set()
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        for function, line, what, sure in query_findings(models, path.read_text(encoding="utf-8")):
            if sure:
                certain.append(f"{place}:{line}: {what}")
            else:
                doubtful.add((place, function))
    assert certain == []
    assert doubtful == QUERIES.keys(), asked("queries", doubtful)


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("select clicks / impressions as c from marketing_clean", "clicks / impressions"),
        ("select 1000 * mark_spent / nullif(impressions, 0) from x", "mark_spent / impressions"),
        ("select revenue // greatest(mark_spent, 1) from x", "revenue / mark_spent"),
        ("select case when spend > 0 then revenue / spend end from x", "revenue / mark_spent"),
        ("select sum(c.revenue) / sum(c.spend) as r from lake as c", "revenue / mark_spent"),
        ("select any_value(revenue) / any_value(spend) as r from x", "revenue / mark_spent"),
        # the contract's own words, written again
        (
            "select cast(clicks as double) / nullif(cast(impressions as double), 0) as ctr from x",
            "clicks / impressions",
        ),
        # by other names, through a CTE and a union, which goes by place
        (
            """
            with a as (select sum(clicks) as c, sum(impressions) as i from kpi_daily),
            b as (select * from a union all select 1 as c, 2 as i)
            select c / i as z from b
            """,
            "clicks / impressions",
        ),
        (
            """
            with a as (select revenue as r, mark_spent as s from kpi_daily)
            select sum(r) / nullif(sum(s), 0) from a
            """,
            "revenue / mark_spent",
        ),
        (
            """
            with a as (select 1 as c, 2 as i union all select clicks, impressions from x)
            select c / i from a
            """,
            "clicks / impressions",
        ),
        (
            "select sum(revenue) / sum(case when revenue is not null then mark_spent end) from x",
            "revenue / mark_spent_with_revenue",
        ),
        ("select revenue / mark_spent_with_revenue from x", "revenue / mark_spent_with_revenue"),
        ("select (revenue - mark_spent) / mark_spent from x", "mark_spent+revenue / mark_spent"),
        (
            "select sum(revenue) over (order by d) / sum(mark_spent) over (order by d) from x",
            "revenue / mark_spent",
        ),
        ("select avg(roas) from marketing_kpi", "avg of roas"),
        ("select avg(roas) filter (where clicks > 1) from marketing_kpi", "avg of roas"),
        ("select avg(roas) over (order by date rows 6 preceding) from kpi_daily", "avg of roas"),
        ("select mean(roas) from marketing_kpi", "mean of roas"),
        ("select median(roas) from marketing_kpi", "median of roas"),
        ("select quantile_cont(roas, 0.5) from marketing_kpi", "percentilecont of roas"),
        ("select list_avg(list(roas)) from marketing_kpi", "list_avg of roas"),
        ("with k as (select roas as x from kpi_daily) select avg(x) as y from k", "avg of roas"),
        # rows that are counted are a metric as well
        (
            "select avg(case when s.is_engaged then 1 else 0 end) as r from fct_sessions as s",
            "engaged_sessions / sessions",
        ),
        (
            "select count(*) filter (where is_engaged) / count(*) from fct_sessions",
            "engaged_sessions+sessions / sessions",
        ),
        ("select count_if(is_engaged) / count(*) from fct_sessions", "engaged_sessions / sessions"),
        (
            "with p as (select * from fct_purchases) select sum(revenue) / count(*) as v from p",
            "purchase_revenue+revenue / purchases",
        ),
        (
            """
            with s as (select session_date as d, count(*) as n from fct_sessions group by 1),
            p as (select purchase_date as d, count(*) as n from fct_purchases group by 1)
            select p.n / s.n as rate from s inner join p on s.d = p.d
            """,
            "purchases / sessions",
        ),
    ],
)
def test_a_kpi_made_by_hand_is_found(models: Models, query: str, what: str) -> None:
    assert [found for found, sure in models.violations(query) if sure] == [what]


def test_what_is_known_of_a_query_ends_with_it(models: Models) -> None:
    query = "with a as (select {} as r, {} as s from kpi_daily) select sum(r) / sum(s) from a"
    plain, ratio = query.format(1, 2), query.format("revenue", "mark_spent")
    for _ in range(20):
        assert [sure for _, sure in models.violations(plain)] == [False]
        assert models.violations(ratio) == [("revenue / mark_spent", True)]


def test_a_sum_of_ratios_over_rows_is_their_mean(models: Models) -> None:
    assert ("sum of ctr", True) in models.violations("select sum(ctr) / count(*) from kpi_daily")


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("select sum(revenue) * (1.0 / sum(spend)) from x", "1.0 / SUM(spend)"),
        ("select sum(revenue) * power(sum(spend), -1) from x", "POWER(SUM(spend), -1)"),
        ("select sum(revenue) * sum(spend) ** -1 from x", "POWER(SUM(spend), -1)"),
        ("select divide(sum(revenue), sum(spend)) from x", "DIVIDE(SUM(revenue), SUM(spend))"),
        ("select regr_slope(revenue, spend) from x", "REGR_SLOPE(revenue, spend)"),
        ("select exp(ln(revenue) - ln(spend)) from x", "EXP(LN(revenue) - LN(spend))"),
        (
            "select (select sum(revenue) from x) / (select sum(spend) from x)",
            "(SELECT SUM(revenue) FROM x) / (SELECT SUM(spend) FROM x)",
        ),
        ("select sum(revenue) as a, sum(spend) as b, a / b as c from x", "a / b"),
        ("select t.x.r / t.x.s from (select {'r': revenue, 's': spend} as x from y) as t",
         "t.x.r / t.x.s"),
        (
            """
            with u as (select 'r' as n, revenue as v from x union all select 's', spend from x)
            select max(case when n = 'r' then v end) / max(case when n = 's' then v end) from u
            """,
            "MAX(CASE WHEN n = 'r' THEN v END) / MAX(CASE WHEN n = 's' THEN v END)",
        ),
        (
            "select sum(revenue) / count(distinct transaction_id) from fct_purchases",
            "SUM(revenue) / COUNT(DISTINCT transaction_id)",
        ),
        ("select avg(x) from lake", "AVG(x)"),
    ],
)  # fmt: skip
def test_what_nobody_can_tell_has_to_be_explained(models: Models, query: str, what: str) -> None:
    assert (what, False) in models.violations(query)


@pytest.mark.parametrize(
    "query",
    [
        "select revenue / sum(revenue) over () as share from marketing_clean",
        "select avg(mark_spent) as spend_a_day from kpi_daily",
        "select sum(mark_spent) / count(distinct date) as spend_a_day from kpi_daily",
        "select event_timestamp / 1000000 as seconds from stg_events",
        "select power(2, -days_before / 7) from int_conversion_paths",
        "select max(roas) as best from kpi_daily where clicks > impressions / 2",
    ],
)
def test_what_is_no_kpi_needs_no_explanation(models: Models, query: str) -> None:
    assert models.violations(query) == []


@pytest.mark.parametrize(
    "query",
    [
        "select sum(revenue) / sum(spend) from x",
        "\n-- roas\nselect sum(revenue) / sum(spend) from x",
        "/* roas */ (select sum(revenue) / sum(spend) from x)",
        "from x select sum(revenue) / sum(spend)",
        'with "a b" as (select 1) select sum(revenue) / sum(spend) from x',
        "with recursive a as (select 1) select sum(revenue) / sum(spend) from x",
        "select 1; select sum(revenue) / sum(spend) from x",
        "create or replace table y as select sum(revenue) / sum(spend) from x",
        "create macro f(revenue, spend) as revenue / spend",
        "copy (select sum(revenue) / sum(spend) from x) to 'y'",
        "insert into y select sum(revenue) / sum(spend) from x",
        "update y set roas = revenue / spend",
        # a piece of a query, or what a relation is asked to work out
        "sum(revenue) / sum(spend) as roas",
    ],
)
def test_a_query_in_python_is_judged(models: Models, query: str) -> None:
    source = f"def ask(con):\n    return con.sql({query!r})"
    found = list(query_findings(models, source))
    assert [(function, what) for function, _, what, sure in found if sure] == [
        ("ask", "revenue / mark_spent")
    ]


def test_an_average_in_a_piece_of_a_query_is_judged(models: Models) -> None:
    source = "x = con.table('kpi_daily').aggregate('avg(roas) as r')"
    assert list(query_findings(models, source)) == [("<module>", 1, "avg of roas", True)]


def test_what_is_put_into_a_query_is_some_name(models: Models) -> None:
    source = 'x = f"select sum(revenue) / sum({a})" + " from " + table\ny = "select 1 as one"'
    assert list(queries(source)) == [("<module>", 1, "select sum(revenue) / sum(x) from x")]
    assert [sure for *_, sure in query_findings(models, source)] == [False]


def test_a_query_that_divides_has_to_be_whole(models: Models) -> None:
    found = list(query_findings(models, 'x = "select sum(a)::decimal[ / b where"'))
    assert found == [("<module>", 1, "SQL that cannot be read", False)]


def test_prose_is_no_query(models: Models) -> None:
    source = '"""Select revenue / spend."""\nx = "clicks / impressions, of the days from 1 to 7"'
    assert list(query_findings(models, source)) == []
