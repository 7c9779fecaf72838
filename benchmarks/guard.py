"""Guard throughput: events in, guarded events out, beside the same work in plain pandas.

    python benchmarks/guard.py [--rows 1000000 10000000] [--pandas-rows 1000000] [--data FOLDER]

The events are the sample source's, a million to a file, in row groups as file sources land them;
seven visitors in ten have an entry in a consent log. Each measurement is a process of its own:
seconds and CPU seconds of the guarding alone, without imports, and the peak memory of the whole
process. More than a million rows are guarded as one partition and as partitions of a million.

Two pandas guards on the same rows as ours, a million, for which they take some 4 GB. Both decide on consent by privacy_info and the log, leave out copies, make an HMAC a row for
both identifiers, take the same columns and clean the addresses. "plain" stops there, as people
write it; "same rules" also redacts every text by the same patterns. Neither keeps a ledger or a
quarantine, looks for a person's own identifiers in the person's texts, or replaces order numbers.
Equal numbers of kept rows and equal pseudonyms are checked. Nothing is asserted about time.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mkt_assets.ingest import sample
from mkt_assets.privacy import pii, quiet
from mkt_assets.privacy.event_columns import AMOUNTS, ITEM_TEXTS, TEXTS
from mkt_assets.privacy.guard_consent import guard_consent
from mkt_assets.privacy.guard_events import guard_events
from mkt_assets.privacy.policy import DENIED, GRANTED, POLICY_V1, SIGNALS, UNSET
from mkt_assets.privacy.pseudonyms import Key, canonical
from mkt_assets.privacy.urls import CLICK_IDS, clean_url

DAY = date(2025, 3, 10)
KEY = Key("bench", bytes(range(32)))
SOURCE = "sample://events"
PROCESSED_AT = datetime(2025, 3, 11, 6, tzinfo=UTC)
MILLION = 1_000_000
#: DuckDB's own row group, in which file sources land their rows
ROW_GROUP = 122_880
SMALL_DAYS = 20
#: the sample gives up to this much more than it is asked for
SPARE = 1.1

_WORDS = {"Yes": GRANTED, "No": DENIED}
_NUMBERS = ("ga_session_id", "ga_session_number", "engagement_time_msec")


@dataclass(frozen=True)
class Task:
    """One measurement: what guards which partitions; paths, since it goes to another process."""

    kind: str
    landings: list[str]
    out: str
    raw_log: str
    log: str


# --- the input ---


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """Work done in a process of its own: a child's peak memory begins with its parent's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def land(path: Path, rows: int, seed: int, day: date = DAY) -> Path:
    """A raw partition of exactly ``rows`` sample events, or as many as there are."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    table = sample.events(day, seed=seed, events_per_day=int(rows * SPARE)).slice(0, rows)
    table = table.append_column("source_file", pa.array([SOURCE] * len(table), pa.string()))
    table = table.append_column("source_row", pa.array(np.arange(1, len(table) + 1)))
    pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP)
    return path


def consent_log(folder: Path, events: str) -> tuple[Path, Path]:
    """A log for seven in ten of the visitors in ``events``, raw and guarded."""
    raw, guarded = folder / "log.parquet", folder / "consent.parquet"
    if guarded.exists():
        return raw, guarded
    words = ", ".join(
        f"case when hash(id, {n}) % {every} = 0 then '{DENIED}' else '{GRANTED}' end as {signal}"
        for n, (signal, every) in enumerate(zip(SIGNALS, (20, 3, 3, 3), strict=True))
    )
    with quiet.connect(folder, memory_limit="2GB") as con:
        con.execute(
            f"copy (select id as subject_id, timestamptz '{DAY - timedelta(days=9)} 00:00:00+00' "
            f"+ to_seconds(hash(id, 8) % 800000) as changed_at, {words} from ("
            f"select distinct user_pseudo_id as id from read_parquet('{events}')) "
            f"where id is not null and hash(id, 9) % 10 < 7 order by id) to '{raw}' "
            "(format parquet)"
        )
        guard_consent(con, raw=raw, out=guarded, key=KEY, processed_at=PROCESSED_AT)
    return raw, guarded


# --- ours ---


def guard(task: Task) -> None:
    """The product's guard, partition by partition on one connection."""
    out = Path(task.out)
    with quiet.connect(out.parent) as con:
        for landing in task.landings:
            guard_events(
                con,
                landing=Path(landing),
                consent=Path(task.log),
                day=DAY,
                now=PROCESSED_AT,
                out=out,
                cookieless_out=out.with_name("cookieless.parquet"),
                quarantine_out=out.with_name("quarantine.parquet"),
                key=KEY,
                policy=POLICY_V1,
                consent_basis="privacy_info+consent_log",
                lineage_of={SOURCE: "ln_bench"},
                processed_at=PROCESSED_AT,
            )


