"""Input files of every format with a canary in every text field, and in the names of the files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from canaries import KINDS, OWN_CLIENT, OWN_LOGIN, Nursery
from duckdb.sqltypes import DuckDBPyType

from mkt_assets.ingest.ga4_schema import RAW_EVENT_COLUMNS
from mkt_assets.lake import sql_text

DAYS = [date(2025, 3, 1) + timedelta(days=n) for n in range(3)]
SIGNALS = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
GRANTED = dict.fromkeys(SIGNALS, "granted")
#: where a number is an article's or an order's, and a UUID names a thing
IN_CODES = KINDS.keys() - {"uuid"}
CODES = ("item_id", "transaction_id")
KNOWN_PARAMS = ("page_title", "source", "medium", "campaign", "currency", "session_engaged")


def _filled(kind: DuckDBPyType, path: str, text: Callable[[str], str | None]) -> Any:
    """A value of a type with ``text(path)`` wherever it holds text."""
    if kind.id == "varchar":
        return text(path)
    if kind.id == "list":
        return [_filled(kind.children[0][1], path, text)]
    if kind.id == "struct":
        return {name: _filled(child, f"{path}.{name}", text) for name, child in kind.children}
    return None


def _event(day: date, minute: int, **changes: Any) -> dict[str, Any]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + timedelta(minutes=minute)
    return {
        "event_date": f"{day:%Y%m%d}",
        "event_timestamp": int(noon.timestamp() * 1e6),
        "event_name": "page_view",
        "user_pseudo_id": f"plain-{minute}",
        "privacy_info": {"analytics_storage": "Yes", "ads_storage": "Yes"},
    } | changes


def _poisoned(nursery: Nursery, day: date, minute: int, kind: str) -> dict[str, Any]:
    """An event with canaries of one kind in every text field that the export has."""
    own = {k: nursery.own(k, "user id") for k in (OWN_LOGIN, OWN_CLIENT)}

    def text(place: str) -> str | None:
        if kind not in KINDS:
            return own[kind]
        if place.rsplit(".", 1)[-1] in CODES and kind not in IN_CODES:
            return None
        canary = nursery.canary(kind, f"events.{place}")
        return f"before {canary} after" if minute % 2 else canary

    def param(key: str, value: str | None) -> dict[str, Any]:
        return {"key": key, "value": {"string_value": value}}

    address = "https://{}:{}@shop.example/x/{}/y;s={}?q={}&utm_source={}&gclid={}#{}"
    urls = {
        name: address.format(*(text(f"{name} {part}") for part in range(8)))
        for name in ("page_location", "page_referrer")
    }
    params = [param(name, text(f"event_params {name}")) for name in KNOWN_PARAMS]
    params += [param(name, url) for name, url in urls.items()]
    params += [param(str(text("event_params key")), text("event_params value"))]
    row = {
        name: _filled(duckdb.sqltype(type_), name, text)
        for name, type_ in RAW_EVENT_COLUMNS.items()
        if name not in ("event_date", "user_id", "user_pseudo_id", "privacy_info", "event_params")
    }
    fixed = _event(day, minute, user_id=own[OWN_LOGIN], user_pseudo_id=own[OWN_CLIENT])
    fixed["event_params"] = params
    return row | {k: v for k, v in fixed.items() if k != "event_name"}


def _events(nursery: Nursery, day: date) -> list[dict[str, Any]]:
    kinds = [*KINDS, OWN_LOGIN, OWN_CLIENT]
    rows = [_poisoned(nursery, day, minute, kind) for minute, kind in enumerate(kinds)]
    buyers = [
        _event(day, 60 + n, event_name=name, ecommerce={"purchase_revenue": 9.5 + n} | order)
        for n in range(40)
        for name, order in (("page_view", {}), ("purchase", {"transaction_id": f"T{day:%d}{n}"}))
    ]
    nobody = [
        _event(day, 200 + n, event_name=nursery.canary(kind, "cookieless event_name"))
        | {"user_pseudo_id": None, "privacy_info": {"analytics_storage": "No"}}
        for n, kind in enumerate(KINDS)
    ]
    faulty = [
        _event(day, 300 + n, event_name=nursery.canary(kind, "quarantined event"), **fault)
        for n, kind in enumerate(KINDS)
        for fault in [{"event_timestamp": 12 + n}]
    ]
    return [*rows, *buyers, *nobody, *faulty]


def write_events(nursery: Nursery, folder: Path) -> str:
    """A day as gzipped NDJSON, one as CSV and one as Parquet, under telling names."""
    place = folder / nursery.canary("email", "folder of events")
    place.mkdir(parents=True)
    schema = ", ".join(
        f"'{name}': '{sql_text(type_)}'" for name, type_ in RAW_EVENT_COLUMNS.items()
    )
    nested = [n for n, t in RAW_EVENT_COLUMNS.items() if t.startswith("STRUCT")]
    as_json = ", ".join(f'to_json("{name}")::varchar as "{name}"' for name in nested)
    for day, ending in zip(DAYS, ("json.gz", "csv", "parquet"), strict=True):
        lines = [json.dumps(row, ensure_ascii=False) for row in _events(nursery, day)]
        stem = f"events_{day:%Y%m%d}_{nursery.canary('phone, no gaps', 'name of an event file')}"
        plain, path = folder / "lines.json", place / f"{stem}.{ending}"
        plain.write_text("\n".join(lines), encoding="utf-8")
        broken = [f'{{"event_name": "{nursery.canary(k, "broken line of events")}' for k in KINDS]
        rows = f"from read_json('{plain}', format = 'newline_delimited', columns = {{{schema}}})"
        if ending == "json.gz":
            path.write_bytes(gzip.compress("\n".join([*lines, *broken]).encode()))
        elif ending == "csv":
            duckdb.execute(f"copy (select * replace ({as_json}) {rows}) to '{path}' (header)")
            with path.open("a", encoding="utf-8") as stream:
                stream.writelines(f"{line},a,b\n" for line in broken)
        else:
            duckdb.execute(f"copy (select * {rows}) to '{path}' (format parquet)")
        plain.unlink()
    return f"{folder}/*/events_{{date}}_*"


def _write_rows(rows: list[dict[str, Any]], path: Path, broken: Iterable[str] = ()) -> None:
    """CSV, gzipped NDJSON or Parquet, as the name says."""
    plain = path.with_name("lines.json")
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    plain.write_text("\n".join(lines), encoding="utf-8")
    source = f"from read_json('{plain}', format = 'newline_delimited', sample_size = -1)"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress("\n".join([*lines, *broken]).encode()))
    else:
        how = "header" if path.suffix == ".csv" else "format parquet"
        duckdb.execute(f"copy (select * {source}) to '{sql_text(path)}' ({how})")
    plain.unlink()


def write_ads(nursery: Nursery, folder: Path) -> str:
    place = folder / nursery.canary("iban", "folder of ads")
    place.mkdir(parents=True)
    headers = {kind: nursery.canary(kind, "header of ads") for kind in KINDS}

    def row(kind: str, day: date, **changes: Any) -> dict[str, Any]:
        names = {
            name: nursery.canary(kind, f"ads.{name}")
            for name in ("channel", "campaign", "campaign_id")
            if name != "campaign_id" or kind in IN_CODES
        }
        numbers = {"impressions": "1000", "clicks": "50", "spend": "20.50", "revenue": "90.25"}
        unknown = {headers[k]: nursery.canary(k, "ads, unknown column") for k in list(KINDS)[:3]}
        return {"date": f"{day}", "conversions": "3", **names, **numbers, **unknown} | changes

    rows = [row(kind, day) for day in DAYS for kind in KINDS]
    rows += [row(kind, day, spend="-1") for day in DAYS[:1] for kind in KINDS]
    rows += [
        {**row("email", day), "channel": f"Search {n % 3}", "campaign": f"brand {n}"}
        for day in DAYS
        for n in range(6)
    ]
    broken = [f'{{"date": "{nursery.canary(kind, "broken line of ads")}' for kind in KINDS]
    for number, ending in enumerate(("csv", "json.gz", "parquet")):
        name = f"ads_{nursery.canary('card', 'name of an ad file')}.{ending}"
        _write_rows(rows[number::3], place / name, broken)
    return f"{folder}/*/ads_*"


def write_consent(nursery: Nursery, folder: Path, word: Callable[[str], str] | None = None) -> str:
    place = folder / nursery.canary("ip", "folder of consent")
    place.mkdir(parents=True)
    subjects = [f"plain-{60 + n}" for n in range(40)]
    # what already is a hash is taken for a pseudonym, and is never hashed again
    kinds = [kind for kind in KINDS if kind not in ("hash, 64 digits", "hash, capitals")]
    subjects += [nursery.canary(kind, "consent.subject_id") for kind in kinds]
    rows = [{"subject_id": s, "changed_at": "2025-02-01 10:00:00", **GRANTED} for s in subjects]
    if word:
        rows += [
            {"subject_id": f"odd {kind}", "changed_at": "2025-02-02 10:00:00", **GRANTED}
            | {"ad_storage": word(kind)}
            for kind in KINDS
        ]
    _write_rows(rows, place / f"consent_{nursery.canary('client id', 'name of a log')}.csv")
    return f"{folder}/*/consent_*"
