"""The source of a session's last click, and the kind of click id, from every place that has one."""

from __future__ import annotations

from typing import Any

import pytest

from mkt_assets.privacy.urls import CLICK_IDS

Workplace = Any  # the fixture's type lives in conftest
NOTHING = [None, "", " ", "(not set)"]
PLATFORMS = ["cross_channel_campaign", "sa360_campaign", "cm360_campaign", "dv360_campaign"]


def origin(workplace: Workplace, **records: Any) -> tuple[str | None, ...]:
    workplace.guard([workplace.event(session_traffic_source_last_click=records)])
    (row,) = workplace.kept("session_source, session_medium, session_campaign")
    return tuple(row.values())


def said(name: str, **other: Any) -> dict[str, Any]:
    return {"source": name, "medium": f"{name} medium", "campaign_name": f"{name} name"} | other


def told(name: str) -> tuple[str, ...]:
    return (name, f"{name} medium", f"{name} name")


@pytest.mark.slow
@pytest.mark.parametrize("record", [*PLATFORMS, "manual_campaign"])
def test_every_record_of_the_export_can_say_where_a_session_came_from(
    workplace: Workplace, record: str
) -> None:
    assert origin(workplace, **{record: said("it")}) == told("it")


@pytest.mark.slow
@pytest.mark.parametrize("record", PLATFORMS)
@pytest.mark.parametrize("blank", NOTHING)
def test_a_record_that_names_no_source_leaves_it_to_the_next(
    workplace: Workplace, record: str, blank: str | None
) -> None:
    records = {record: said("it", source=blank), "manual_campaign": said("tagged")}
    assert origin(workplace, **records) == told("tagged")


@pytest.mark.slow
def test_ga4_s_verdict_over_all_channels_comes_first_and_tags_last(workplace: Workplace) -> None:
    records = {"google_ads_campaign": {"campaign_id": "7", "campaign_name": "brand"}}
    records |= {name: said(name) for name in [*PLATFORMS, "manual_campaign"]}
    order = ["cross_channel_campaign", "google_ads_campaign", *PLATFORMS[1:], "manual_campaign"]
    for name in order:
        expected = ("google", "cpc", "brand") if name == "google_ads_campaign" else told(name)
        assert origin(workplace, **records) == expected
        del records[name]
    assert origin(workplace, **records) == (None, None, None)


def test_a_google_ads_click_is_paid_google_whatever_its_campaign_is_called(
    workplace: Workplace,
) -> None:
    for ads, campaign in (
        ({"campaign_id": "7", "campaign_name": "brand"}, "brand"),
        ({"campaign_name": "brand"}, "brand"),
        ({"campaign_id": "7"}, None),
    ):
        assert origin(workplace, google_ads_campaign=ads) == ("google", "cpc", campaign)
    blank = {"campaign_id": "(not set)", "campaign_name": ""}
    records = {"google_ads_campaign": blank, "manual_campaign": said("tagged")}
    assert origin(workplace, **records) == told("tagged")


def test_direct_is_a_verdict_too(workplace: Workplace) -> None:
    direct = {"source": "(direct)", "medium": "(none)"}
    records = {"cross_channel_campaign": direct, "manual_campaign": said("tagged")}
    assert origin(workplace, **records) == ("(direct)", "(none)", None)


# --- click ids ---


def kind(workplace: Workplace, **event: Any) -> str | None:
    workplace.guard([workplace.event(**event)])
    (row,) = workplace.kept("click_id_type")
    found: str | None = row["click_id_type"]
    return found


def at(query: str) -> dict[str, Any]:
    return {"params": {"page_location": f"https://shop.example/a{query}"}}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLICK_IDS)
def test_every_kind_is_known_from_the_address_and_from_a_parameter(
    workplace: Workplace, name: str
) -> None:
    assert kind(workplace, **at(f"?a=b&{name}=X1")) == name
    assert kind(workplace, **at(f"?{name.upper()}=X1#top")) == name
    assert kind(workplace, params={name: "X1"}) == name
    assert kind(workplace, **at(f"?{name}=")) is None
    assert kind(workplace, **at(f"?my{name}=X1")) is None
    assert kind(workplace, **at(f"?a={name}")) is None
    assert kind(workplace, params={name: ""}) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gclid", "dclid", "srsltid"])
def test_the_collected_source_tells_the_kinds_that_it_has_a_field_for(
    workplace: Workplace, name: str
) -> None:
    assert kind(workplace, collected_traffic_source={name: "X1"}) == name
    assert kind(workplace, collected_traffic_source={name: ""}) is None


@pytest.mark.slow
def test_of_several_the_first_in_the_stated_order_counts_wherever_it_is(
    workplace: Workplace,
) -> None:
    order = ["gclid", "gbraid", "wbraid", "dclid", "gclsrc", "srsltid", "msclkid"]
    assert list(CLICK_IDS) == order
    for first, name in enumerate(order):
        rest = "&".join(f"{other}=1" for other in reversed(order[first:]))
        assert kind(workplace, **at(f"?{rest}")) == name
    collected = {"collected_traffic_source": {"gclid": "X1"}}
    assert kind(workplace, **at("?msclkid=1&gbraid=2"), **collected) == "gclid"


# --- engagement ---


@pytest.mark.slow
@pytest.mark.parametrize("name", ["string_value", "int_value", "double_value"])
def test_the_engaged_flag_may_be_a_text_or_a_number(workplace: Workplace, name: str) -> None:
    for said_so, expected in ((1, True), (0, False)):
        value = str(said_so) if name == "string_value" else said_so
        params = [{"key": "session_engaged", "value": {name: value}}]
        workplace.guard([workplace.event(event_params=params)])
        assert workplace.kept("session_engaged") == [{"session_engaged": expected}]
