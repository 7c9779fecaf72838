"""The product run as its users run it: its own commands, in a folder of their own.

A run of the graph costs half a minute, so each is made once a session, whatever the xdist workers.
To parse the dbt project costs half as much again, and dbt believes what it parsed only where its
folders are called the same: one link stands for the home in use, and homes share what was parsed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pytest

from mkt_assets.lake import Lake
from mkt_assets.locks import exclusive
from mkt_assets.publish.snapshot import LINK

#: a run takes half a minute; one that takes ten hangs
TIMEOUT_SECONDS = 600
_PROGRAMS = Path(sys.executable).parent
#: what dbt leaves of the project's files, and checks before it believes it
_PARSED = ("manifest.json", "partial_parse.msgpack")

Told = dict[str, Any]


@dataclass(frozen=True)
class Product:
    """One installation: a home folder with its data, and the settings in force."""

    #: this worker's own folder
    worker: ClassVar[Path]

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    #: nothing is known here that was not made here
    is_newcomer: bool = False

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def lake(self) -> Lake:
        return Lake(self.data)

    @property
    def environment(self) -> dict[str, str]:
        """The developer's environment without this platform's and Dagster's own variables."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MKT_", "DAGSTER_"))}
        data = self.data if self.is_newcomer else self._in_use() / "data"
        # two cores and several processes: libraries that each start a thread a core thrash
        return kept | {"OMP_NUM_THREADS": "1", "MKT_DATA_DIR": str(data)} | {**self.settings}

    def _in_use(self) -> Path:
        """The link that stands for whichever home is in use; what another parsed is taken there."""
        known, here, link = self.worker / "parsed", self.data / "dbt", self.worker / "in-use"
        if known.is_dir() and not (here / _PARSED[0]).is_file():
            shutil.copytree(known, here, dirs_exist_ok=True)
        if not link.is_symlink() or link.readlink() != self.home:
            # at once: a process may be looking through it
            fresh = link.with_name("in-use-next")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self.home)
            fresh.replace(link)
        return link

    def _share_what_is_parsed(self) -> None:
        known, here = self.worker / "parsed", self.data / "dbt"
        if self.is_newcomer or known.is_dir() or not all((here / p).is_file() for p in _PARSED):
            return
        known.mkdir()
        for name in _PARSED:
            shutil.copyfile(here / name, known / name)

    def start(self, program: str, *arguments: object, cwd: Path | None = None) -> Any:
        """Start a program of this Python environment; the home has no ``.env``."""
        self.home.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            [_PROGRAMS / program, *map(str, arguments)],
            cwd=cwd or self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, program: str, *arguments: object, cwd: Path | None = None) -> Told:
        """Run a program to its end."""
        done = ended(self.start(program, *arguments, cwd=cwd))
        self._share_what_is_parsed()
        return done

    def mkt(self, *arguments: object) -> Told:
        """Run a command of ``mkt``; the exit code and what it printed."""
        return self.run("mkt", *arguments)

    @property
    def published(self) -> Path:
        """The version behind the link."""
        return (self.lake.serving / LINK).resolve(strict=True)

    @contextmanager
    def reader(self, path: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """The published file as a BI tool opens it."""
        with duckdb.connect(str(path or self.lake.serving / LINK), read_only=True) as con:
            yield con

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one query on the published file."""
        with self.reader() as con:
            return con.execute(sql).fetchall()


def ended(process: Any) -> Told:
    """Wait for a started program; it never outlives the test."""
    try:
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        process.kill()
    return {"code": process.returncode, "out": out, "err": err}


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> type[Product]:
    Product.worker = tmp_path_factory.getbasetemp()
    return Product


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Any], Told]:
    return ended


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Told]:
    """``once(name, make)``: ``make(folder)`` is called by the first worker that asks.

    What it returns must survive JSON; the others wait and read it, with the folder as ``home``.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def made(name: str, make: Callable[[Path], Told]) -> Told:
        home, told = root / name, root / f"{name}.json"
        with exclusive(root / f"{name}.lock", name, timeout=4 * TIMEOUT_SECONDS):
            if not told.is_file():
                home.mkdir(exist_ok=True)
                told.write_text(json.dumps(make(home)), encoding="utf-8")
        found: Told = json.loads(told.read_text(encoding="utf-8"))
        return found | {"home": home}

    return made
