"""Planted identifiers in every text of every input file: none is in any byte that a run wrote.

Each canary is unique, so that one that got through names its kind and the field it was planted in.
Left out of the search is the closed landing area, and of the canaries what no pattern can find and
the guard says so: names of people, and in codes of goods and orders what is an id there.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
import stat
import uuid
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from duckdb.sqltypes import DuckDBPyType
from stdnum import iban, luhn

from mkt_assets.ingest.ga4_schema import RAW_EVENT_COLUMNS
from mkt_assets.lake import sql_text

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

DAYS = [date(2025, 3, 1) + timedelta(days=n) for n in range(3)]
SIGNALS = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
GRANTED = dict.fromkeys(SIGNALS, "granted")
KEY = "5e" * 32
MOST_LEAKS_SHOWN = 40
#: bytes of a canary that are looked for first
HEAD = 8


def _card(n: int) -> str:
    digits = f"411122{n:09d}"
    return digits + luhn.calc_check_digit(digits)


def _iban(n: int) -> str:
    account = f"37040044{n:010d}"
    return "DE" + iban.calc_check_digits(f"DE00{account}") + account


def _jwt(n: int) -> str:
    head, body = (urlsafe_b64encode(part).decode().rstrip("=") for part in _jwt_parts(n))
    return f"{head}.{body}.{hashlib.md5(str(n).encode()).hexdigest()[:22]}"


def _jwt_parts(n: int) -> tuple[bytes, bytes]:
    return b'{"alg":"HS256"}', json.dumps({"sub": f"canary-{n}"}).encode()


#: kind -> the canary of a number, and the part of it that must not survive by itself
KINDS: dict[str, Callable[[int], tuple[str, str]]] = {
    "email": lambda n: (f"canary{n}q@mail{n}.example.com", f"canary{n}q"),
    "email, capitals": lambda n: (f"Canary{n}Q@EXAMPLE.ORG", f"canary{n}q"),
    "email, percent-encoded": lambda n: (f"canary{n}q%40mail.example", f"canary{n}q"),
    "email, encoded twice": lambda n: (f"canary{n}q%2540mail.example", f"canary{n}q"),
    "email, other letters": lambda n: (f"c\u00e4nary{n}q@m\u00fcller.example", f"nary{n}q"),
    "email, wide sign": lambda n: (f"canary{n}q\uff20mail.example", f"canary{n}q"),
    "phone": lambda n: (f"+49 151 2{n:07d}", f"151 2{n:07d}"),
    "phone, no gaps": lambda n: (f"+491513{n:07d}", f"1513{n:07d}"),
    "phone, percent-encoded": lambda n: (f"%2B491514{n:07d}", f"1514{n:07d}"),
    "phone, zeros": lambda n: (f"0049 151 5{n:07d}", f"151 5{n:07d}"),
    "phone, hard spaces": lambda n: (
        f"+1\u00a0415\u00a0{n // 10000:03d}\u00a0{n % 10000:04d}",
        f"415\u00a0{n // 10000:03d}\u00a0{n % 10000:04d}",
    ),
    "phone, national": lambda n: (f"(415) {200 + n // 10000:03d}-{n % 10000:04d}",) * 2,
    "ip": lambda n: (f"203.{n // 250}.113.{n % 250}",) * 2,
    "ip, version 6": lambda n: (f"2001:db8:85a3::{n:x}:7334",) * 2,
    "card": lambda n: (_card(n), _card(n)),
    "card, groups": lambda n: (" ".join(_card(n)[k : k + 4] for k in (0, 4, 8, 12)),) * 2,
    "iban": lambda n: (_iban(n), _iban(n)[2:]),
    "client id": lambda n: (f"17345{n:05d}.17400{n:05d}", f"17400{n:05d}"),
    "client id, cookie": lambda n: (f"GA1.2.16345{n:05d}.17300{n:05d}", f"16345{n:05d}"),
    "click id": lambda n: (f"CjwKCAiA{n:06d}BBhBZEiwAX3gql", f"{n:06d}BBhB"),
    "click id, named": lambda n: (f"gclid=canary-{n}-click", f"canary-{n}-click"),
    "jwt": lambda n: (_jwt(n), _jwt(n)),
    "uuid": lambda n: (str(uuid.UUID(int=(0xCAFE << 112) + n)),) * 2,
    "hash, 32 digits": lambda n: (hashlib.md5(f"c{n}".encode()).hexdigest(),) * 2,
    "hash, 64 digits": lambda n: (hashlib.sha256(f"c{n}".encode()).hexdigest(),) * 2,
    "hash, capitals": lambda n: (hashlib.sha256(f"d{n}".encode()).hexdigest().upper(),) * 2,
}
OWN_LOGIN, OWN_CLIENT = "own login, no form", "own client id, no form"
#: where a number is an article's or an order's, and a UUID names a thing
IN_CODES = KINDS.keys() - {"uuid"}
CODES = ("item_id", "transaction_id")
KNOWN_PARAMS = ("page_title", "source", "medium", "campaign", "currency", "session_engaged")


class Nursery:
    """Makes canaries, each once, and remembers what was planted where."""

    def __init__(self) -> None:
        self.planted: dict[str, tuple[str, str]] = {}

    def canary(self, kind: str, place: str) -> str:
        value, core = KINDS[kind](len(self.planted) + 1)
        assert core.lower() not in self.planted, "a canary is to be unique"
        self.planted[core.lower()] = (kind, place)
        return value

    def own(self, kind: str, place: str) -> str:
        value = f"{'osprey' if kind == OWN_CLIENT else 'quill'}-{len(self.planted)}-shopper"
        self.planted[value] = (kind, place)
        return value


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


def _write_events(nursery: Nursery, folder: Path) -> str:
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


def _write_ads(nursery: Nursery, folder: Path) -> str:
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


def _write_consent(nursery: Nursery, folder: Path, word: Callable[[str], str] | None = None) -> str:
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


def _settings(ga4: str, ads: str, consent: str) -> dict[str, str]:
    return {
        "MKT_SOURCE": "files",
        "MKT_GA4_URI": ga4,
        "MKT_ADS_URI": ads,
        "MKT_CONSENT_URI": consent,
        "MKT_PII_KEYS": json.dumps({"k1": KEY}),
        "MKT_START_DATE": str(DAYS[0]),
        "MKT_QUARANTINE_LIMIT": "0.9",
    }


def _run(product: Product, home: Path, nursery: Nursery, places: list[str]) -> Told:
    there = product(home, _settings(*places))
    done = there.mkt("run", "--from", DAYS[0], "--to", DAYS[-1])
    return done | {"planted": nursery.planted}


@pytest.fixture(scope="module")
def canary_run(once: Callable[..., Told], product: Product) -> Told:
    """The daily job over three days of poisoned files in three formats."""

    def make(home: Path) -> Told:
        nursery, inputs = Nursery(), home / "inputs"
        places = [
            _write_events(nursery, inputs / "ga4"),
            _write_ads(nursery, inputs / "ads"),
            _write_consent(nursery, inputs / "consent"),
        ]
        return _run(product, home, nursery, places)

    return once("canary-run", make)


@pytest.fixture(scope="module")
def refused_run(once: Callable[..., Told], product: Product) -> Told:
    """Refused for its consent log, whose signals are no words: refusals must not quote them."""

    def make(home: Path) -> Told:
        nursery, inputs = Nursery(), home / "inputs"

        def word(kind: str) -> str:
            return nursery.canary(kind, "consent, signal")

        ads, empty = _write_ads(nursery, inputs / "ads"), inputs / "ga4"
        empty.mkdir()
        missing = f"{empty}/{nursery.canary('email', 'name of a missing file')}_{{date}}.json"
        return _run(
            product, home, nursery, [missing, ads, _write_consent(nursery, inputs / "c", word)]
        )

    return once("canary-refused", make)


def _texts(value: Any) -> Iterator[str]:
    """Every text inside a decoded value, keys too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from (str(key), *_texts(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)


def _decoded(path: Path) -> set[str]:
    """Every text of a file in a format that compresses or splits it."""
    if path.suffix == ".parquet":
        return set(_texts(pq.ParquetFile(path).read().to_pylist()))
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as con:
            names = con.execute(
                "select table_schema, table_name from information_schema.tables"
            ).fetchall()
            rows = (con.execute(f'from {s}."{t}"').fetchall() for s, t in names)
            return {text for found in rows for text in _texts(found)}
    if path.suffix == ".db":
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            names = db.execute("select name from sqlite_master where type = 'table'").fetchall()
            rows = [row for (t,) in names for row in db.execute(f'select * from "{t}"').fetchall()]
        return {_unpacked(v) for row in rows for v in row if isinstance(v, str | bytes)}
    return set()


def _unpacked(value: str | bytes) -> str:
    if isinstance(value, str):
        return value
    is_packed = value[:1] == b"\x78"
    return (zlib.decompress(value) if is_packed else value).decode("utf-8", "replace")


def _leaks(told: Told, data: Path) -> list[str]:
    """Canaries in what the run wrote and said, by kind, field and file; never the canaries."""
    files = [p for p in sorted(data.rglob("*")) if p.is_file() and not p.is_symlink()]
    written = [p for p in files if p.relative_to(data).parts[0] not in ("landing", "keys")]
    assert len(written) > 3
    haystacks = {
        str(path.relative_to(data)): path.read_bytes().lower()
        + "\n".join(sorted(_decoded(path))).lower().encode("utf-8", "replace")
        for path in written
    }
    haystacks["(names of files)"] = "\n".join(map(str, written)).lower().encode()
    haystacks["(output)"] = (told["out"] + told["err"]).lower().encode()
    needles = {
        spelled.encode(): told
        for core, told in told["planted"].items()
        for spelled in (core, quote(core).lower(), json.dumps(core)[1:-1])
    }
    leaks = {
        f"{kind}, planted in {place}: found in {name}"
        for name, content in haystacks.items()
        for kind, place in map(needles.__getitem__, _found(needles, content))
    }
    return sorted(leaks)


def _found(needles: Iterable[bytes], content: bytes) -> set[bytes]:
    """Those of thousands of needles that are in some megabytes, by their first bytes at once."""
    by_head: dict[int, list[bytes]] = {}
    short = {needle for needle in needles if len(needle) < HEAD}
    for needle in {*needles} - short:
        by_head.setdefault(int.from_bytes(needle[:HEAD], "little"), []).append(needle)
    heads = np.array(sorted(by_head), dtype="<u8")
    seen: set[int] = set()
    for start in range(min(HEAD, len(content) - HEAD + 1)):
        whole = (len(content) - start) // HEAD
        windows = np.frombuffer(content, "<u8", whole, start)
        there = heads[np.searchsorted(heads, windows) % len(heads)] == windows
        seen.update(windows[there].tolist())
    found = {n for head in seen for n in by_head[head] if n in content}
    return found | {n for n in short if n in content}


def test_no_canary_is_in_any_byte_that_the_run_wrote(canary_run: Told, product: Product) -> None:
    assert canary_run["code"] == 0, canary_run["out"] + canary_run["err"]
    there = product(canary_run["home"])
    assert len(canary_run["planted"]) > 200
    leaks = _leaks(canary_run, there.data)
    assert leaks[:MOST_LEAKS_SHOWN] == [], f"{len(leaks)} leaks"


def test_the_poisoned_rows_were_really_there(canary_run: Told, product: Product) -> None:
    there = product(canary_run["home"])
    landed = {
        text
        for path in there.lake.landing.rglob("*")
        if path.is_file()
        for text in (_decoded(path) or {path.read_text(encoding="utf-8", errors="replace")})
    }
    planted = {core.encode(): place for core, (_, place) in canary_run["planted"].items()}
    seen = {planted[core] for core in _found(planted, "\n".join(landed).lower().encode())}
    unseen = {place for _, place in canary_run["planted"].values()} - seen
    # an unknown column of an ad report is not even landed; a folder is, in the manifest
    assert {p for p in unseen if "header" not in p and "unknown column" not in p} == set()
    assert stat.S_IMODE(there.lake.landing.stat().st_mode) == 0o700
    ((kept, aside),) = there.rows(
        "select sum(rows_kept), sum(rows_quarantined) from marts.lineage_ledger"
    )
    assert kept > 100
    assert aside > 4 * len(KINDS)
    assert there.rows("select count(*) > 0 from marts.fct_purchases") == [(True,)]


def test_a_refused_run_quotes_nobody(refused_run: Told, product: Product) -> None:
    assert refused_run["code"] == 1
    assert "FAILED" in refused_run["out"]
    assert "landing/refused.txt" in refused_run["out"]
    assert _leaks(refused_run, product(refused_run["home"]).data) == []


def test_the_scan_of_the_whole_folder_agrees(canary_run: Told, product: Product) -> None:
    places = list(_settings("", "", "").items())[3:]
    there = product(canary_run["home"], dict(places) | {"MKT_SOURCE": "sample"})
    done = there.mkt("scan", "--json")
    assert done["code"] == 0, done
    assert json.loads(done["out"])["findings"] == []