# --- plain pandas ---


def pandas_guard(task: Task, *, scan: bool) -> None:
    """The same in pandas and hashlib, a row at a time where there is no other way."""
    (landing,) = task.landings
    events = decided(pd.read_parquet(landing), pd.read_parquet(task.raw_log))
    lake = flattened(events)
    for column in ("page_location", "page_referrer"):
        lake[column] = lake[column].map(clean_url, na_action="ignore")
    for column, name in (("user_pseudo_id", "user_key"), ("user_id", "login_key")):
        lake[name] = events[column].map(keyed, na_action="ignore")
    if scan:
        for column in TEXTS:
            lake[column] = lake[column].map(pii.redact, na_action="ignore")
        codes = lake["transaction_id"]
        lake["transaction_id"] = codes.map(lambda c: pii.redact(c, pii.CODE), na_action="ignore")
        lake["items"] = lake["items"].map(redacted_items)
    order = ["event_timestamp", "user_key", "event_name", "bundle"]
    lake.sort_values(order, kind="stable").to_parquet(task.out, compression="zstd", index=False)


def keyed(value: str) -> str:
    """HMAC-SHA256 of one identifier."""
    return hmac.new(KEY.secret, canonical(value).encode(), hashlib.sha256).hexdigest()


def decided(events: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """The rows that consent allows, without copies, with their four signals."""
    said = pd.DataFrame(list(events["privacy_info"]), index=events.index)
    events["said"] = said["analytics_storage"].map(_WORDS).fillna(UNSET)
    events["said_ads"] = said["ads_storage"].map(_WORDS).fillna(UNSET)
    is_lasting = said["uses_transient_token"].map(_WORDS) != GRANTED
    is_somebody = events["user_pseudo_id"].notna() & is_lasting
    events = events[is_somebody].sort_values("event_timestamp", kind="stable")
    log = log.assign(
        event_timestamp=(log["changed_at"] - pd.Timestamp(0, tz="UTC")) // timedelta(microseconds=1)
    ).sort_values("event_timestamp")
    log = log.rename(columns={"subject_id": "user_pseudo_id"}).drop(columns="changed_at")
    events = pd.merge_asof(events, log, on="event_timestamp", by="user_pseudo_id")
    for signal, own in (("analytics_storage", "said"), ("ad_storage", "said_ads")):
        told = events[[own, signal]]
        events[signal] = np.select(
            [(told == DENIED).any(axis=1), (told == GRANTED).any(axis=1)], [DENIED, GRANTED], UNSET
        )
    events[list(SIGNALS)] = events[list(SIGNALS)].fillna(UNSET)
    events = events[events["analytics_storage"] == GRANTED]
    same = events[["user_pseudo_id", "event_timestamp", "event_name", "event_bundle_sequence_id"]]
    same = same.assign(params=events["event_params"].map(str), items=events["items"].map(str))
    return events[~same.duplicated()].reset_index(drop=True)


def flattened(events: pd.DataFrame) -> pd.DataFrame:
    """The allow-listed columns."""
    params = [{p["key"]: p["value"] for p in row} for row in events["event_params"]]
    lake = events[["event_timestamp", "event_name", *SIGNALS, "stream_id", "platform"]].copy()
    lake["bundle"] = events["event_bundle_sequence_id"]
    for column, name in (
        *((name, name) for name in ("page_location", "page_referrer", "page_title", "currency")),
        *((f"param_{name}", name) for name in ("source", "medium", "campaign")),
        ("session_engaged", "session_engaged"),
    ):
        lake[column] = [row[name]["string_value"] if name in row else None for row in params]
    lake["session_engaged"] = lake["session_engaged"].isin(["1", "true"])
    for name in _NUMBERS:
        lake[name] = pd.array(
            [row[name]["int_value"] if name in row else None for row in params], "Int64"
        )
    lake["click_id_type"] = [click_id(row) for row in params]
    for column, source, path in (
        ("collected_source", "collected_traffic_source", ("manual_source",)),
        ("collected_medium", "collected_traffic_source", ("manual_medium",)),
        ("collected_campaign", "collected_traffic_source", ("manual_campaign_name",)),
        ("session_source", "session_traffic_source_last_click", ("source",)),
        ("session_medium", "session_traffic_source_last_click", ("medium",)),
        ("session_campaign", "session_traffic_source_last_click", ("campaign_name",)),
        ("first_user_source", "traffic_source", ("source",)),
        ("first_user_medium", "traffic_source", ("medium",)),
        ("first_user_campaign", "traffic_source", ("name",)),
        ("device_category", "device", ("category",)),
        ("operating_system", "device", ("operating_system",)),
        ("browser", "device", ("web_info", "browser")),
        ("country", "geo", ("country",)),
        ("region", "geo", ("region",)),
        ("transaction_id", "ecommerce", ("transaction_id",)),
        *((amount, "ecommerce", (amount,)) for amount in AMOUNTS),
    ):
        lake[column] = [field(row, path) for row in events[source]]
    lake["items"] = events["items"]
    lake["event_date"] = DAY
    lake["key_id"], lake["lineage_id"], lake["processed_at"] = KEY.id, "ln_bench", PROCESSED_AT
    return lake


def field(record: Any, path: Sequence[str]) -> Any:
    """One field of a nested record; of a last click the cross-channel one where there is one."""
    if record is not None and "cross_channel_campaign" in record:
        cross = record["cross_channel_campaign"]
        record = cross if cross and cross["source"] is not None else record["manual_campaign"]
    for name in path:
        record = None if record is None else record[name]
    return record


def click_id(params: dict[str, Any]) -> str | None:
    """The kind of click id in the parameters or the page's address."""
    address = (params.get("page_location") or {}).get("string_value") or ""
    return next((k for k in CLICK_IDS if params.get(k) or f"{k}=" in address.lower()), None)


def redacted_items(items: Any) -> list[dict[str, Any]]:
    """Items whose texts are redacted."""
    return [
        {
            name: pii.redact(value, pii.CODE if name == "item_id" else pii.PROSE)
            if name in ITEM_TEXTS and value
            else value
            for name, value in item.items()
        }
        for item in items
    ]


# --- measuring ---

GUARDS: dict[str, Callable[[Task], None]] = {
    "mkt_assets": guard,
    "pandas, plain": lambda task: pandas_guard(task, scan=False),
    "pandas, same rules": lambda task: pandas_guard(task, scan=True),
}


def measure(task: Task) -> dict[str, float]:
    """Run a task in this process: seconds, CPU seconds, peak memory in GB."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    GUARDS[task.kind](task)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": seconds,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "gigabytes": after.ru_maxrss * 1024 / 1e9,
    }


@dataclass(frozen=True)
class Measured:
    """One measurement."""

    rows: int
    seconds: float
    cpu: float
    gigabytes: float


def measured(label: str, task: Task) -> Measured:
    """Run a task in a fresh process and print its line."""
    rows = sum(rows_of(Path(landing)) for landing in task.landings)
    command = [sys.executable, __file__, "--task", json.dumps(asdict(task))]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = Measured(rows=rows, **json.loads(told))
    print(
        f"| {task.kind} | {label} | {rows:,} | {found.seconds:.1f} | {found.cpu:.1f} "
        f"| {rows / found.seconds:,.0f} | {found.gigabytes:.2f} |",
        flush=True,
    )
    return found


def rows_of(landing: Path) -> int:
    """Rows of a file, or of the files of a folder."""
    files = sorted(landing.glob("*.parquet")) if landing.is_dir() else [landing]
    return sum(pq.read_metadata(file).num_rows for file in files)


def pseudonyms(out: str) -> tuple[Any, ...]:
    """How many rows were kept, and a fingerprint of their pseudonyms, in any order."""
    sql = "select count(*), sum(hash(user_key)), sum(hash(login_key)), sum(event_timestamp) from "
    return duckdb.execute(f"{sql} read_parquet('{out}')").fetchone() or ()


def beside_pandas(place: Path, rows: int) -> dict[str, Measured]:
    """Guard the same rows with all three."""
    landing = alone(land, place / "beside" / "events.parquet", rows, 7)
    raw_log, log = alone(consent_log, landing.parent, str(landing))
    found, kept = {}, {}
    for kind in GUARDS:
        out = str(place / "beside" / "out.parquet")
        found[kind] = measured("one", Task(kind, [str(landing)], out, str(raw_log), str(log)))
        kept[kind] = pseudonyms(out)
    same = len(set(kept.values())) == 1
    print(f"kept rows and pseudonyms are equal: {'yes' if same else 'NO'}", flush=True)
    return found


def small_days(place: Path) -> None:
    """Days as small as the demo's: most of their time is planning."""
    folder = place / "small"
    days = [DAY] * SMALL_DAYS
    landings = [
        alone(land, folder / "days" / f"{number}.parquet", 2500, number)
        for number, _ in enumerate(days)
    ]
    logs = alone(consent_log, folder, str(folder / "days" / "*.parquet"))
    task = Task("mkt_assets", [*map(str, landings)], str(folder / "out.parquet"), *map(str, logs))
    measured(f"{SMALL_DAYS}", task)


def large(place: Path, rows: int) -> Measured:
    """Guard ``rows`` as one partition, and as partitions of a million; the first is returned."""
    folder = place / f"rows_{rows}"
    parts = [
        alone(land, folder / "events" / f"part_{seed:02d}.parquet", min(MILLION, rows - at), seed)
        for seed, at in enumerate(range(0, rows, MILLION), start=7)
    ]
    logs = alone(consent_log, folder, str(folder / "events" / "*.parquet"))
    out = str(folder / "out.parquet")
    found = measured("one", Task("mkt_assets", [str(folder / "events")], out, *map(str, logs)))
    if len(parts) > 1:
        measured(f"{len(parts)}", Task("mkt_assets", [*map(str, parts)], out, *map(str, logs)))
    return found


def tell_ratios(beside: dict[str, Measured]) -> None:
    """How much longer the others take for the same rows."""
    ours = beside["mkt_assets"]
    print(f"\n| {ours.rows:,} rows take so many times as long with | by the clock | by CPU |")
    print("| --- | --- | --- |")
    for kind in list(GUARDS)[1:]:
        wall, cpu = beside[kind].seconds / ours.seconds, beside[kind].cpu / ours.cpu
        print(f"| {kind} | {wall:.1f} | {cpu:.1f} |", flush=True)


def tell_growth(large_ones: Sequence[Measured]) -> None:
    """What a million rows cost in partitions of different size."""
    print("\n| rows in one partition | seconds a million | CPU seconds a million | peak GB |")
    print("| --- | --- | --- | --- |")
    for found in large_ones:
        millions = found.rows / MILLION
        print(
            f"| {found.rows:,} | {found.seconds / millions:.1f} | {found.cpu / millions:.1f} "
            f"| {found.gigabytes:.2f} |"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[MILLION, 10 * MILLION])
    parser.add_argument("--pandas-rows", type=int, default=MILLION)
    parser.add_argument("--data", type=Path, help="keep the events there, for the next time")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        print(json.dumps(measure(Task(**json.loads(given.task)))))
        return
    with tempfile.TemporaryDirectory() as folder:
        place = given.data or Path(folder)
        print("| guard | partitions | rows | seconds | CPU seconds | rows/s | peak GB |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        beside = beside_pandas(place, given.pandas_rows)
        small_days(place)
        large_ones = [large(place, rows) for rows in given.rows]
    tell_ratios(beside)
    tell_growth(large_ones)


if __name__ == "__main__":
    main()
