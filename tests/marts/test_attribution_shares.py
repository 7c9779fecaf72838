"""The SQL that splits purchases, held against the definitions of the models on any paths.

The Shapley value is held against its own: the mean gain over every order in which channels come.
The part of a campaign is held against Owen's (1977): the mean gain over every order in which a
channel's campaigns come together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import permutations, product
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.project import dbt_project_dir

Told = dict[str, Any]
#: purchases, each with its touches: (campaign, direct or not, days before), and its revenue;
#: the first letter of a campaign is its channel; case and outer blanks make no other campaign
Purchases = list[tuple[list[tuple[str, bool, float]], Decimal]]
Credits = dict[str, dict[int, list[tuple[Decimal, Decimal]]]]

DAY = date(2025, 3, 1)
EPSILON = 1e-9
PATH = {
    "transaction_id": "varchar",
    "purchase_date": "date",
    "touch_number": "bigint",
    "touches_in_path": "bigint",
    "channel_group": "varchar",
    "campaign": "varchar",
    "is_direct": "boolean",
    "days_before": "double",
    "revenue": "decimal(18,4)",
}
EFFECT = {"date": "date", "channel_group": "varchar", "removal_effect": "double"}
MODELS = yaml.safe_load((dbt_project_dir() / "dbt_project.yml").read_text(encoding="utf-8"))[
    "vars"
]["attribution_models"]

TOUCH = st.tuples(
    st.sampled_from(["a1", "a2", "aX", "ax ", "b1", "b2", "c1", "d1"]),
    st.booleans(),
    st.floats(0, 30),
)
MONEY = st.decimals(0, 100_000, places=4)
PURCHASES = st.lists(
    st.tuples(st.lists(TOUCH, min_size=1, max_size=7), MONEY), min_size=1, max_size=8
)
EFFECTS = st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1))
on_sql = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
#: each example asks the SQL five times
on_sql_often = settings(on_sql, max_examples=8)


@pytest.fixture
def credit(build: Callable[..., Any], rows: Callable[..., str]) -> Callable[..., Credits]:
    """Model -> purchase -> the credit of each touch, as the SQL has it."""

    def run(purchases: Purchases, effects: dict[str, float] | None = None) -> Credits:
        paths = [
            {
                "transaction_id": f"{number:04}",
                "purchase_date": DAY,
                "touch_number": at + 1,
                "touches_in_path": len(path),
                "channel_group": campaign[0],
                "campaign": campaign,
                "is_direct": is_direct,
                "days_before": days_before,
                "revenue": revenue,
            }
            for number, (path, revenue) in enumerate(purchases)
            for at, (campaign, is_direct, days_before) in enumerate(_by_age(path))
        ]
        told = [
            {"date": DAY, "channel_group": channel, "removal_effect": effect}
            for channel, effect in (effects or {}).items()
        ]
        tables = {
            "int_conversion_paths": rows(PATH, paths),
            "int_markov_effects": rows(EFFECT, told),
        }
        con = build(tables, "int_attribution_rules", "int_attribution_shares")
        found: Credits = defaultdict(lambda: defaultdict(list))
        for model, purchase, conversions, revenue in con.execute(
            "select model, transaction_id, credited_conversions, credited_revenue"
            " from int_attribution_shares order by model, transaction_id, touch_number"
        ).fetchall():
            found[model][int(purchase)].append((conversions, revenue))
        return found

    return run


def _by_age(path: list[tuple[str, bool, float]]) -> list[tuple[str, bool, float]]:
    return sorted(path, key=lambda touch: -touch[2])


def _shares(credits_: Credits, model: str, purchase: int = 0) -> list[float]:
    return [float(conversions) for conversions, _ in credits_[model][purchase]]


def _by_campaign(credits_: Credits, model: str, purchases: Purchases) -> dict[str, float]:
    """Revenue by campaign over all purchases."""
    totals: dict[str, float] = defaultdict(float)
    for number, (path, _) in enumerate(purchases):
        for (campaign, *_), (_, revenue) in zip(
            _by_age(path), credits_[model][number], strict=True
        ):
            totals[_key(campaign)] += float(revenue)
    return totals


def _key(campaign: str) -> str:
    return campaign.strip().lower()


def _by_channel(of_campaigns: dict[str, float]) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for campaign, revenue in of_campaigns.items():
        totals[campaign[0]] += revenue
    return totals


@pytest.mark.slow
@on_sql
@given(PURCHASES, EFFECTS)
def test_every_purchase_is_given_away_once_and_exactly(
    credit: Callable[..., Credits], purchases: Purchases, effects: dict[str, float]
) -> None:
    found = credit(purchases, effects)
    assert sorted(found) == sorted(MODELS)
    for model in MODELS:
        for number, (path, revenue) in enumerate(purchases):
            parts = found[model][number]
            assert len(parts) == len(path)
            assert sum(conversions for conversions, _ in parts) == 1
            assert sum(money for _, money in parts) == revenue
            assert min(min(part) for part in parts) >= 0


@on_sql
@given(PURCHASES, EFFECTS)
def test_the_rules_are_those_of_the_textbook(
    credit: Callable[..., Credits], purchases: Purchases, effects: dict[str, float]
) -> None:
    found = credit(purchases, effects)
    for number, (path, _) in enumerate(purchases):
        for model, weights in _textbook(_by_age(path), effects).items():
            scaled = [weight / max(weights) for weight in weights]
            expected = [weight / sum(scaled) for weight in scaled]
            assert _shares(found, model, number) == pytest.approx(expected, abs=1e-11), model


def _textbook(path: list[tuple[str, bool, float]], effects: dict[str, float]) -> dict[str, list]:
    size = len(path)
    names = [_key(name) for name, *_ in path]
    not_direct = [at for at, (_, is_direct, _) in enumerate(path) if not is_direct]
    chosen = not_direct[-1] if not_direct else size - 1
    ends = [0.4] + [0.2 / (size - 2)] * (size - 2) + [0.4] if size > 2 else [1.0] * size
    campaigns = Counter(name[0] for name in set(names))
    of_effects = [
        effects.get(n[0], 0) / campaigns[n[0]] if n not in names[:at] else 0
        for at, n in enumerate(names)
    ]
    return {
        "first_touch": [float(at == 0) for at in range(size)],
        "last_touch": [float(at == size - 1) for at in range(size)],
        "last_non_direct": [float(at == chosen) for at in range(size)],
        "linear": [1.0] * size,
        "position_based": ends,
        "time_decay": [2 ** (-days / 7) for *_, days in path],
        **({"markov": of_effects} if max(of_effects) > 0 else {}),
    }


@on_sql
@given(PURCHASES)
def test_shapley_is_the_mean_gain_over_every_order(
    credit: Callable[..., Credits], purchases: Purchases
) -> None:
    of_campaigns = _by_campaign(credit(purchases), "shapley", purchases)
    close = 1e-6 * len(purchases)
    # of channels, as if there were no campaigns
    needs = [({name[0] for name, *_ in path}, float(revenue)) for path, revenue in purchases]
    channels = sorted(set().union(*(names for names, _ in needs)))
    expected = _mean_gain(needs, list(permutations(channels)))
    assert _by_channel(of_campaigns) == pytest.approx(expected, abs=close)
    # of campaigns, where a channel's come together
    needs = [({_key(name) for name, *_ in path}, float(revenue)) for path, revenue in purchases]
    campaigns = sorted(set().union(*(names for names, _ in needs)))
    within = [list(permutations(n for n in campaigns if n[0] == of)) for of in channels]
    orders = [sum(o, ()) for some in product(*within) for o in permutations(some)]
    assert of_campaigns == pytest.approx(_mean_gain(needs, orders), abs=close)


def _mean_gain(
    needs: list[tuple[set[str], float]], orders: list[tuple[str, ...]]
) -> dict[str, float]:
    """By definition; a coalition is worth the purchases whose touches all lie in it."""

    @cache
    def worth(coalition: frozenset[str]) -> float:
        return sum(revenue for names, revenue in needs if names <= coalition)

    values = dict.fromkeys(orders[0], 0.0)
    for order in orders:
        for at, player in enumerate(order):
            values[player] += worth(frozenset(order[: at + 1])) - worth(frozenset(order[:at]))
    return {player: value / len(orders) for player, value in values.items()}


@pytest.mark.slow
@on_sql_often
@given(PURCHASES, PURCHASES)
def test_shapley_keeps_its_axioms(
    credit: Callable[..., Credits], purchases: Purchases, others: Purchases
) -> None:
    def shapley_of(some: Purchases) -> dict[str, float]:
        return _by_channel(_by_campaign(credit(some), "shapley", some))

    shapley = shapley_of(purchases)
    # efficiency: all of the revenue, and no more
    assert sum(shapley.values()) == pytest.approx(float(sum(r for _, r in purchases)))
    # symmetry: a twin on each path of a channel is worth the same, whatever its campaigns
    twins = [
        ([*path, *(("x", *t[1:]) for t in path if t[0].startswith("a"))], r)
        for path, r in purchases
    ]
    twin = shapley_of(twins)
    close = EPSILON * len(purchases) * 1e5
    assert twin.get("a", 0) == pytest.approx(twin.get("x", 0), abs=close)
    # dummy: who only ever adds purchases of its own gets those, and changes nobody's part
    alone: Purchases = [*purchases, ([("y", False, 0.0)] * 2, Decimal(50))]
    assert shapley_of(alone) == {**shapley, "y": 50.0}
    # additivity: of two sets of purchases together
    second = shapley_of(others)
    both = shapley_of([*purchases, *others])
    summed = {name: shapley.get(name, 0) + second.get(name, 0) for name in both}
    assert both == pytest.approx(summed)


@on_sql
@given(PURCHASES, st.one_of(st.none(), st.floats(0, 1)))
def test_equal_effects_are_the_shapley_value_and_so_are_none(
    credit: Callable[..., Credits], purchases: Purchases, effect: float | None
) -> None:
    found = credit(purchases, {} if effect is None else dict.fromkeys("abcd", effect))
    for number in range(len(purchases)):
        expected = _shares(found, "shapley", number)
        assert _shares(found, "markov", number) == pytest.approx(expected, abs=1e-11)


def test_old_and_long_paths_are_split_as_well(credit: Callable[..., Credits]) -> None:
    old = [("a", False, 5000.0), ("b", False, 4993.0)]
    long = [("abcdef"[at % 6], False, 30 - at / 1000) for at in range(3000)]
    found = credit([(old, Decimal(1)), (long, Decimal("0.0001"))])
    assert _shares(found, "time_decay") == pytest.approx([1 / 3, 2 / 3])
    for model in MODELS:
        assert sum(c for c, _ in found[model][1]) == 1
        assert sum(r for _, r in found[model][1]) == Decimal("0.0001")
