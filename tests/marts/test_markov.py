"""Removal effects: against the definition (remove, recompute), and against published examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mkt_assets.errors import MktError
from mkt_assets.marts.markov import (
    CONVERSION,
    NULL,
    START,
    Journey,
    Transitions,
    conversion_probability,
    effect_shares,
    removal_effects,
)

JOURNEYS = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abcdef"), max_size=8).map(tuple),
        st.integers(0, 20).map(float),
        st.integers(0, 20).map(float),
    ),
    max_size=12,
).map(lambda journeys: [j for j in journeys if j[1] + j[2] > 0])


def _without(transitions: Transitions, gone: str) -> Transitions:
    """The definition: what would reach the touchpoint is lost."""
    target = np.where(transitions.target == gone, NULL, transitions.target)
    stays = transitions.source != gone
    return Transitions(transitions.source[stays], target[stays], transitions.count[stays])


@given(JOURNEYS)
def test_an_effect_is_what_is_lost_when_the_touchpoint_is_removed(
    journeys: Sequence[Journey],
) -> None:
    transitions = Transitions.of(journeys)
    whole = conversion_probability(transitions)
    effects = removal_effects(transitions)
    assert set(effects) == {touch for touches, *_ in journeys for touch in touches}
    for touch, effect in effects.items():
        expected = 1 - conversion_probability(_without(transitions, touch)) / whole if whole else 0
        assert effect == pytest.approx(expected, abs=1e-9)
        assert 0 <= effect <= 1


@given(JOURNEYS)
def test_the_chain_converts_as_often_as_the_journeys_did(journeys: Sequence[Journey]) -> None:
    """A chain fitted by counting ends as its journeys end: what flows in flows out."""
    assume(journeys)
    converting = sum(c for _, c, _ in journeys)
    expected = converting / sum(c + lost for _, c, lost in journeys)
    assert conversion_probability(Transitions.of(journeys)) == pytest.approx(expected, abs=1e-9)


@given(JOURNEYS, st.integers(2, 4))
def test_repeats_and_the_number_of_equal_journeys_do_not_matter(
    journeys: Sequence[Journey], times: int
) -> None:
    stuttering = [
        (tuple(t for t in path for _ in range(times)), times * c, times * lost)
        for path, c, lost in journeys
    ]
    expected = removal_effects(Transitions.of(journeys))
    found = removal_effects(Transitions.of(stuttering))
    assert found == pytest.approx(expected, abs=1e-9)


@given(JOURNEYS)
def test_a_touchpoint_on_every_converting_journey_loses_all_and_one_on_none_nothing(
    journeys: Sequence[Journey],
) -> None:
    always = [(("always", *path), c, lost) for path, c, lost in journeys]
    effects = removal_effects(Transitions.of([*always, (("never",), 0.0, 3.0)]))
    assert effects["never"] == 0
    if any(c for _, c, _ in journeys):
        assert effects["always"] == pytest.approx(1)


def test_three_journeys_of_bryl() -> None:
    """analyzecore.com, Attribution model with R, part 1: C1>C2>C3 buys, C1 and C2>C3 do not."""
    journeys = [(("C1", "C2", "C3"), 1.0, 0.0), (("C1",), 0.0, 1.0), (("C2", "C3"), 0.0, 1.0)]
    transitions = Transitions.of(journeys)
    assert conversion_probability(transitions) == pytest.approx(1 / 3)
    effects = removal_effects(transitions)
    assert effects == pytest.approx({"C1": 0.5, "C2": 1.0, "C3": 1.0})
    assert effect_shares(effects) == pytest.approx({"C1": 0.2, "C2": 0.4, "C3": 0.4})


def test_four_journeys_of_puzyrov() -> None:
    """serhiipuzyrov.com, Markov chain attribution: simple explanation of removal effect."""
    journeys = [
        (("google ads",), 2.0, 1.0),
        (("mailing",), 1.0, 0.0),
        (("google ads", "mailing"), 1.0, 0.0),
    ]
    transitions = Transitions.of(journeys)
    assert conversion_probability(transitions) == pytest.approx(0.8)
    effects = removal_effects(transitions)
    assert effects == pytest.approx({"google ads": 0.75, "mailing": 0.5})
    assert effect_shares(effects) == pytest.approx({"google ads": 0.6, "mailing": 0.4})


def test_a_journey_that_goes_round_for_long_is_solved_well() -> None:
    rounds = 100_000
    journeys = [(("a", "b") * rounds, 1.0, 0.0), (("a",), 0.0, 1.0)]
    transitions = Transitions.of(journeys)
    assert conversion_probability(transitions) == pytest.approx(0.5, rel=1e-9)
    assert removal_effects(transitions) == pytest.approx({"a": 1.0, "b": 1.0}, rel=1e-9)


def test_nothing_and_no_conversion_have_answers() -> None:
    assert removal_effects(Transitions.of([])) == {}
    assert conversion_probability(Transitions.of([])) == 0
    effects = removal_effects(Transitions.of([(("a", "b"), 0.0, 5.0)]))
    assert effects == {"a": 0.0, "b": 0.0}
    assert effect_shares(effects) == {"a": 0.5, "b": 0.5}
    assert effect_shares({}) == {}
    # a purchase that nothing led to is part of the chance, and of no effect
    both = Transitions.of([((), 1.0, 1.0), (("a",), 1.0, 1.0)])
    assert conversion_probability(both) == pytest.approx(0.5)
    assert removal_effects(both) == pytest.approx({"a": 0.5})


def test_a_touchpoint_that_leads_nowhere_is_refused() -> None:
    steps = ((START, "a"), (START, "b"), ("a", CONVERSION))
    source, target = (np.array(side, dtype=object) for side in zip(*steps, strict=True))
    with pytest.raises(MktError, match="1 of 2 touchpoints lead nowhere"):
        removal_effects(Transitions(source, target, np.ones(3)))
