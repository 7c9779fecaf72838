"""Readers of the published file while runs publish: errors, torn reads, and how long a query takes.

    python benchmarks/readers.py [--publishes 20] [--runs 3] [--home FOLDER]

Four processes open the link anew for each round of questions, as BI tools do: two with this environment's DuckDB, one
with an older client, one through SQLAlchemy with duckdb-sqlalchemy; the last two have environments of their own, made
below FOLDER with pip. Of the publications some are whole daily runs (`--runs`), the others the publish step alone, of
marts whose row counts change each time, so that a version put together of two is seen.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from mkt_assets.contracts import REGISTRY
from mkt_assets.lake import Lake
from mkt_assets.publish.snapshot import LINK, Publication, publish
from mkt_assets.publish.tables import published_marts, published_models
from mkt_assets.settings import load_settings
from mkt_assets.warehouse import Warehouse

OLDER_CLIENT = "1.2.2"
SETTINGS = {"MKT_SAMPLE_EVENTS_PER_DAY": "200", "OMP_NUM_THREADS": "1"}
FIRST_DAY = date(2025, 1, 1)

#: needs nothing of this project; `sqlalchemy` opens the file through it, anything else through duckdb
READER = """
import json, pathlib, sys, time
import duckdb

how, link, stop, told = sys.argv[1], *map(pathlib.Path, sys.argv[2:])
if how == "sqlalchemy":
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    def opened():
        return create_engine(
            f"duckdb:///{link}", connect_args={"read_only": True}, poolclass=NullPool
        ).connect()

    def rows(con, sql):
        return [tuple(row) for row in con.execute(text(sql)).fetchall()]
else:
    def opened():
        return duckdb.connect(str(link), read_only=True)

    def rows(con, sql):
        return con.execute(sql).fetchall()

SAID = "select run_id, row_counts from marts.publication"
KPI = "select channel, sum(revenue) / sum(mark_spent) from marts.marketing_kpi group by channel"
reads, faults, torn, took, versions = 0, [], [], [], set()
while not stop.exists():
    try:
        con = opened()
        try:
            ((run, counts),) = rows(con, SAID)
            for table, announced in counts.items():
                began = time.perf_counter()
                ((actual,),) = rows(con, f"select count(*) from marts.{table}")
                took.append(time.perf_counter() - began)
                if actual != announced:
                    torn.append(f"{run}: {table} has {actual} rows, {announced} were announced")
            began = time.perf_counter()
            rows(con, KPI)
            took.append(time.perf_counter() - began)
            if rows(con, SAID)[0][0] != run:
                torn.append(f"{run} became another while it was read")
        finally:
            con.close()
        version = link.resolve().stem
        twins = link.parent / "parquet" / version
        with duckdb.connect() as con:
            ((run, counts),) = con.execute(
                f"select run_id, row_counts from '{twins}/publication.parquet'"
            ).fetchall()
            for table in ("kpi_daily", "trends"):
                ((actual,),) = con.execute(f"select count(*) from '{twins}/{table}.parquet'").fetchall()
                if actual != counts[table]:
                    torn.append(f"{run}: twin of {table} has {actual} rows, not {counts[table]}")
        reads += 1
        versions.add(run)
    except Exception as error:
        faults.append(repr(error))
    time.sleep(0.02)
told.write_text(json.dumps({
    "client": duckdb.__version__, "reads": reads, "faults": faults, "torn": torn, "took": took,
    "versions": len(versions),
}))
"""


def environment(data: Path) -> dict[str, str]:
    """The settings of every run here, and no others."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MKT_", "DAGSTER_"))}
    return kept | SETTINGS | {"MKT_DATA_DIR": str(data), "PYTHONWARNINGS": "ignore"}


def python_with(home: Path, *packages: str) -> str:
    """An environment of its own with these packages."""
    place = home / "-".join(packages).replace("=", "")
    if not (place / "ready").is_file():
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        install = [place / "bin" / "python", "-m", "pip", "install", "--quiet", *packages]
        subprocess.run(install, check=True)
        (place / "ready").touch()
    return str(place / "bin" / "python")


