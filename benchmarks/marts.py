"""What the marts cost: `dbt build` of one day on a short and a long history, and of many days at once.

    python benchmarks/marts.py [--per-day 20000] [--short 30] [--long 365] [--day 1000000]
                               [--backfill 10000000] [--backfill-days 30] [--data FOLDER]

The lake is made up in the guard's own columns (ten events a session, a purchase in every fiftieth, some
of them refunded or sent twice, sessions over midnight, visitors who come back), so that nothing but
dbt is measured. Each figure is one `dbt build` with its data tests, as the platform calls it: seconds
and CPU seconds of the whole process, its peak memory, and where the time went. Days of the short and the
long history are added in turns, so that noise falls on both. Nothing is asserted about time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import yaml

from mkt_assets.project import dbt_project_dir

FIRST = date(2024, 1, 1)
USERS = 400_000
ADS_PER_DAY = 60
#: runs a command and prints its CPU seconds and peak memory in KiB
_CHILD = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.stderr.write(done.stdout)
sys.exit(done.returncode)
"""

_EVENTS = """
    with raw as (
        -- visits that began the day before, too: what of them is after midnight is of this day
        select began, i, i // 10 as visit, i % 10 as step,
            (hash(began::varchar || (i // 10)::varchar) // 4)::bigint as dice
        from range($rows) as numbers (i)
        cross join (values ($day::date), ($day::date - 1)) as days (began)
    ),
    visits as (
        select *,
            -- a few visitors come often, most once
            'u' || (case when dice % 3 = 0 then dice % ($users // 50) else dice % $users end) as visitor,
            (epoch_us(began::timestamp) + (dice // 1000) % 86400000000)::bigint as started
        from raw
    )
    select
        make_timestamp(started + step * 20000000)::date as event_date,
        started + step * 20000000 as event_timestamp,
        case step when 0 then 'session_start' when 7 then 'view_item' when 8 then 'add_to_cart'
            when 9 then case when dice % 50 = 0 then 'purchase' when dice % 1500 = 1 then 'refund'
                else 'user_engagement' end
            else 'page_view' end as event_name,
        md5(visit::varchar || step || began::varchar) as event_key,
        md5(visitor) || md5(visitor || '.') as user_key,
        (started // 1000000)::bigint as ga_session_id,
        'web' as stream_id,
        step > 3 as session_engaged,
        1500 as engagement_time_msec,
        'https://shop.example/p/' || dice % 500 as page_location,
        case when step = 1 then ['google', 'facebook.com', 'news', '(direct)', 'bing'][dice % 5 + 1] end
            as param_source,
        case when step = 1 then ['cpc', 'paid', 'email', '(none)', 'organic'][dice % 5 + 1] end as param_medium,
        case when step = 1 and dice % 5 < 3 then 'campaign ' || dice % 20 end as param_campaign,
        ['desktop', 'mobile', 'tablet'][dice % 3 + 1] as device_category,
        'Germany' as country,
        case when step = 9 then 'T' || began::varchar || (visit - (dice % 100)::int // 98) end as transaction_id,
        'EUR' as currency,
        case when step = 9 then (dice % 9000)::decimal(18, 4) / 100 end as purchase_revenue,
        case when step = 9 then 5 end as refund_value,
        case when step = 9 then [{'item_id': 'i' || dice % 500, 'item_name': 'thing', 'quantity': 1,
            'item_revenue': 10}] end as items,
        'events-' || $day::varchar as lineage_id
    from visits
    where make_timestamp(started + step * 20000000)::date = $day::date
"""
_ADS = """
    select
        $day::date as date, ['Search', 'Social', 'Display'][i % 3 + 1] as channel, 'campaign ' || i as campaign,
        'EUR' as currency, 1000 + i as impressions, 20 + i as clicks, 3 as conversions, 12.5 as spend,
        40.25 as revenue, 'ads-' || $day::varchar as lineage_id
    from range($rows) as numbers (i)
"""
_COOKIELESS = (
    "select $day::date as event_date, 'page_view' as event_name, $rows as events, 'e' as lineage_id"
)
_LEDGER = """
    select 'events-' || $day::varchar as lineage_id, 'events' as table_name, $day::date as partition,
        $rows as rows_in, $rows as rows_kept, 0 as rows_dropped_consent, 0 as rows_cookieless,
        0 as rows_duplicate, 0 as rows_quarantined, 0 as rows_erased, '{}' as reasons
"""
_CONSENT = """
    select md5('u' || i) || md5('u' || i || '.') as user_key, timestamptz '2023-12-01' as changed_at,
        'granted' as ad_storage, 'granted' as analytics_storage, 'granted' as ad_user_data,
        'granted' as ad_personalization
    from range($rows) as numbers (i)
"""


@dataclass(frozen=True)
class Cost:
    """One `dbt build`."""

    seconds: float
    cpu: float
    memory: float
    models: dict[str, float]


