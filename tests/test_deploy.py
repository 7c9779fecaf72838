"""The production profile: valid where no container runs, closed where nobody has opened it."""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from mkt_assets.settings import known_variables

REPOSITORY = Path(__file__).resolve().parents[1]
DEPLOY = REPOSITORY / "deploy"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
    return told


def test_queue_retries_and_retention_are_those_of_the_repository() -> None:
    shipped = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
    deployed = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    places = {"storage", "local_artifact_storage", "compute_logs"}
    assert {k: deployed[k] for k in deployed.keys() - places} == {
        k: shipped[k] for k in shipped.keys() - places
    }


def test_what_ticks_leave_is_removed(tmp_path: Path) -> None:
    kept = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())["retention"]
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"retention": kept}))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        told = instance.get_settings("retention")
        assert told["sensor"]["purge_after_days"]["failure"] == 90
        assert told["schedule"]["purge_after_days"] == 90


def test_only_the_proxy_has_a_port_and_that_on_this_machine(compose: dict[str, Any]) -> None:
    published = {n: s["ports"] for n, s in compose["services"].items() if "ports" in s}
    assert published == {"proxy": ["${PROXY_BIND:-127.0.0.1}:8443:8443"]}
    assert "basic_auth" in (DEPLOY / "Caddyfile").read_text()


def test_proxy_and_database_do_not_meet(compose: dict[str, Any]) -> None:
    networks = {name: set(s["networks"]) for name, s in compose["services"].items()}
    assert not networks["proxy"] & networks["postgres"]
    assert compose["networks"]["storage"] == {"internal": True}
    assert {n for n, s in compose["services"].items() if "env_file" in s} == {"code"}


def test_every_name_in_the_compose_file_is_defined(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert set(service["networks"]) <= set(compose["networks"]), name
        assert set(service.get("depends_on", [])) <= set(services), name
        for volume in service.get("volumes", []):
            source = re.split(r":(?=/)", volume)[0]
            known = source in compose["volumes"] or source.startswith("${INPUTS_DIR")
            assert known or (DEPLOY / source).exists(), volume


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    text = (DEPLOY / "docker-compose.yml").read_text()
    for variable in ("DAGSTER_POSTGRES_PASSWORD", "UI_PASSWORD_HASH"):
        uses = re.findall(rf"\$\{{{variable}[^}}]*\}}", text)
        assert uses
        assert all(f"{variable}:?" in use for use in uses)


def test_the_example_of_the_settings_names_only_known_ones() -> None:
    lines = (DEPLOY / "production.env.example").read_text().splitlines()
    given = {
        line.strip("# ").split("=")[0] for line in lines if line.strip("# ").startswith("MKT_")
    }
    assert given <= set(known_variables())


def test_the_image_is_made_of_named_files_only() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split("\n")
    assert "*" in ignored
    copied = re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert sources == {line[1:] for line in ignored if line.startswith("!")}
    assert all((REPOSITORY / source).exists() for source in sources)
