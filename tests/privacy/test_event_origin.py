"""The source of a session's last click, and the kind of click id, from every place that has one."""

from __future__ import annotations

from typing import Any

import pytest

from mkt_assets.privacy.urls import CLICK_IDS

Workplace = Any  # the fixture's type lives in conftest
NOTHING = [None, "", " ", "(not set)"]
PLATFORMS = ["cross_channel_campaign", "sa360_campaign", "cm360_campaign", "dv360_campaign"]


def in_order(workplace: Workplace, events: list[dict[str, Any]], columns: str) -> list[Any]:
    """What the guard makes of each event: one call for all, which costs what one event does."""
    rows = [
        workplace.event(event_timestamp=workplace.NOON + n, **event)
        for n, event in enumerate(events)
    ]
    assert workplace.guard(rows).kept == len(rows)
    kept = workplace.kept(f"event_timestamp, {columns}")
    told = [tuple(row.values()) for row in sorted(kept, key=lambda row: row["event_timestamp"])]
    return [row[1:] for row in told]


def origins(workplace: Workplace, *records: dict[str, Any]) -> list[tuple[str | None, ...]]:
    events = [{"session_traffic_source_last_click": one} for one in records]
    return in_order(workplace, events, "session_source, session_medium, session_campaign")


def said(name: str, **other: Any) -> dict[str, Any]:
    return {"source": name, "medium": f"{name} medium", "campaign_name": f"{name} name"} | other


def told(name: str) -> tuple[str, ...]:
    return (name, f"{name} medium", f"{name} name")


def test_every_record_of_the_export_can_say_where_a_session_came_from(
    workplace: Workplace,
) -> None:
    records = [{name: said(name)} for name in [*PLATFORMS, "manual_campaign"]]
    assert origins(workplace, *records) == [told(name) for (name,) in records]


def test_a_record_that_names_no_source_leaves_it_to_the_next(workplace: Workplace) -> None:
    records = [
        {name: said("it", source=blank), "manual_campaign": said("tagged")}
        for name in PLATFORMS
        for blank in NOTHING
    ]
    assert origins(workplace, *records) == [told("tagged")] * len(records)


def test_ga4_s_verdict_over_all_channels_comes_first_and_tags_last(workplace: Workplace) -> None:
    everything = {"google_ads_campaign": {"campaign_id": "7", "campaign_name": "brand"}}
    everything |= {name: said(name) for name in [*PLATFORMS, "manual_campaign"]}
    order = ["cross_channel_campaign", "google_ads_campaign", *PLATFORMS[1:], "manual_campaign"]
    left = [{name: everything[name] for name in order[n:]} for n in range(len(order) + 1)]
    expected: list[tuple[str | None, ...]] = [
        ("google", "cpc", "brand") if name == "google_ads_campaign" else told(name)
        for name in order
    ]
    assert origins(workplace, *left) == [*expected, (None, None, None)]


def test_a_google_ads_click_is_paid_google_whatever_its_campaign_is_called(
    workplace: Workplace,
) -> None:
    clicks = [
        {"campaign_id": "7", "campaign_name": "brand"},
        {"campaign_name": "brand"},
        {"campaign_id": "7"},
    ]
    blank = {"campaign_id": "(not set)", "campaign_name": ""}
    records = [{"google_ads_campaign": click} for click in clicks]
    records += [{"google_ads_campaign": blank, "manual_campaign": said("tagged")}]
    paid = [("google", "cpc", campaign) for campaign in ("brand", "brand", None)]
    assert origins(workplace, *records) == [*paid, told("tagged")]


def test_direct_is_a_verdict_too(workplace: Workplace) -> None:
    direct = {"source": "(direct)", "medium": "(none)"}
    records = {"cross_channel_campaign": direct, "manual_campaign": said("tagged")}
    assert origins(workplace, records) == [("(direct)", "(none)", None)]


# --- click ids ---


def kinds(workplace: Workplace, *events: dict[str, Any]) -> list[str | None]:
    return [found for (found,) in in_order(workplace, list(events), "click_id_type")]


def at(query: str) -> dict[str, Any]:
    return {"params": {"page_location": f"https://shop.example/a{query}"}}


@pytest.mark.parametrize("name", CLICK_IDS)
def test_every_kind_is_known_from_the_address_and_from_a_parameter(
    workplace: Workplace, name: str
) -> None:
    known = [at(f"?a=b&{name}=X1"), at(f"?{name.upper()}=X1#top"), {"params": {name: "X1"}}]
    not_one = [at(f"?{name}="), at(f"?my{name}=X1"), at(f"?a={name}"), {"params": {name: ""}}]
    assert kinds(workplace, *known, *not_one) == [name] * 3 + [None] * 4


def test_the_collected_source_tells_the_kinds_that_it_has_a_field_for(workplace: Workplace) -> None:
    names = ["gclid", "dclid", "srsltid"]
    told = [{"collected_traffic_source": {name: "X1"}} for name in names]
    blank = [{"collected_traffic_source": {name: ""}} for name in names]
    assert kinds(workplace, *told, *blank) == [*names, None, None, None]


def test_of_several_the_first_in_the_stated_order_counts_wherever_it_is(
    workplace: Workplace,
) -> None:
    order = ["gclid", "gbraid", "wbraid", "dclid", "gclsrc", "srsltid", "msclkid"]
    assert list(CLICK_IDS) == order
    queries = ["&".join(f"{one}=1" for one in reversed(order[n:])) for n in range(len(order))]
    collected = {"collected_traffic_source": {"gclid": "X1"}}
    everywhere = at("?msclkid=1&gbraid=2") | collected
    found = kinds(workplace, *(at(f"?{query}") for query in queries), everywhere)
    assert found == [*order, "gclid"]


# --- engagement ---


def test_the_engaged_flag_may_be_a_text_or_a_number(workplace: Workplace) -> None:
    fields = {"string_value": ("1", "0"), "int_value": (1, 0), "double_value": (1, 0)}
    events = [
        {"event_params": [{"key": "session_engaged", "value": {name: value}}]}
        for name, values in fields.items()
        for value in values
    ]
    assert in_order(workplace, events, "session_engaged") == [(True,), (False,)] * 3
