"""The looks at what was installed and configured: packages, the file of settings, Dagster."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mkt_assets.doctor.findings import Finding
from mkt_assets.lake import Lake

_PACKAGE = "mkt-assets"
_SECRETS = ("MKT_PII_KEYS", "MKT_ALERT_URL")


def versions() -> Iterator[Finding]:
    """Whether Python and each package are as this release was tested with."""
    python = ".".join(map(str, sys.version_info[:3]))
    try:
        wanted = requires(_PACKAGE) or []
    except PackageNotFoundError:
        yield Finding("warn", "versions", f"Python {python}, not installed", "pip install -e .")
        return
    asked = metadata(_PACKAGE)["Requires-Python"] or ""
    if not SpecifierSet(asked).contains(python, prereleases=True):
        advice = f"make the environment anew with a Python that fits {asked}"
        yield Finding("fail", "versions", f"Python {python} does not fit {asked}", advice)
        return
    wrong = [said for line in wanted if (said := _mismatch(Requirement(line)))]
    if wrong:
        advice = "pip install -e . -c constraints.txt"
        yield Finding("fail", "versions", "; ".join(wrong), advice)
    else:
        told = ", ".join(f"{p} {version(p)}" for p in ("dagster", "dbt-core", "duckdb", "pandas"))
        yield Finding("ok", "versions", f"Python {python}, {told}")


def _mismatch(requirement: Requirement) -> str:
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return ""
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing"
    fits = requirement.specifier.contains(found, prereleases=True)
    return "" if fits else f"{requirement.name} {found} does not fit {requirement.specifier}"


def env_file() -> Iterator[Finding]:
    """A ``.env`` file that holds secrets may be read by its owner alone."""
    path = Path(".env")
    secrets = [name for name in _SECRETS if dotenv_values(path).get(name)]
    if not secrets:
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    is_open = bool(mode & 0o077)
    yield Finding(
        "fail" if is_open else "ok",
        "env_file",
        f"{path.absolute()} holds {', '.join(secrets)}, mode {mode:04o}",
        f"chmod 600 {path.absolute()}; if others could log in here, rotate the keys"
        if is_open
        else "",
    )


def dagster_home(lake: Lake) -> Iterator[Finding]:
    """Whether launched runs would queue: two at once are safe, but the second holds a process."""
    given = os.environ.get("DAGSTER_HOME")
    home = Path(given) if given else lake.root / "dagster"
    config = home / "dagster.yaml"
    if given and not (home.is_absolute() and home.is_dir()):
        remedy = "set DAGSTER_HOME to the absolute path of a folder that exists"
        yield Finding("fail", "dagster", f"DAGSTER_HOME is {given!r}, which is none", remedy)
    elif not config.is_file():
        if given:
            remedy = f"cp deploy/dagster.yaml {home} (or dagster.yaml)"
            yield Finding("fail", "dagster", f"no dagster.yaml in {home}: nothing queues", remedy)
        else:
            yield Finding("ok", "dagster", f"no history at {home} yet")
    else:
        yield _configured(config)


def _configured(config: Path) -> Finding:
    try:
        told = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        seen = f"{config} cannot be read: {type(error).__name__}"
        return Finding("fail", "dagster", seen, "take dagster.yaml from this release again")
    lacking = [what for what, holds in _wanted(told) if not holds]
    if lacking:
        remedy = "take concurrency, run_monitoring and run_retries from this release's dagster.yaml"
        return Finding("warn", "dagster", f"{config}: {', '.join(lacking)}", remedy)
    return Finding("ok", "dagster", f"runs of {config.parent} queue and are watched")


def _wanted(told: Mapping[str, Any]) -> list[tuple[str, bool]]:
    concurrency = told.get("concurrency") or {}
    runs, pools = concurrency.get("runs") or {}, concurrency.get("pools") or {}
    one_pool = pools.get("granularity") == "run" and pools.get("default_limit") == 1
    return [
        (
            "runs do not wait for each other before they start",
            runs.get("max_concurrent_runs") == 1 or one_pool,
        ),
        ("killed runs are not noticed", bool((told.get("run_monitoring") or {}).get("enabled"))),
        ("killed runs are not run again", bool((told.get("run_retries") or {}).get("enabled"))),
    ]
