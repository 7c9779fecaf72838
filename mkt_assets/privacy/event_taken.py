"""The rows of a slice that may be kept, read once: what their columns and parameters say, raw.

Everything later is asked of the table that is made here, since reading an event's parameters costs
more than any question about them. What stays out: what is clean, and what is wrong with a row.

Table made here, temporary: ``guard_taken``, one row per row of ``Slice.kept``. Beside the texts of
``TEXTS`` it has ``layout`` and ``odd_names`` (see ``known_layouts``), ``findings`` (see
``event_findings``) and, of rows that may be copies, their ``content``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from mkt_assets.ingest.ga4_types import AMOUNTS
from mkt_assets.privacy.event_decisions import CONTENT
from mkt_assets.privacy.event_numbers import NUMBER_LIMITS, within_sql
from mkt_assets.privacy.event_origin import (
    click_id_sql,
    collected_click_ids_sql,
    last_click_sql,
)
from mkt_assets.privacy.event_parameters import (
    ENGAGED,
    READ,
    SESSION_ID,
    TEXTS_OF_PARAMETERS,
    engaged_sql,
    findings_sql,
    number_sql,
    text_sql,
)
from mkt_assets.privacy.event_slices import Slice
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.urls import CLICK_IDS

MONEY: Final = "decimal(18, 4)"

TEXTS_OF_COLUMNS: Final = {
    "event_name": "event_name",
    "collected_source": "collected_traffic_source.manual_source",
    "collected_medium": "collected_traffic_source.manual_medium",
    "collected_campaign": "collected_traffic_source.manual_campaign_name",
    "session_source": last_click_sql("source"),
    "session_medium": last_click_sql("medium"),
    "session_campaign": last_click_sql("campaign_name"),
    "first_user_source": "traffic_source.source",
    "first_user_medium": "traffic_source.medium",
    "first_user_campaign": 'traffic_source."name"',
    "device_category": "device.category",
    "operating_system": "device.operating_system",
    "browser": "device.web_info.browser",
    "country": "geo.country",
    "region": "geo.region",
    "platform": "platform",
    "stream_id": "stream_id",
}

#: those that are a plain column, of which the distinct values are cheap to find
PLAIN_TEXTS: Final = {
    name: column for name, column in TEXTS_OF_COLUMNS.items() if not name.startswith("session_")
}

#: every top-level text column that is scanned; transaction_id and items are scanned beside them
TEXTS: Final = (*TEXTS_OF_COLUMNS, *TEXTS_OF_PARAMETERS)

#: between the names of ``odd_names``; in a name it becomes another sign that no good name has
_BETWEEN, _INSTEAD = "chr(31)", "chr(30)"
#: the names of parameters in the order they have in a row; 64 bits
LAYOUT: Final = "hash(names)"
_NAMES: Final = 'list_transform(event_params, lambda param: param."key")'
#: rows from whose layouts those of the others are guessed
_ROWS_TO_LEARN: Final = 2048


def take_rows(
    con: duckdb.DuckDBPyConnection,
    part: Slice,
    *,
    types: Mapping[str, str],
    layouts: Sequence[int],
    alike: str | None = None,
) -> None:
    """Make ``guard_taken`` of ``part.kept``.

    Args:
        con: the connection.
        part: the slice.
        types: text columns that are taken as an ENUM, with its name; it must have all their values.
        layouts: those of ``known_layouts``.
        alike: a table with the ``row_id`` of rows whose content is asked for, to compare it.
    """
    quietly(
        con,
        f"create or replace temp table guard_taken as {_taken_sql(part, types, layouts, alike)}",
    )


def known_layouts(con: duckdb.DuckDBPyConnection, part: Slice, *, is_worth_it: bool) -> list[int]:
    """Make ``guard_layouts(layout, names)`` of some rows, or of none; most others have the same.

    A row with another layout tells its names in ``odd_names``.
    """
    kept = f"{part.raw} as raw inner join (select row_id from {part.kept}) as kept using (row_id)"
    quietly(
        con,
        f"""
        create or replace temp table guard_layouts as
        select {LAYOUT} as layout, any_value(names) as names
        from (select {_NAMES} as names from {kept} limit {_ROWS_TO_LEARN if is_worth_it else 0})
        where names is not null
        group by all
        """,
    )
    return [layout for (layout,) in quietly(con, "select layout from guard_layouts order by all")]


def names_sql() -> str:
    """The names of the parameters of a row of ``guard_taken`` joined with ``guard_layouts``."""
    return f"coalesce(names, string_split(odd_names, {_BETWEEN}))"


def _value(parameter: str) -> str:
    return f"p_{parameter}"


def _parameter_number(name: str) -> str:
    number = number_sql(_value(name))
    return f"case when {within_sql(number, NUMBER_LIMITS[name])} then {number} end"


def _taken_sql(
    part: Slice, types: Mapping[str, str], layouts: Sequence[int], alike: str | None
) -> str:
    texts = [
        f"try_cast({e} as {types[name]}) as {name}" if name in types else f"{e} as {name}"
        for name, e in TEXTS_OF_COLUMNS.items()
    ]
    texts += [f"{text_sql(_value(name))} as {c}" for c, name in TEXTS_OF_PARAMETERS.items()]
    # the engine may cast before it leaves out the quarantined rows, whose amounts do not fit
    money = [f"try_cast(ecommerce.{name} as {MONEY}) as {name}" for name in AMOUNTS]
    positions = ", ".join(
        f"event_params[list_position(names, '{name}')].\"value\" as {_value(name)}" for name in READ
    )
    # one by one: list_has_any takes six times as long
    has_kind = " or ".join(f"list_contains(names, '{kind}')" for kind in CLICK_IDS)
    is_known = f"layout in ({', '.join(map(str, layouts))})" if layouts else "false"
    told = f"list_transform(names, lambda n: replace(coalesce(n, ''), {_BETWEEN}, {_INSTEAD}))"
    odd = f"when len(names) > 0 and not ({is_known}) then array_to_string({told}, {_BETWEEN})"
    # as a text, which tells apart what differs: lists that are mostly NULL are slow to write
    content = f"case when is_alike then {CONTENT} end" if alike else "null::varchar"
    is_alike = f"row_id in (select row_id from {alike})" if alike else "false"
    return f"""
        select
            row_id, source, event_bundle_sequence_id as bundle, user_id,
            {", ".join(texts)},
            {number_sql(_value(SESSION_ID))} as ga_session_id,
            {_parameter_number("ga_session_number")} as ga_session_number,
            {engaged_sql(_value(ENGAGED))} as session_engaged,
            {_parameter_number("engagement_time_msec")} as engagement_time_msec,
            ecommerce.transaction_id as transaction_id,
            {", ".join(money)},
            items,
            {click_id_sql("given_params", collected_click_ids_sql())} as told_click_id,
            {findings_sql(_value)} as findings,
            layout,
            case {odd} end as odd_names,
            {content} as content
        from (
            select
                *, {positions}, {LAYOUT} as layout,
                case when {has_kind} then list_transform(
                    list_filter(event_params, lambda param: param."value".string_value <> ''),
                    lambda param: param."key"
                ) end as given_params
            from (
                select raw.*, decided.source, decided.is_alike, {_NAMES} as names
                from {part.raw} as raw
                inner join (select row_id, source, {is_alike} as is_alike from {part.kept})
                    as decided on raw.row_id = decided.row_id
            )
        )"""
