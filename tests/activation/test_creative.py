"""The creative library: every segment has copy, all of it checked, none of it approved."""

from __future__ import annotations

import pandas as pd
import pytest

from mkt_assets.activation.compliance import BODY_LIMIT, HEADLINE_LIMIT, check
from mkt_assets.activation.creative import COLUMNS, EVERYONE, VARIANTS, build_library
from mkt_assets.audiences.segments import SEGMENTS
from mkt_assets.contracts import REGISTRY
from mkt_assets.errors import InputError

CAMPAIGNS = pd.DataFrame({"campaign": ["a", "b", "c"], "channel": ["Social", "Search", "Social"]})
AUDIENCES = pd.DataFrame({"segment": [*SEGMENTS, *SEGMENTS]})


def library() -> pd.DataFrame:
    return build_library(CAMPAIGNS, AUDIENCES, currency="EUR")


def test_three_variants_for_every_segment() -> None:
    found = library()
    assert tuple(found) == COLUMNS
    assert found.groupby("segment")["variant"].agg(tuple).to_dict() == dict.fromkeys(
        SEGMENTS, VARIANTS
    )
    assert found["creative_id"].is_unique


def test_the_templates_are_green_and_short() -> None:
    found = pd.concat([library(), build_library(None, None, currency="EUR")])
    assert (found["compliance"] == "green").all()
    assert found["headline"].str.len().max() <= HEADLINE_LIMIT
    assert found["body"].str.len().max() <= BODY_LIMIT
    for row in found.itertuples():
        assert check(row.headline, row.body, row.cta).status == row.compliance


def test_no_machine_approves() -> None:
    assert (library()["approval"] == "pending").all()


def test_ids_are_those_of_the_words() -> None:
    shuffled = build_library(
        CAMPAIGNS.iloc[::-1], AUDIENCES.sample(frac=1, random_state=1), currency="EUR"
    )
    pd.testing.assert_frame_equal(library(), shuffled)


def test_channels_come_from_the_campaigns() -> None:
    assert library()["channels"].iloc[0] == ["Search", "Social"]


def test_without_segments_there_is_copy_for_everyone() -> None:
    found = build_library(CAMPAIGNS, None, currency="EUR")
    assert found["segment"].unique().tolist() == [EVERYONE]


def test_a_segment_without_copy_is_refused() -> None:
    with pytest.raises(InputError, match="Whales"):
        build_library(CAMPAIGNS, pd.DataFrame({"segment": ["Whales"]}), currency="EUR")


def test_the_contract_matches() -> None:
    assert tuple(c.name for c in REGISTRY["activation/creative_library"].columns) == COLUMNS
