"""The marts against the oracle, row by row: what SQL makes of a few thousand nasty events.

The oracle (``oracle_*.py``) is written from the definitions, not from the models; where the two
differ, one of them is wrong.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import oracle_attribution
import oracle_events
import pytest
import yaml
from lake_project import PROJECT, Project
from oracle_channels import channel_group
from oracle_purchases import Purchase, PurchaseKey, purchases
from oracle_sessions import Key, Session, session_of, sessions

SEED = 20240229
#: of the differences that a failure shows
LINES = 30
HERE = Path(__file__).parent
SEEDS = PROJECT / "seeds"


def categories() -> dict[str, str]:
    with (SEEDS / "ga4_source_categories.csv").open() as file:
        return {row["source"]: row["category"] for row in csv.DictReader(file)}


def truth() -> list[dict[str, str]]:
    with (HERE / "channel_groups.csv").open() as file:
        return list(csv.DictReader(file))


def key_event_names() -> list[str]:
    names: list[str] = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"][
        "key_events"
    ]
    return names


# --- the channel group, rule by rule ---


def test_the_truth_table_has_every_group_and_no_case_twice() -> None:
    cases = truth()
    assert len(cases) >= 60
    assert len({row["channel_group"] for row in cases}) == 19
    said = [(row["source"], row["medium"], row["campaign"]) for row in cases]
    assert len(set(said)) == len(cases)


@pytest.mark.parametrize("case", truth(), ids=lambda case: case["rule"])
def test_the_oracle_groups_as_the_truth_table_says(case: dict[str, str]) -> None:
    found = channel_group(case["source"], case["medium"], case["campaign"], categories())
    assert found == case["channel_group"]


# --- the marts ---


@dataclass
class World:
    """What dbt built from the events, and what the oracle makes of them."""

    project: Project
    events: list[oracle_events.Event]
    sessions: dict[Key, Session]
    purchases: dict[PurchaseKey, Purchase]
    #: session_key of dbt -> the session that it stands for
    keys: dict[str, Key]

    def rows(self, relation: str) -> list[dict[str, Any]]:
        return rows_of(self.project, f"from {relation}")


def rows_of(project: Project, sql: str) -> list[dict[str, Any]]:
    """As Python's own values: a decimal stays one, and nothing is None."""
    with project.reader() as con:
        done = con.execute(sql)
        names = [column[0] for column in done.description or ()]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = oracle_events.events(SEED)
    project = Project(tmp_path_factory.mktemp("parity"))
    for day, rows in oracle_events.by_day(made).items():
        project.write("events", rows, day)
    project.build("--exclude", "tag:ads")
    staged = rows_of(project, "select event_key, session_key from staging.stg_events")
    known = {row["event_key"]: row["session_key"] for row in staged}
    keys: dict[str, Key] = {}
    for event in made:
        key = session_of(event)
        if key is None:
            assert known[event["event_key"]] is None
        else:
            assert keys.setdefault(known[event["event_key"]], key) == key
    expected = sessions(made, key_events=key_event_names(), categories=categories())
    assert len(keys) == len(expected)
    return World(project, made, expected, purchases(made), keys)