class Workshop:
    """A lake and a warehouse of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.types = _types()

    def add(self, day: date, events: int) -> None:
        """One more day in the lake."""
        self._write("events", _EVENTS, day, rows=events, users=USERS)
        self._write("ad_performance", _ADS, day, rows=ADS_PER_DAY)
        self._write("cookieless_daily", _COOKIELESS, day, rows=events // 9)
        self._write("lineage_ledger", _LEDGER, day, name="events", rows=events)

    def consents(self) -> None:
        """The consent log, of a fifth of the visitors."""
        self._write("consent_log", _CONSENT, None, rows=USERS // 5)

    def _write(
        self, table: str, query: str, day: date | None, name: str = "", **values: object
    ) -> None:
        folder = self.home / "lake" / table
        folder = folder if day is None else folder / f"event_date={day}"
        folder.mkdir(parents=True, exist_ok=True)
        told = values if day is None else {**values, "day": day.isoformat()}
        with duckdb.connect() as con:
            con.execute("set timezone = 'UTC'")
            columns = ", ".join(f'"{column}" {kind}' for column, kind in self.types[table].items())
            con.execute(f"create table rows ({columns})")
            con.execute(f"insert into rows by name {query}", told)
            con.execute("set preserve_insertion_order = false")
            con.table("rows").write_parquet(str(folder / f"{name or table}.parquet"))

    def build(self) -> Cost:
        """`dbt build` as the platform calls it."""
        project = str(dbt_project_dir())
        dbt = str(Path(sys.executable).with_name("dbt"))
        start = time.perf_counter()
        done = subprocess.run(
            [
                *(
                    sys.executable,
                    "-c",
                    _CHILD,
                    dbt,
                    "build",
                    "--exclude-resource-type",
                    "unit_test",
                ),
                *("--project-dir", project, "--profiles-dir", project),
            ],
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "MKT_LAKE_DIR": str(self.home / "lake"),
                "MKT_WAREHOUSE_PATH": str(self.home / "warehouse.duckdb"),
                "DBT_TARGET_PATH": str(self.home / "target"),
                "DBT_LOG_PATH": str(self.home / "logs"),
                "MKT_DBT_CURRENCY": "EUR",
            },
        )
        seconds = time.perf_counter() - start
        if done.returncode:
            sys.exit(done.stderr)
        cpu, kilobytes = done.stdout.split()
        return Cost(seconds, float(cpu), int(kilobytes) / 1024**2, _by_model(self.home / "target"))


def _types() -> dict[str, dict[str, str]]:
    path = dbt_project_dir() / "models" / "staging" / "_sources.yml"
    tables = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"][0]["tables"]
    return {
        table["name"]: {column["name"]: column["data_type"] for column in table["columns"]}
        for table in tables
    }


def _by_model(target: Path) -> dict[str, float]:
    """Seconds by model, all data tests together; two threads work side by side."""
    spent: Counter[str] = Counter()
    for result in json.loads((target / "run_results.json").read_text())["results"]:
        kind, name = result["unique_id"].split(".")[0], result["unique_id"].split(".")[2]
        spent["data tests" if kind == "test" else name] += result["execution_time"]
    return dict(spent.most_common())


def _days(count: int) -> list[date]:
    return [FIRST + timedelta(days=number) for number in range(count)]


def _row(what: str, cost: Cost) -> str:
    return f"{what:<58}{cost.seconds:>8.1f} s{cost.cpu:>8.1f} s CPU{cost.memory:>7.2f} GB"


def _slowest(cost: Cost, count: int = 8) -> str:
    return "    " + ", ".join(f"{n} {s:.2f}" for n, s in list(cost.models.items())[:count])


def histories(home: Path, *, short: int, long: int, events: int, repeats: int) -> None:
    """One more day on a short and on a long history, in turns."""
    shops: dict[int, Workshop] = {}
    for days in (short, long):
        shops[days] = Workshop(home / f"history-{days}")
        shops[days].consents()
        for day in _days(days - 1):
            shops[days].add(day, events)
        print(_row(f"{days - 1} days of {events:,} events, all at once", shops[days].build()))
    costs: dict[int, list[Cost]] = {short: [], long: []}
    for number in range(repeats):
        for days, shop in shops.items():
            shop.add(FIRST + timedelta(days=days - 1 + number), events)
            costs[days].append(shop.build())
    medians = {}
    for days, found in costs.items():
        middle = sorted(found, key=lambda cost: cost.cpu)[len(found) // 2]
        medians[days] = statistics.median(cost.cpu for cost in found)
        print(_row(f"day {days} of {events:,} events (median of {repeats})", middle))
        print(_slowest(middle))
    print(f"day {long} costs {medians[long] / medians[short] - 1:+.0%} CPU of day {short}")


def many(home: Path, what: str, *, days: int, events: int) -> None:
    """So many days in one build, and then one of them again."""
    shop = Workshop(home / f"many-{days}-{events}")
    shop.consents()
    for day in _days(days):
        shop.add(day, events // days)
    cost = shop.build()
    print(_row(what, cost))
    print(_slowest(cost))
    shop.add(_days(days)[-1], events // days)
    print(_row("    its last day once more", shop.build()))
    shutil.rmtree(shop.home)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--per-day", type=int, default=20_000)
    parser.add_argument("--short", type=int, default=30)
    parser.add_argument("--long", type=int, default=365)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--day", type=int, default=1_000_000)
    parser.add_argument("--backfill", type=int, default=10_000_000)
    parser.add_argument("--backfill-days", type=int, default=30)
    parser.add_argument("--data", type=Path)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=told.data) as folder:
        home = Path(folder)
        if told.day:
            many(home, f"one day of {told.day:,} events", days=1, events=told.day)
        if told.backfill:
            what = f"{told.backfill:,} events over {told.backfill_days} days in one build"
            many(home, what, days=told.backfill_days, events=told.backfill)
        if told.per_day:
            histories(
                home, short=told.short, long=told.long, events=told.per_day, repeats=told.repeats
            )


if __name__ == "__main__":
    main()
