"""The audit finds what is planted, and never calls clean what it did not look at."""

import importlib.util
import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", REPOSITORY / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _package(name: str, **told: Any) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": []} | told


def _skipped(name: str) -> dict[str, Any]:
    return {"name": name, "skip_reason": "could not be audited"}


@pytest.mark.parametrize(
    ("packages", "code"),
    [
        ([_package("a"), _package("b")], 0),
        ([_package("a"), _package("b", vulns=[{"id": "PYSEC-2099-1"}])], 1),
        ([_skipped("a"), _package("b", vulns=[{"id": "PYSEC-2099-1"}])], 1),
        ([_package("a"), _skipped("b")], 3),
        ([_skipped("a"), _skipped("b")], 3),
        ([], 3),
    ],
)
def test_only_what_was_looked_up_is_clean(
    audit: ModuleType, packages: list[dict[str, Any]], code: int
) -> None:
    assert audit.verdict({"dependencies": packages})[0] == code


def test_no_report_is_not_clean(audit: ModuleType) -> None:
    code, words = audit.verdict(None)
    assert code == 3
    assert words.startswith("NOT AUDITED")


def test_a_planted_secret_is_found_and_not_repeated(audit: ModuleType, tmp_path: Path) -> None:
    # put together here, or the scan of this repository would find it
    planted = "AKIA" + "QX7ZP3LMN5RTUVW2"
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "settings.py").write_text(f'aws = "{planted}"\n')
    (tmp_path / "clean.py").write_text("x = 1\n")
    code, words = audit.scan(["settings.py", "clean.py"], tmp_path)
    assert code == 1
    assert "settings.py:1" in words
    assert planted not in words
    assert audit.scan(["clean.py"], tmp_path)[0] == 0


def test_the_baseline_is_of_tests_and_fixtures_only() -> None:
    known = json.loads((REPOSITORY / ".ci" / "secrets.json").read_text())["results"]
    assert {name.split("/")[0] for name in known} <= {"tests", "dbt_project", "README.md", "deploy"}
