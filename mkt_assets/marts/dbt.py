"""How dbt is run here: where it finds lake and warehouse, and a manifest that is never stale.

What stays out: Dagster's view of the models (that is `assets.py`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mkt_assets.data_directory import refuse_unusable
from mkt_assets.errors import MktError
from mkt_assets.lake import Lake
from mkt_assets.locks import exclusive
from mkt_assets.marts.own_seeds import ensure_own_seeds
from mkt_assets.project import dbt_project_dir
from mkt_assets.settings import Settings

#: folders of the project whose files decide what the manifest says
_SOURCES = ("models", "macros", "seeds", "tests", "snapshots", "analyses")
_KEYS = "MKT_PII_KEYS"
_PARSED = "partial_parse.msgpack"
_PARSE_TIMEOUT_SECONDS = 300.0


def dbt_executable() -> str:
    """The dbt of this Python environment, whatever the PATH says."""
    beside = Path(sys.executable).parent / "dbt"
    return str(beside) if beside.is_file() else "dbt"


def target_path(settings: Settings) -> Path:
    """The artifacts of dbt lie with the data that they describe: two data directories never mix."""
    return settings.data_dir / "dbt"


def run_path(settings: Settings) -> Path:
    """Where a run's artifacts go, with what the parse already knows: dbt need not parse again."""
    path = target_path(settings) / "run"
    path.mkdir(parents=True, exist_ok=True)
    known = target_path(settings) / _PARSED
    if known.is_file() and not (path / _PARSED).is_file():
        shutil.copyfile(known, path / _PARSED)
    return path


def seeds_path(settings: Settings) -> Path:
    """Where dbt finds the seeds that are the property's own."""
    return target_path(settings) / "seeds"


def export_environment(settings: Settings) -> None:
    """Tell dbt, a child process, where its data are and what the settings say; never a key.

    By environment, since a ``--vars`` that changes would make dbt parse everything again.
    """
    lake = Lake(settings.data_dir)
    os.environ["MKT_LAKE_DIR"] = str(lake.guarded)
    os.environ["MKT_WAREHOUSE_PATH"] = str(lake.warehouse)
    os.environ["MKT_DBT_ACTIVATION_NEEDS"] = ",".join(settings.activation_needs)
    os.environ["MKT_DBT_CURRENCY"] = settings.currency
    os.environ["MKT_DBT_LATE_DAYS"] = str(settings.late_days)
    os.environ["MKT_DBT_SEEDS"] = str(seeds_path(settings))
    os.environ["MKT_DBT_CODE"] = project_digest(settings)
    ensure_own_seeds(seeds_path(settings))


def project_digest(settings: Settings) -> str:
    """What the marts are made with: incremental models are built anew when it changes.

    Exchange rates are no part of it: dbt compares them and rebuilds the days of those that changed.
    """
    facts = (dbt_exclude(settings), settings.activation_needs, settings.currency)
    digest = hashlib.sha256(repr(facts).encode())
    # a Python model is as much the code that it calls as its own file
    for path in (*_project_files(), Path(__file__).with_name("markov.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@contextmanager
def without_keys() -> Iterator[None]:
    """Start dbt inside: a child process inherits the environment, and dbt writes much to disk."""
    keys = os.environ.pop(_KEYS, None)
    try:
        yield
    finally:
        if keys is not None:
            os.environ[_KEYS] = keys


def dbt_exclude(settings: Settings) -> str:
    """The models that cannot be built from the given inputs, in dbt's selection syntax."""
    return " ".join(f"tag:{need}" for need in ("ga4", "ads") if need in settings.absent)


def prepared_manifest(settings: Settings) -> Path:
    """The path of a manifest that is at least as new as every file of the dbt project.

    Raises:
        MktError: dbt could not parse the project.
    """
    manifest = target_path(settings) / "manifest.json"
    if _is_fresh(manifest):
        return manifest
    refuse_unusable(Lake(settings.data_dir))
    lock = Lake(settings.data_dir).locks / "dbt-parse.lock"
    with exclusive(lock, "dbt parse", timeout=_PARSE_TIMEOUT_SECONDS):
        if not _is_fresh(manifest):
            _parse(settings)
    return manifest


def _is_fresh(manifest: Path) -> bool:
    if not manifest.is_file():
        return False
    return max(f.stat().st_mtime for f in _project_files()) <= manifest.stat().st_mtime


def _project_files() -> list[Path]:
    project = dbt_project_dir()
    files = [project / "dbt_project.yml", project / "profiles.yml"]
    for folder in _SOURCES:
        files += [
            path
            for path in sorted((project / folder).rglob("*"))
            if path.is_file() and path.suffix != ".pyc"
        ]
    return files


def _parse(settings: Settings) -> None:
    export_environment(settings)
    project, target = dbt_project_dir(), target_path(settings)
    target.mkdir(parents=True, exist_ok=True)
    places = ["--project-dir", str(project), "--profiles-dir", str(project)]
    artifacts = ["--target-path", str(target), "--log-path", str(target)]
    with without_keys():
        done = subprocess.run(
            [dbt_executable(), "--quiet", "parse", *places, *artifacts],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PARSE_TIMEOUT_SECONDS,
        )
    if done.returncode != 0:
        raise MktError(f"dbt could not parse {project}:\n{done.stdout}{done.stderr}")