def agree(expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> None:
    """Fail with one line a value that differs; missing and surplus rows too."""
    lines = [f"{key}: only expected" for key in expected.keys() - found.keys()]
    lines += [f"{key}: only found" for key in found.keys() - expected.keys()]
    for key in expected.keys() & found.keys():
        lines += [
            f"{key}: {name} is {found[key].get(name)!r}, expected {value!r}"
            for name, value in expected[key].items()
            if found[key].get(name) != value
        ]
    if lines:
        pytest.fail("\n".join([f"{len(lines)} differences", *sorted(lines)[:LINES]]), pytrace=False)


def source_columns(prefix: str, source: Any) -> dict[str, str]:
    return {
        f"{prefix}_source": source.source,
        f"{prefix}_medium": source.medium,
        f"{prefix}_campaign": source.campaign,
    }


def found_sessions(world: World, *columns: str) -> dict[Key, dict[str, Any]]:
    return {
        world.keys[row["session_key"]]: {name: row[name] for name in columns}
        for row in world.rows("marts.fct_sessions")
    }


@pytest.mark.slow
def test_the_events_hold_what_hurts(world: World) -> None:
    """Else the comparison below would prove less than it says."""
    spans = defaultdict(set)
    for event in world.events:
        spans[session_of(event)].add(event["event_date"])
    owners = defaultdict(set)
    for event in world.events:
        if event["event_name"] == "purchase":
            owners[event["transaction_id"]].add(event["user_key"])
    sessions_, purchases_ = world.sessions.values(), world.purchases.values()
    assert len(world.events) > 3000
    assert len({session.channel_group for session in sessions_}) >= 16
    assert {len(days) for key, days in spans.items() if key} >= {1, 2, 3}
    assert any(len(users) > 1 for order, users in owners.items() if order and "shared" in order)
    assert any(p.is_transaction_id_derived and p.duplicate_events for p in purchases_)
    assert any(p.is_refunded for p in purchases_)
    assert any(p.duplicate_refund_events for p in purchases_)
    assert any(p.session is None for p in purchases_)
    handed = [s for s in sessions_ if s.last_non_direct != s.source]
    assert handed
    assert any(s.last_non_direct.is_direct for s in sessions_)


@pytest.mark.slow
def test_sessions_are_what_the_definitions_say(world: World) -> None:
    same = ["session_date", "channel_group", "landing_page", "device_category", "country"]
    same += ["is_engaged", "events", "page_views", "key_events"]
    bought = defaultdict(list)
    for purchase in world.purchases.values():
        bought[purchase.session].append(purchase.revenue or Decimal(0))
    expected = {
        key: {name: getattr(session, name) for name in same}
        | {
            "user_key": key[0],
            "session_source": session.source.source,
            "started_at": session.started_at.replace(tzinfo=None),
            "purchases": len(bought[key]),
            "lineage_ids": list(session.lineage_ids),
            "revenue": sum(bought[key], Decimal(0)),
        }
        for key, session in world.sessions.items()
    }
    found = found_sessions(world, *next(iter(expected.values())))
    agree(expected, found)


@pytest.mark.slow
def test_campaigns_belong_to_their_sources(world: World) -> None:
    expected = {
        key: {"session_campaign": session.source.campaign, "session_medium": session.source.medium}
        for key, session in world.sessions.items()
    }
    agree(expected, found_sessions(world, "session_campaign", "session_medium"))


@pytest.mark.slow
def test_purchases_are_what_the_definitions_say(world: World) -> None:
    compared = [field.name for field in fields(Purchase) if field.name not in ("key", "session")]
    expected = {
        key: {name: getattr(purchase, name) for name in compared}
        | {
            "purchased_at": purchase.purchased_at.replace(tzinfo=None),
            "session_key": purchase.session,
            "lineage_ids": list(purchase.lineage_ids),
        }
        for key, purchase in world.purchases.items()
    }
    found: dict[PurchaseKey, dict[str, Any]] = {}
    for row in world.rows("marts.fct_purchases"):
        key: PurchaseKey = (row["transaction_id"],)
        if row["is_transaction_id_derived"]:
            since = row["purchased_at"] - datetime(1970, 1, 1)  # noqa: DTZ001 - the mart's own
            key = (row["user_key"], since // timedelta(microseconds=1))
        found[key] = row | {"session_key": world.keys.get(row["session_key"])}
    agree(expected, found)


@pytest.mark.slow
def test_the_macro_groups_as_the_truth_table_says(world: World) -> None:
    cases = truth()

    def text(value: str) -> str:
        return "cast(null as varchar)" if value == "" else f"'{value}'"

    listed = ", ".join(
        f"({number}, {text(case['source'])}, {text(case['medium'])}, {text(case['campaign'])})"
        for number, case in enumerate(cases)
    )
    model = f"""
        select
            cases.number,
            {{{{ channel_group(
                'cases.source', 'cases.medium', 'cases.campaign', 'known.category'
            ) }}}} as channel_group
        from (values {listed}) as cases (number, source, medium, campaign)
        left join {{{{ ref('ga4_source_categories') }}}} as known
            on lower(trim(cases.source)) = known.source
        order by cases.number"""
    done = world.project.dbt("--quiet", "compile", "--inline", model)
    assert done.returncode == 0, done.stdout
    found = [row["channel_group"] for row in rows_of(world.project, done.stdout)]
    wrong = [
        f"{case['rule']}: {group}, not {case['channel_group']}"
        for case, group in zip(cases, found, strict=True)
        if group != case["channel_group"]
    ]
    assert wrong == []


# --- what later models add ---


@pytest.mark.slow
def test_direct_sessions_look_back_to_their_user_s_last_source(world: World) -> None:
    expected = {
        key: source_columns("last_non_direct", session.last_non_direct)
        | {"last_non_direct_channel_group": session.last_non_direct_channel_group}
        for key, session in world.sessions.items()
    }
    found = found_sessions(world, *next(iter(expected.values())))
    agree(expected, found)


@pytest.mark.slow
@pytest.mark.parametrize("model", list(oracle_attribution.MODELS))
def test_purchases_are_credited_as_the_model_says(world: World, model: str) -> None:
    credited: dict[tuple[Any, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for purchase in world.purchases.values():
        touches = oracle_attribution.shares(model, purchase, world.sessions.values())
        # what no session led to is credited to nothing known, so that credits sum
        named = [(touch.source.campaign, share) for touch, share in touches] or [("(not set)", 1.0)]
        for campaign, share in named:
            total = credited[purchase.purchase_date, campaign]
            total[0] += share
            total[1] += share * float(purchase.revenue or 0)
    rows = rows_of(
        world.project,
        "select date, campaign, attributed_conversions, attributed_revenue "
        f"from marts.fct_attribution where model = '{model}'",
    )
    found = {
        (row["date"], row["campaign"]): [
            float(row["attributed_conversions"]),
            float(row["attributed_revenue"]),
        ]
        for row in rows
    }
    # a campaign of a path that a model gives nothing has a row that says 0
    nothing = [0.0, 0.0]
    for key in found.keys() | credited.keys():
        assert found.get(key, nothing) == pytest.approx(
            credited.get(key, nothing), rel=1e-9, abs=1e-6
        ), key


@pytest.mark.slow
def test_channels_are_credited_with_the_value_of_their_game(world: World) -> None:
    """Day by day, over whatever campaigns the channels have."""
    paths = defaultdict(list)
    for purchase in world.purchases.values():
        touches = oracle_attribution.path(purchase, world.sessions.values())
        channels = frozenset(touch.channel_group for touch in touches)
        paths[purchase.purchase_date].append(channels or frozenset({"Unassigned"}))
    rows = rows_of(
        world.project,
        "select date, channel_group, attributed_conversions from marts.fct_attribution_channel"
        " where model = 'shapley'",
    )
    found = {(r["date"], r["channel_group"]): float(r["attributed_conversions"]) for r in rows}
    games = {day: oracle_attribution.game_of_channels(of_day) for day, of_day in paths.items()}
    values = {(day, channel): v for day, game in games.items() for channel, v in game.items()}
    assert found == pytest.approx(values, abs=1e-9)
    assert max(len(game) for game in games.values()) > 2
