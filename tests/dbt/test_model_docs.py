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


#: columns of marts in which conversions of different windows can still be added up
CLAIMED = {
    "_marketing.yml": ("conversions", "revenue"),
    "_attribution.yml": ("reported_conversions",),
}


@pytest.mark.parametrize(
    ("file", "name"), [(file, name) for file, names in CLAIMED.items() for name in names]
)
def test_what_may_not_be_added_says_so(file: str, name: str) -> None:
    """Tools that read the marts add what they are asked to; nothing there refuses."""
    marts = yaml.safe_load((MODELS / "marts" / file).read_text())["models"]
    columns = [c for mart in marts for c in mart["columns"] if c["name"] == name]
    claimed = [c for c in columns if "platform" in c["description"]]
    assert claimed
    assert all("under one conversion window" in " ".join(c["description"].split()) for c in claimed)


@pytest.mark.parametrize(
    "name", ["conversions", "revenue", "reported_conversions", "reported_revenue"]
)
def test_a_metric_that_may_not_be_added_says_so(name: str) -> None:
    metrics = yaml.safe_load((MODELS / "metrics" / "_metrics.yml").read_text())["metrics"]
    (metric,) = [metric for metric in metrics if metric["name"] == name]
    assert "of one conversion window" in " ".join(metric["description"].split())
