"""Models are written in shapes that every engine reads, but for what is dispatched by engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from common_sql import PROJECT, of_no_engine, uncommon_shapes

#: models that no macro can dispatch: see tests/marts/test_markov_model.py
PYTHON_MODELS = {"int_markov_effects"}
README = PROJECT.parent / "README.md"


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem) for path in sorted((PROJECT / "models").rglob("*.sql"))],
)
def test_a_model_says_what_every_engine_reads(path: Path) -> None:
    assert uncommon_shapes(of_no_engine(path)) == set()


def test_a_new_engine_is_told_of_models_that_are_not_sql() -> None:
    assert {path.stem for path in (PROJECT / "models").rglob("*.py")} == PYTHON_MODELS
    _, told = README.read_text(encoding="utf-8").split("## Another engine")
    section = told.partition("\n## ")[0]
    assert all(f"`{model}`" in section for model in PYTHON_MODELS)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("from t", {"from first"}),
        ("select a from (from t select a) as u", {"from first"}),
        ("select distinct on (a) a, b from t", {"distinct on", "Tuple"}),
        ("pivot t on a using sum(b)", {"Pivot"}),
        ("select a from t asof join u on t.x >= u.x", {"join method"}),
        ("select a from t positional join u", {"join method"}),
        ("select a from t semi join u on t.a = u.a", {"semi join"}),
        ("select a from t join u using (a)", {"join using"}),
        ("select a from t qualify rank() over (order by a) = 1", {"select qualify", "Qualify"}),
        ("select a from t using sample 5", {"select sample", "TableSample"}),
        ("select a from t limit 5", {"select limit", "Limit"}),
        ("select a, from t", {"a comma at the end"}),
        ("select a from t group by all", {"group all", "by all"}),
        ("select a from t order by all", {"by all"}),
        ("select a from t union by name select b from u", {"union by_name"}),
        ("with a as materialized (select 1 as b) select b from a", {"cte materialized"}),
        ("select * exclude (a) from t", {"star except"}),
        ("select columns('a') from t", {"Columns"}),
        ("select a from 'f.parquet'", {"identifier quoted"}),
        ("select a: 1 from t", {":"}),
        ("select a::boolean from t", {"::"}),
        ("select try_cast(a as bigint) from t", {"TryCast"}),
        ("select a == b from t", {"=="}),
        ("select a ** b from t", {"**"}),
        ("select a // b from t", {"IntDiv"}),
        ("select a[1] from t", {"Bracket"}),
        ("select [a, b] from t", {"Array"}),
        ("select a ilike 'x' from t", {"ILike"}),
        ("select max(a) filter (where b) from t", {"Filter"}),
        ("select a from t where a in (select b from u) order by a desc", set()),
        ("with a as (select 1 as b) select b from a left join c on a.b = c.b", set()),
        ("select a is not distinct from b, count(distinct c) from t group by a, b", set()),
        ("select sum(a) over (partition by b order by c rows 2 preceding) from t", set()),
        ("select cast(a as decimal(18, 4)), trim(b), interval '1' day from t", set()),
    ],
)
def test_it_finds_what_not_every_engine_reads(sql: str, words: set[str]) -> None:
    assert uncommon_shapes(sql) == words