def whole_run(data: Path, number: int) -> None:
    """The daily run of two days, each time one later."""
    first = FIRST_DAY + timedelta(days=number)
    days = ["--from", str(first), "--to", str(first + timedelta(days=1))]
    subprocess.run(
        [sys.executable, "-m", "mkt_assets.cli", "run", *days],
        env=environment(data),
        stdout=subprocess.DEVNULL,
        check=True,
    )


def publish_alone(data: Path, number: int) -> None:
    """The publish step on marts and models of a new build with other row counts."""
    settings, lake = load_settings(data_dir=data), Lake(data)
    warehouse = Warehouse(database=str(lake.warehouse))
    models = [REGISTRY[path] for path in published_models(settings)]
    with duckdb.connect(str(lake.warehouse)) as con:
        for mart in ("kpi_daily", "marketing_kpi", "fct_sessions"):
            con.execute(f"create table if not exists main.{mart} as from marts.{mart}")
            con.execute(f"delete from marts.{mart}")
            con.execute(
                f"insert into marts.{mart} select kept.* from main.{mart} as kept, range({number + 1})"
            )
    warehouse.stamp_build()
    build = warehouse.build()
    for model in models:
        frame = lake.read_model(model.path)
        lake.write_model(model, frame, build.id)
    said = Publication(str(uuid.uuid4()), datetime.now(UTC), build, settings.absent)
    publish(lake, published_marts(settings), models, said)


def start_readers(home: Path, link: Path, stop: Path) -> dict[str, subprocess.Popen[bytes]]:
    """Four clients, each in a process of its own."""
    older = python_with(home, f"duckdb=={OLDER_CLIENT}")
    alchemy = python_with(home, f"duckdb=={duckdb.__version__}", "duckdb-sqlalchemy")
    clients = {
        "first": (sys.executable, "duckdb"),
        "second": (sys.executable, "duckdb"),
        "older": (older, "duckdb"),
        "sqlalchemy": (alchemy, "sqlalchemy"),
    }
    return {
        name: subprocess.Popen(
            [python, "-c", READER, how, str(link), str(stop), str(home / f"{name}.json")],
            env=environment(home),
        )
        for name, (python, how) in clients.items()
    }


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of the others do not exceed."""
    return sorted(values)[int(share * (len(values) - 1))]


def main() -> None:
    """Publish, read, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publishes", type=int, default=20, help="all of them")
    parser.add_argument("--runs", type=int, default=3, help="how many are whole runs")
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "mkt-readers")
    given = parser.parse_args()
    home = given.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    data, stop = home / f"data-{os.getpid()}", home / "stop"
    stop.unlink(missing_ok=True)
    whole_run(data, 0)
    clients = start_readers(home, data / "serving" / LINK, stop)
    try:
        for number in range(given.runs):
            whole_run(data, number + 1)
        # last, since it leaves marts that dbt's tests would refuse
        for number in range(given.publishes - given.runs):
            publish_alone(data, number)
        stop.touch()
        for client in clients.values():
            client.wait(120)
    finally:
        for client in clients.values():
            client.kill()
    print(f"{given.publishes} publications, {given.runs} of them whole runs\n")
    print("| client | DuckDB | rounds | versions seen | queries | errors | torn | p50 | p95 |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in clients:
        told = json.loads((home / f"{name}.json").read_text())
        p50, p95 = (1000 * percentile(told["took"], share) for share in (0.5, 0.95))
        print(
            f"| {name} | {told['client']} | {told['reads']} | {told['versions']} | {len(told['took'])} "
            f"| {len(told['faults'])} | {len(told['torn'])} | {p50:.1f} ms | {p95:.1f} ms |"
        )
        for line in [*told["faults"], *told["torn"]][:5]:
            print(f"  {line}")


if __name__ == "__main__":
    main()
