"""`mkt demo` from an empty folder, and the same days again: what a newcomer gets must hold."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mkt_assets.contracts import REGISTRY
from mkt_assets.doctor import examine
from mkt_assets.lake import Lake
from mkt_assets.publish.tables import published_marts, published_models
from mkt_assets.settings import load_settings
from mkt_assets.warehouse import fingerprint, mart_tables

pytestmark = pytest.mark.slow

Product = Any  # the fixture's type lives in conftest
Told = dict[str, Any]

#: the revenue model needs 28 days
DAYS = 30
GROUPS = [
    "ingest", "privacy", "marts", "insights", "forecast", "audiences", "experiments",
    "allocation", "activation", "publish",
]  # fmt: skip
#: what Dagster's own history says of each asset: the keys of its metadata
HISTORY = """
import json
import dagster as dg
from mkt_assets.definitions import defs

graph = defs.resolve_asset_graph()
with dg.DagsterInstance.get() as instance:
    told = {
        key.to_user_string(): sorted(
            graph.get(key).metadata.keys()
            | instance.get_latest_materialization_event(key).asset_materialization.metadata.keys()
        )
        for key in defs.resolve_job_def("daily_marketing").asset_layer.executable_asset_keys
    }
print(json.dumps(told))
"""
FATES = (
    "rows_kept", "rows_dropped_consent", "rows_cookieless", "rows_duplicate", "rows_quarantined",
    "rows_erased",
)  # fmt: skip
_SAID = "select run_id, build_id, lineage_ids, row_counts, absent from marts.publication"
EMAIL = r"[A-Za-z0-9._+-]+(?:@|%40)[A-Za-z0-9-]+\.[A-Za-z.]{2,}"


def _state(product: Product) -> Told:
    """Everything that a second run of the same days must leave as it is."""
    root = product.data
    kept = [
        p for place in ("landing", "lake", "payloads", "vault") for p in (root / place).rglob("*")
    ]
    with duckdb.connect(str(product.lake.warehouse), read_only=True) as con:
        marts = {table: fingerprint(con, f"marts.{table}") for table in mart_tables(con)}
    return {
        "marts": marts,
        "files": {str(p.relative_to(root)): _hash(p) for p in kept if p.is_file()},
        "published": str(product.published),
        "today": date.today().isoformat(),  # noqa: DTZ011  compared with itself only
    }


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def demo(once: Callable[..., Told], product: Product) -> Told:
    """One demo from nothing."""

    def make(home: Path) -> Told:
        done = product(home, is_newcomer=True).mkt("demo", "--days", DAYS)
        assert done["code"] == 0, done
        return done | _state(product(home))

    return once("demo", make)


@pytest.fixture(scope="module")
def again(once: Callable[..., Told], product: Product, demo: Told) -> Told:
    """The days of the demo once more, told as JSON."""

    def make(_: Path) -> Told:
        first, last = _days(demo)
        there = product(demo["home"], is_newcomer=True)
        return there.mkt("run", "--from", first, "--to", last, "--json") | _state(there)

    return once("demo-again", make)


@pytest.fixture
def there(product: Product, demo: Told) -> Product:
    return product(demo["home"], is_newcomer=True)


def _days(demo: Told) -> tuple[str, str]:
    found = re.search(r"^Running (\S+) to (\S+) into ", demo["out"])
    assert found is not None, demo["out"]
    return found[1], found[2]


def _asset_lines(demo: Told) -> dict[str, int | None]:
    lines = re.findall(r"^  ok  (\S+/\S+)(?: +([\d,]+) rows)?", demo["out"], re.MULTILINE)
    assert len(lines) == len(dict(lines)), "an asset has two lines"
    return {key: int(rows.replace(",", "")) if rows else None for key, rows in lines}


def test_the_demo_tells_one_line_an_asset_and_nothing_else(demo: Told) -> None:
    assets = _asset_lines(demo)
    closing = re.search(r"^(\d+) assets, (\d+) checks passed", demo["out"], re.MULTILINE)
    assert closing is not None
    assert int(closing[1]) == len(assets)
    assert int(closing[2]) > 0
    for noise in ("DEBUG", "Traceback", "Warning", "FAILED"):
        assert noise not in demo["out"] + demo["err"]
    assert demo["err"] == ""


def test_every_group_of_the_design_has_an_asset_with_a_line(demo: Told) -> None:
    assets = _asset_lines(demo)
    assert {key.split("/")[0] for key in assets} == set(GROUPS)
    known = load_settings()
    announced = {f"marts/{mart}" for mart in published_marts(known)} | set(published_models(known))
    assert announced <= set(assets)


def test_the_summary_is_what_was_published(demo: Told, there: Product) -> None:
    ((spend, revenue),) = there.rows("select sum(mark_spent), sum(revenue) from marts.kpi_daily")
    out = demo["out"]
    assert re.search(rf"^  Spend +USD {spend:,.0f}$", out, re.MULTILINE)
    assert re.search(rf"^  Revenue +USD {revenue:,.0f}$", out, re.MULTILINE)
    assert re.search(rf"^  ROAS +{revenue / spend:.2f}$", out, re.MULTILINE)
    for label in ("Worst anomaly", "Budget", "Forecast", "BI tools"):
        assert re.search(rf"^  {label} +\S", out, re.MULTILINE)
    assert "Absent" not in out
    assert str(there.lake.serving / "mkt_bi.duckdb") in out


def test_every_announced_table_is_published_with_its_rows(there: Product) -> None:
    known = load_settings()
    wanted = {*published_marts(known), *(REGISTRY[p].name for p in published_models(known))}
    with there.reader() as con:
        assert set(mart_tables(con)) == wanted | {"publication"}
        counts, absent, lineage = con.execute(
            "select row_counts, absent, lineage_ids from marts.publication"
        ).fetchone()
        actual = {
            table: con.execute(f"select count(*) from marts.{table}").fetchone()[0]
            for table in wanted
        }
        told = {
            row[0] for row in con.execute("select lineage_id from marts.lineage_ledger").fetchall()
        }
    assert counts == actual
    assert absent == {}
    assert set(lineage) == told
    of_the_day = {"marketing_kpi": DAYS * 8, "kpi_daily": DAYS, "fct_sessions": DAYS * 100}
    assert all(counts[table] >= least for table, least in of_the_day.items())
    assert counts["revenue_model"] > 0
    assert there.published.stat().st_mode & 0o777 == 0o444


def test_only_the_owner_may_enter_what_is_personal(there: Product) -> None:
    for place in (there.lake.landing, there.data / "keys"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        files = [p for p in place.rglob("*") if p.is_file()]
        assert files
        assert [p for p in files if stat.S_IMODE(p.stat().st_mode) & 0o077] == []


@pytest.fixture
def personal(there: Product) -> list[str]:
    """Fifty raw visitor ids, fifty logins and every e-mail address found in the landing area."""
    landed = f"{there.lake.landing}/events/*/events.parquet"
    with duckdb.connect() as con:
        ids = [
            row[0]
            for column in ("user_pseudo_id", "user_id")
            for row in con.execute(
                f"select distinct {column} from read_parquet(?) where {column} is not null "
                f"order by hash({column}) limit 50",
                [landed],
            ).fetchall()
        ]
        found = con.execute(
            "select distinct unnest(regexp_extract_all(event::varchar, ?)) "
            "from read_parquet(?) as event",
            [EMAIL, landed],
        ).fetchall()
    assert len(ids) == 100
    emails = {row[0].replace("%40", "@") for row in found}
    assert len(emails) > 3, "the sample has no e-mail addresses to look for"
    return [*ids, *emails, *(e.replace("@", "%40") for e in emails)]


def _tables(there: Product) -> Iterator[tuple[str, str]]:
    """Each table outside the landing area: the database to open, and the relation in it."""
    lake = there.lake.guarded
    for table in sorted({p.parent for p in lake.rglob("*.parquet")}):
        yield ":memory:", f"read_parquet('{table}/*.parquet', hive_partitioning = false)"
    for path in (there.lake.warehouse, there.lake.serving / "mkt_bi.duckdb"):
        with duckdb.connect(str(path), read_only=True) as con:
            found = con.execute(
                "select table_schema, table_name from information_schema.tables"
            ).fetchall()
        yield from ((str(path), f"{schema}.{name}") for schema, name in found)


def _hits(database: str, relation: str, words: list[str]) -> tuple[int, int]:
    """The rows of a table, and those with one of ``words`` anywhere in them."""
    pattern = "(?i)" + "|".join(map(re.escape, words))
    with duckdb.connect(database, read_only=database != ":memory:") as con:
        rows, hits = con.execute(
            f"select count(*), count(*) filter (where regexp_matches(t::varchar, ?)) "
            f"from {relation} as t",
            [pattern],
        ).fetchone()
    return rows, hits


def test_no_raw_identifier_is_in_any_decoded_table(there: Product, personal: list[str]) -> None:
    searched = {place: _hits(*place, personal) for place in _tables(there)}
    assert [place for place, (_, hits) in searched.items() if hits] == []
    assert sum(rows for rows, _ in searched.values()) > 100_000
    raw = f"read_parquet('{there.lake.landing}/events/*/events.parquet')"
    assert _hits(":memory:", raw, personal)[1] > 0, "the search finds nothing even where all is"


def test_no_raw_identifier_or_key_is_in_any_other_file(there: Product, personal: list[str]) -> None:
    (key,) = json.loads((there.data / "keys" / "sample.json").read_text()).values()
    words = [word.lower().encode() for word in (*personal, key)]
    closed = (there.lake.landing, there.data / "keys")
    files = {
        path: path.read_bytes().lower()
        for path in there.data.rglob("*")
        if path.is_file() and not any(path.is_relative_to(place) for place in closed)
    }
    assert any("payload" in path.name for path in files)
    found = {str(path) for path, content in files.items() if any(w in content for w in words)}
    assert found == set()


def test_each_ledger_line_accounts_for_its_rows(there: Product) -> None:
    broken = f"select * from marts.lineage_ledger where rows_in <> {' + '.join(FATES)}"
    assert there.rows(broken) == []
    ((lines, came),) = there.rows("select count(*), sum(rows_in) from marts.lineage_ledger")
    assert lines == 2 * DAYS + 3
    assert came > DAYS * 2000


@pytest.mark.parametrize("table", ["events", "ad_performance"])
def test_what_landed_is_what_the_ledger_says_came_in(there: Product, table: str) -> None:
    ledger = dict(
        there.rows(
            'select "partition"::varchar, sum(rows_in) from marts.lineage_ledger '
            f"where table_name = '{table}' group by 1"
        )
    )
    assert ledger == _rows_by_day(f"{there.lake.landing}/{table}/*/{table}.parquet")
    assert len(ledger) == DAYS


def test_what_the_ledger_says_was_kept_is_in_the_lake(there: Product) -> None:
    told = there.rows(
        'select table_name, "partition"::varchar, sum(rows_kept), sum(rows_cookieless) '
        'from marts.lineage_ledger where "partition" is not null group by 1, 2'
    )
    for table in ("events", "ad_performance"):
        kept = {day: n for name, day, n, _ in told if name == table}
        assert kept == _rows_by_day(f"{there.lake.guarded}/{table}/*/{table}.parquet")
    with duckdb.connect() as con:
        counted = con.execute(
            "select event_date::varchar, sum(events) from read_parquet(?) group by 1",
            [f"{there.lake.guarded}/cookieless_daily/*/*.parquet"],
        ).fetchall()
    assert dict(counted) == {day: n for name, day, _, n in told if name == "events" and n}


def _rows_by_day(pattern: str) -> dict[str, int]:
    with duckdb.connect() as con:
        found = con.execute(
            "select regexp_extract(filename, 'event_date=([0-9-]+)', 1), count(*) "
            "from read_parquet(?, filename = true, hive_partitioning = false) group by 1",
            [pattern],
        ).fetchall()
    return dict(found)


def test_the_payload_of_the_last_day_is_traceable(demo: Told, there: Product) -> None:
    _, last = _days(demo)
    payload = json.loads(Lake(there.data).payload(date.fromisoformat(last)).read_text())
    ((known,),) = there.rows("select list(lineage_id) from marts.lineage_ledger")
    assert set(payload["lineage_ids"]) <= set(known)
    assert payload["idempotency_key"]


def test_the_vault_is_closed_and_holds_keys_of_consenting_people_only(there: Product) -> None:
    kept = {
        path.name: duckdb.sql(f"from '{path}'").df()
        for path in (there.lake.vault / "match_keys").iterdir()
    }
    assert kept.keys() == {"google_ads.parquet", "meta.parquet"}
    log = duckdb.sql(
        f"select user_key, max_by(ad_user_data || ad_personalization, changed_at) as said "
        f"from '{there.lake.whole('consent_log')}' group by 1"
    ).df()
    granting = set(log.loc[log["said"] == "grantedgranted", "user_key"])
    for keys in kept.values():
        assert len(keys) > 1000
        assert set(keys["user_key"]) <= granting
    for path in (there.lake.vault, *there.lake.vault.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_no_match_key_is_outside_the_vault(there: Product) -> None:
    files = (there.lake.vault / "match_keys").iterdir()
    keys = {k for f in files for (k,) in duckdb.sql(f"select match_key from '{f}'").fetchall()}
    text = there.data / "dagster" / "history"
    told = b"".join(p.read_bytes() for p in text.rglob("*") if p.is_file())
    found = {run.decode() for run in re.findall(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", told)}
    assert not keys & found


def test_every_asset_tells_its_columns_and_its_rows(there: Product) -> None:
    home = {"DAGSTER_HOME": str(there.data / "dagster")}
    done = type(there)(there.home, home).run("python", "-c", HISTORY)
    assert done["code"] == 0, done["err"]
    told = json.loads(done["out"])
    assert [key for key, keys in told.items() if "dagster/column_schema" not in keys] == []
    assert [key for key, keys in told.items() if "dagster/row_count" not in keys] == []


def test_json_is_one_object_that_says_what_the_lines_said(demo: Told, again: Told) -> None:
    told = json.loads(again["out"])
    assert again["code"] == 0
    assert told["success"] is True
    assert told["failures"] == []
    assert told["assets"] == _asset_lines(demo)
    assert (told["summary"]["first"], told["summary"]["last"]) == _days(demo)


def test_the_same_days_again_change_no_byte(demo: Told, again: Told) -> None:
    if demo["today"] != again["today"]:
        pytest.skip("midnight passed between the runs: GA4's late rows of yesterday are new input")
    assert again["marts"] == demo["marts"]
    changed = {
        path
        for path in demo["files"].keys() | again["files"].keys()
        if demo["files"].get(path) != again["files"].get(path)
    }
    assert changed == set()


def test_of_the_same_days_again_only_the_publication_differs(
    demo: Told, again: Told, there: Product
) -> None:
    if demo["today"] != again["today"]:
        pytest.skip("midnight passed between the runs: GA4's late rows of yesterday are new input")
    assert demo["published"] != again["published"]
    prints, said = [], []
    for told in (demo, again):
        with there.reader(Path(told["published"])) as con:
            prints.append({t: fingerprint(con, f"marts.{t}") for t in mart_tables(con)})
            said.append(con.execute(_SAID).fetchone())
    assert {t for t in prints[0] if prints[0][t] != prints[1].get(t)} == {"publication"}
    assert prints[0].keys() == prints[1].keys()
    assert said[0][1:] == said[1][1:]
    assert said[0][0] != said[1][0]


def test_the_doctor_finds_a_finished_demo_healthy(
    demo: Told, there: Product, again: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = there.mkt("doctor", "--json")
    findings = json.loads(done["out"])
    assert done["code"] == 0
    assert [f for f in findings if f["status"] == "fail"] == []
    seen = {f["what"]: (f["status"], f["seen"]) for f in findings}
    assert seen["published"][0] == "ok"
    assert seen["landing"] == ("ok", "mode 0700 (raw rows may hold personal data)")
    assert seen["vault"] == ("ok", "closed to others")
    assert seen["closed"] == ("ok", "keys closed to others")
    assert seen["property"][0] == "ok"
    assert seen["dagster"][0] == "ok"
    assert seen["lock"] == ("ok", "free, 0 leftovers")
    # a demo that ran past midnight is a day old by now: fresh is what it was on its own day
    _, last = _days(demo)
    monkeypatch.setenv("MKT_DATA_DIR", str(there.data))
    noon = datetime.combine(date.fromisoformat(last) + timedelta(days=1), time(12), UTC)
    (days,) = [f for f in examine(noon) if f.what == "partitions"]
    told = f"{DAYS} days to {last}, 0 missing between, 0 behind"
    assert (days.status, days.seen) == ("ok", told)
