"""Replacing whole days leaves what building everything anew would: after any change of the lake.

Each build is a dbt process of its own (6 to 8 s), so every round changes many things at once.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lake_project import Project

pytestmark = pytest.mark.slow

FIRST = dt.date(2024, 1, 1)
DAYS = 45
USERS = [f"u{number}" for number in range(12)]
SOURCES = [
    {},
    {"param_source": "(direct)", "param_medium": "(none)"},
    {"param_source": "google", "param_medium": "organic"},
    {"param_source": "google", "param_medium": "cpc", "param_campaign": "brand"},
    {"param_source": "news", "param_medium": "email", "param_campaign": "may"},
    {"session_source": "bing", "session_medium": "cpc", "session_campaign": "x"},
]

Row = dict[str, Any]


def _micros(day: dt.date, seconds: int) -> int:
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    return int(start.timestamp() + seconds) * 1_000_000


def _events(rng: random.Random, day: dt.date, version: int) -> list[Row]:
    """A few events; sessions go over midnight, transactions come twice, ids are missing."""
    rows = []
    for number in range(rng.randrange(0, 14)):
        user = rng.choice(USERS)
        name = rng.choice(
            ["session_start", "page_view", "page_view", "view_item", "purchase", "refund"]
        )
        row = {
            "event_date": day,
            "event_timestamp": _micros(day, rng.randrange(86_400)),
            "event_name": name,
            "event_key": f"{day}-{version}-{number}",
            "user_key": user,
            # one number for three days in a row, so that sessions span up to three days
            "ga_session_id": rng.choice([None, (day - FIRST).days // 3, 1000 + (day - FIRST).days]),
            "stream_id": rng.choice(["web", "app"]),
            "engagement_time_msec": rng.choice([None, 10_000, 10_001]),
            "lineage_id": f"events-{day}-{version}",
            "processed_at": "2024-03-03 00:00:00+00",
            **rng.choice(SOURCES),
        }
        if name in ("purchase", "refund"):
            row |= {
                "transaction_id": rng.choice([None, f"T{rng.randrange(30)}"]),
                "currency": "EUR",
            }
            row |= {"purchase_revenue": rng.choice([None, "9.99", "20"]), "refund_value": "1.5"}
        rows.append(row)
    return rows


def _ads(rng: random.Random, day: dt.date, version: int) -> list[Row]:
    return [
        {
            "date": day,
            "channel": rng.choice(["Search", "search", "Social"]),
            "campaign": rng.choice(["Brand", "brand", "BRAND", "May"]),
            "currency": "EUR",
            "impressions": rng.randrange(100),
            "clicks": 1,
            "spend": "1.25",
            "lineage_id": f"ads-{day}-{version}",
            "processed_at": "2024-03-03 00:00:00+00",
        }
        for _ in range(rng.randrange(0, 3))
    ]


def _cookieless(rng: random.Random, day: dt.date, version: int) -> list[Row]:
    row = {"event_date": day, "event_name": "page_view", "events": rng.randrange(1, 9)}
    return [row | {"lineage_id": f"events-{day}-{version}"}] if rng.random() < 0.8 else []


def _consents(rng: random.Random) -> list[Row]:
    """Some users' consent of now; who is not there any more has none."""
    signals = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
    return [
        {"user_key": user, "changed_at": "2024-01-01 00:00:00+00"}
        | {signal: rng.choice(["granted", "granted", "denied"]) for signal in signals}
        for user in rng.sample(USERS, 8)
    ]


def _write(project: Project, rng: random.Random, day: dt.date, version: int) -> None:
    """A day as a run leaves it; sometimes of one table only, sometimes emptied."""
    made = {"events": _events, "ad_performance": _ads, "cookieless_daily": _cookieless}
    for table, make in made.items():
        if version == 0 or rng.random() < 0.8:
            project.write(table, make(rng, day, version), day)


def _change(project: Project, rng: random.Random, version: int) -> None:
    """Days written again, emptied, removed, added after the last and before the first."""
    days = [FIRST + dt.timedelta(days=number) for number in range(-3, DAYS + 4)]
    for day in rng.sample(days, 5):
        _write(project, rng, day, version)
    # as a guard of before left a day: a column that it did not know, one that nobody knows any more
    types = {name: kind for name, kind in project.types["events"].items() if name != "region"}
    older = replace(project, types={**project.types, "events": types | {"retired": "INTEGER"}})
    day = rng.choice(days)
    older.write("events", _events(rng, day, version), day)
    project.write("consent_log", _consents(rng))
    project.write("ad_refusals", [{"user_key": rng.choice(USERS), "login_key": "l"}])
    for day in rng.sample(days, 2):
        project.write("events", [], day)
    for day in rng.sample(days, 2):
        for file in project.lake.glob(f"*/event_date={day}/*.parquet"):
            file.unlink()


def _kill_after(project: Project, models: int) -> None:
    """A build that dies the hard way when so many incremental models are done."""
    process = project.start("run", "--threads", "1")
    assert process.stdout is not None
    for line in process.stdout:
        models -= " OK created sql incremental model " in line
        if models == 0:
            process.kill()
            break
    process.wait()
    assert process.returncode == -9


def _sorted_marts(project: Project) -> dict[str, list[str]]:
    return {name: sorted(str(row) for row in rows) for name, rows in project.marts().items()}


def test_any_change_of_the_lake_leaves_what_a_full_build_would(tmp_path: Path) -> None:
    """Whatever was done to the lake or built in part, and wherever a build was killed."""
    rng = random.Random(1)
    project = Project(tmp_path / "kept")
    anew = Project(tmp_path / "anew")
    for home in (project.home, anew.home):
        home.mkdir()
    (anew.home / project.lake.name).symlink_to(project.lake)
    for number in range(DAYS):
        if rng.random() < 0.8:
            _write(project, rng, FIRST + dt.timedelta(days=number), 0)
    project.write("consent_log", [])
    project.write("lineage_ledger", [])
    project.build()
    for version in (1, 2, 3):
        _change(project, rng, version)
        if version == 2:
            # as a person leaves it who builds a few models: some are newer than others
            done = project.dbt(
                "run",
                "--select",
                "int_session_days int_purchases+1 int_user_days audience_features",
            )
            assert done.returncode == 0, done.stdout
            _change(project, rng, 9)
        if version == 3:
            _kill_after(project, models=rng.randrange(1, 9))
            _change(project, rng, 10)
        project.build()
        (anew.home / "warehouse.duckdb").unlink(missing_ok=True)
        # equal rows need not be tested twice; once they are, as a full build is
        anew.build(*(() if version == 3 else ("--exclude-resource-type", "test")))
        assert _sorted_marts(project) == _sorted_marts(anew)
