"""Every model says what its columns are: types that are enforced, units, and what null means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from mkt_assets.project import dbt_project_dir

MODELS = dbt_project_dir() / "models"
NUMBERS = ("bigint", "decimal", "double")
#: in brackets, so that nobody has to guess whether 12 is seconds or euros
UNITS = ("(count", "(currency)", "(milliseconds)", "(microseconds", "(ratio)", "(days)")


def models() -> Iterator[Any]:
    for folder in ("staging", "intermediate"):
        for file in sorted((MODELS / folder).glob("_*.yml")):
            for model in yaml.safe_load(file.read_text()).get("models", []):
                yield pytest.param(model, id=model["name"])


def test_every_model_is_described() -> None:
    told = {param.id for param in models()}
    files = [path for f in ("staging", "intermediate") for path in (MODELS / f).iterdir()]
    assert told == {path.stem for path in files if path.suffix in (".sql", ".py")}


@pytest.mark.parametrize("model", list(models()))
def test_columns_have_a_type_and_say_what_null_means(model: dict[str, Any]) -> None:
    # dbt has no contracts for Python models; the marts above them have
    if not (MODELS / "intermediate" / f"{model['name']}.py").is_file():
        assert model["config"]["contract"]["enforced"]
    assert model["description"]
    for column in model["columns"]:
        assert column["data_type"], column
        assert "null" in column["description"], column
        if column["data_type"].startswith(NUMBERS):
            assert any(unit in column["description"] for unit in UNITS), column
