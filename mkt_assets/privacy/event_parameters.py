"""The event parameters: which are read and as what, which are GA4's own, what is wrong with one.

What stays out: finding them in a partition (``event_findings``), and the columns made of them.

Limits: of a parameter that an event has twice the first is taken, and both are looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mkt_assets.ingest.ga4_types import WRONG_TYPE
from mkt_assets.privacy.event_numbers import NUMBER_LIMITS, SESSION_ID_LIMIT, within_sql
from mkt_assets.privacy.urls import CLICK_IDS

SESSION_ID: Final = "ga_session_id"
ENGAGED: Final = "session_engaged"
#: column -> the parameter whose text it is
TEXTS_OF_PARAMETERS: Final = {
    "page_location": "page_location",
    "page_referrer": "page_referrer",
    "page_title": "page_title",
    "param_source": "source",
    "param_medium": "medium",
    "param_campaign": "campaign",
    "currency": "currency",
}
#: the parameters in which something may be wrong
MEASURED: Final = (SESSION_ID, *NUMBER_LIMITS, ENGAGED)
#: between findings of one event
BETWEEN_FINDINGS: Final = "chr(31)"
#: the parameters that become columns
READ: Final = (*MEASURED, *TEXTS_OF_PARAMETERS.values())

#: what Google's tags, SDKs and recommended events send by themselves, as its help pages and the
#: exports of its public samples have it: not read here, and nothing new
GA4_OWN: Final = frozenset(
    {
        *READ,
        *CLICK_IDS,
        # every event, sessions, consent and debugging
        "batch_ordering_id", "batch_page_id", "batch_event_index", "clean_event", "all_data",
        "debug_mode", "debug_event", "engaged_session_event", "entrances", "ga_debug",
        "ignore_referrer", "language", "screen_resolution", "session_start", "synthetic_bundle",
        "tagged", "traffic_type", "user_agent", "server_container",
        # campaigns
        "campaign_id", "content", "creative_format", "marketing_tactic", "source_platform", "term",
        # enhanced measurement
        "file_extension", "file_name", "first_field_id", "first_field_name",
        "first_field_position", "first_field_type", "form_destination", "form_id", "form_length",
        "form_name", "form_submit_text", "link_classes", "link_domain", "link_id", "link_text",
        "link_url", "outbound", "percent_scrolled", "search_term", "unique_search_term",
        "video_current_time", "video_duration", "video_percent", "video_provider", "video_title",
        "video_url", "visible",
        # commerce, leads and the other recommended events
        "affiliation", "checkout_option", "checkout_step", "content_id", "content_type", "coupon",
        "creative_name", "creative_slot", "customer_type", "discount", "index", "item_brand",
        "item_category", "item_category2", "item_category3", "item_category4", "item_category5",
        "item_id", "item_list_id", "item_list_name", "item_name", "item_variant", "items",
        "lead_source", "lead_status", "location_id", "method", "new_customer", "payment_type",
        "price", "product_id", "product_name", "promotion_id", "promotion_name", "quantity",
        "shipping", "shipping_tier", "success", "tax", "transaction_id", "unconvert_lead_reason",
        "disqualified_lead_reason", "close_unconvert_reason", "value",
        # games
        "achievement_id", "character", "group_id", "level", "level_name", "score",
        "virtual_currency_name",
        # apps
        "ad_event_id", "ad_format", "ad_platform", "ad_source", "ad_unit_code", "ad_unit_id",
        "ad_unit_name", "app_version", "cancellation_reason", "click_timestamp", "error_code",
        "exposure_time", "fatal", "firebase_conversion", "firebase_error",
        "firebase_event_origin", "firebase_previous_class", "firebase_previous_id",
        "firebase_previous_screen", "firebase_screen", "firebase_screen_class",
        "firebase_screen_id", "free_trial", "introductory_price", "label", "message_channel",
        "message_device_time", "message_id", "message_name", "message_time", "message_type",
        "previous_app_version", "previous_first_open_count", "previous_os_version",
        "renewal_count", "reward_type", "reward_value", "subscription", "system_app",
        "system_app_update", "timestamp", "topic", "update_with_analytics", "validated",
    }
)  # fmt: skip

#: what is told of a parameter that is kept without its number: no fault of the row
BEYOND: Final = "beyond"
BAD_SESSION_ID: Final = "bad_session_id"
#: the ways of GA4 and of tags to say nothing
_NOTHING: Final = "('', '(not set)')"
#: a text or a number, whatever the tag sends
_YES: Final = "('1', '1.0', 'true')"
_NO: Final = "('0', '0.0', 'false')"
#: every whole number below it is exact in a double
_EXACT: Final = 9_007_199_254_740_992


def text_sql(value: str) -> str:
    """The value of an event parameter as text; ``value`` is SQL of its STRUCT."""
    return (
        f"coalesce({value}.string_value, {value}.int_value::varchar, {value}.double_value::varchar,"
        f" {value}.float_value::varchar)"
    )


def number_sql(value: str) -> str:
    """The value as a whole number, of a parameter in which nothing was found (``finding_sql``)."""
    return (
        f"coalesce({value}.int_value, try_cast({_real_sql(value)} as bigint), "
        f"try_cast({value}.string_value as bigint))"
    )


def engaged_sql(value: str) -> str:
    """``session_engaged`` as a truth value; NULL where it says nothing, or something else."""
    word = f"lower(trim({text_sql(value)}))"
    return f"case when {word} in {_YES} then true when {word} in {_NO} then false end"


def finding_sql(param: str) -> str:
    """What is wrong with an event parameter that is read, if anything: a reason, or ``BEYOND``.

    Args:
        param: SQL of its STRUCT.
    """
    cases = (
        f"when {param}.\"key\" = '{name}' then case {faults} end"
        for name, faults in _faults_of(f'{param}."value"').items()
    )
    return f"case {' '.join(cases)} end"


def findings_sql(value_of: Callable[[str], str]) -> str:
    """The findings of all parameters that are read, ``name=finding`` each; NULL where none.

    Args:
        value_of: parameter -> SQL of its STRUCT of values.
    """
    found = {name: f"case {_faults_of(value_of(name))[name]} end" for name in MEASURED}
    told = ", ".join(f"'{name}=' || {finding}" for name, finding in found.items())
    return f"nullif(concat_ws({BETWEEN_FINDINGS}, {told}), '')"


def _faults_of(value: str) -> dict[str, str]:
    """Parameter -> the branches of a CASE over its STRUCT of values."""
    # the usual values come first: this is asked of every event
    whole, is_said = _whole_sql(value), f"trim({text_sql(value)}) not in {_NOTHING}"
    usual = f"{value}.int_value in (0, 1) or {value}.string_value in ('0', '1')"
    branches = {
        SESSION_ID: f"when {within_sql(whole, SESSION_ID_LIMIT)} then null "
        f"when {is_said} then '{BAD_SESSION_ID}'",
        ENGAGED: f"when {usual} then null "
        f"when {is_said} and {engaged_sql(value)} is null then '{WRONG_TYPE}{ENGAGED}'",
    }
    for name, limit in NUMBER_LIMITS.items():
        branches[name] = (
            f"when {within_sql(whole, limit)} then null when {whole} is not null then '{BEYOND}' "
            f"when {is_said} then '{WRONG_TYPE}{name}'"
        )
    return branches


def _whole_sql(value: str) -> str:
    """The value as a whole number: a number, or the text of one; 15000.0 is 15000, 1.5 is NULL."""
    real, text = _real_sql(value), f"trim({value}.string_value)"
    return (
        f"coalesce({value}.int_value, "
        f"case when {real} = trunc({real}) and abs({real}) < {_EXACT} "
        f"then try_cast({real} as bigint) end, "
        # a cast alone would round
        f"case when regexp_full_match({text}, '[+-]?[0-9]+([.]0*)?') "
        f"then try_cast({text} as bigint) end)"
    )


def _real_sql(value: str) -> str:
    return f"coalesce({value}.double_value, {value}.float_value)"
