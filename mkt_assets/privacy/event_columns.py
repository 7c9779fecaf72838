"""The columns of the guarded events: what is taken from a raw event, and how it is cleaned.

This is the allow-list: a raw column that is not named here does not reach the lake. What stays out:
which rows are taken.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Final

import duckdb

from mkt_assets.ingest.ga4_types import AMOUNTS
from mkt_assets.privacy import pii
from mkt_assets.privacy.event_addresses import ADDRESSES
from mkt_assets.privacy.event_decisions import micros
from mkt_assets.privacy.event_numbers import AMOUNT_LIMIT, QUANTITY_LIMIT, within_sql
from mkt_assets.privacy.event_parameters import TEXTS_OF_PARAMETERS
from mkt_assets.privacy.event_slices import Slice
from mkt_assets.privacy.event_taken import MONEY, TEXTS
from mkt_assets.privacy.event_words import Closed
from mkt_assets.privacy.policy import SIGNALS
from mkt_assets.privacy.quiet import quietly
from mkt_assets.privacy.spelling import plain_sql

ITEM_PROSE: Final = ("item_name", "item_brand", "item_category")
ITEM_TEXTS: Final = ("item_id", *ITEM_PROSE)

#: an identifier shorter than this is found in innocent text by accident
OWN_ID_LENGTH: Final = 6
_OWN_IDS: Final = ("user_pseudo_id", "user_id")
#: looked for where a person has no identifier of their own to look for: replaces nothing
_NOTHING: Final = "''"


def lake_sql(  # noqa: PLR0913 - each is stamped on the rows, or told of them
    guarded: str,
    *,
    carried: Collection[str],
    day: date,
    lineage_ids: Sequence[str],
    key_id: str,
    processed_at: datetime,
) -> str:
    """The SELECT whose columns are the guarded events', in the lake's order.

    ``guarded`` is a FROM item of ``guarded_sql``'s rows, of which ``carried`` are an ENUM but to be
    written as text; ``lineage_ids`` are in the order of ``guard_decided.source``.
    """
    lineage = ", ".join(f"'{lineage_id}'" for lineage_id in lineage_ids)
    return f"""
        select {_stamped_sql(carried, day, lineage, key_id, processed_at)}
        from (select * from {guarded} order by {", ".join(_SORTED_BY)})"""


def guarded_sql(part: Slice, closed: Closed) -> str:
    """The SELECT of the kept rows of a slice: clean, in no order.

    Needs ``guard_taken``, ``guard_coded``, ``guard_decided``, ``guard_people``, ``guard_logins``
    and ``guard_orders``; ``closed`` are the columns whose values are known to be clean (see
    ``event_words``): they are not scanned.
    """
    scanned = [text for text in TEXTS if text not in closed.columns and text not in ADDRESSES]
    return f"""
        with flat as ({_flat_sql(part, closed)}),
        joined as (select *, {_joined_texts_sql(scanned)} as joined_texts from flat),
        judged as (select *, {_is_dirty_sql()} as is_dirty from joined),
        cleaned as (
            -- no lambda here: a pattern in it would be compiled anew for every chunk of rows
            select *, case when is_dirty then {_redacted_pieces(scanned)} end as redacted
            from judged
        )

        select {_guarded_sql(scanned)} from cleaned"""


def code_texts(con: duckdb.DuckDBPyConnection, closed: Closed, address: str) -> None:
    """Make ``guard_coded``: the addresses and the closed texts of parameters, as they are to be.

    They leave ``guard_taken``, where they take more memory than all the rest.

    Args:
        con: the connection.
        closed: the columns whose values are known to be clean.
        address: the type to carry addresses as.
    """
    coded = coded_texts(closed)
    texts = "".join(f", {closed.columns[name]} as {name}" for name in coded)
    joins = " ".join(closed.joins[name] for name in coded if name in closed.joins)
    quietly(
        con,
        f"""
        create or replace temp table guard_coded as
        with addresses as (
            select raw, clean::{address} as clean, click_id from guard_addresses
        )

        select
            taken.row_id,
            location.clean as page_location,
            referrer.clean as page_referrer,
            location.click_id as url_click_id
            {texts}
        from guard_taken as taken
        left join addresses as location on location.raw = taken.page_location
        left join addresses as referrer on referrer.raw = taken.page_referrer
        {joins}
        """,
    )
    # a column that is dropped gives back its memory at once
    for name in (*ADDRESSES, *coded, "content", "findings", "odd_names"):
        quietly(con, f"alter table guard_taken drop column {name}")


def coded_texts(closed: Closed) -> list[str]:
    """The texts of parameters that are in ``guard_coded``."""
    return [name for name in TEXTS_OF_PARAMETERS if name in closed.columns]


# numbers that do not depend on the order in which the rows came
_SORTED_BY: Final = ("event_timestamp", "person", "likeness", "ordinal")


def _stamped_sql(
    carried: Collection[str], day: date, lineage: str, key_id: str, processed_at: datetime
) -> str:
    """What can be added after the sort, so that the sort need not carry it."""
    bundle_text = "coalesce(bundle::varchar, '-')"
    key = f"concat_ws('|', user_key, event_timestamp, event_name, {bundle_text}, ordinal)"
    own_rules = {"event_name", *ADDRESSES}
    written = [f"{name}::varchar as {name}" for name in carried if name not in own_rules]
    written += [f"coalesce(own_{name}, {name}::varchar) as {name}" for name in ADDRESSES]
    kept_out = (*_SORTED_BY, "bundle", "source", "event_name", *(f"own_{n}" for n in ADDRESSES))
    return f"""
        date '{day}' as event_date,
        event_timestamp,
        {"event_name::varchar" if "event_name" in carried else "event_name"} as event_name,
        md5({key}) as event_key,
        * exclude ({", ".join(kept_out)}) replace ({", ".join(written)}),
        '{key_id}' as key_id,
        ([{lineage}])[source] as lineage_id,
        make_timestamptz({micros(processed_at)}) as processed_at"""


def _flat_sql(part: Slice, closed: Closed) -> str:
    expressions = {name: closed.columns.get(name, f"taken.{name}::varchar") for name in TEXTS}
    expressions |= {name: f"coded.{name}" for name in coded_texts(closed)}
    expressions |= {name: f"coded.{name}::varchar" for name in ADDRESSES}
    texts = ", ".join(f"{expression} as {name}" for name, expression in expressions.items())
    joins = [join for name, join in closed.joins.items() if name not in coded_texts(closed)]
    return f"""
        select
            {texts},
            decided.event_timestamp, person, likeness, ordinal, taken.source, bundle, items,
            coded.page_location as location_coded, coded.page_referrer as referrer_coded,
            url_click_id, told_click_id,
            people.pseudonym as user_key, people.raw as user_pseudo_id, user_id,
            logins.stand_in as login_key,
            ga_session_id, ga_session_number, session_engaged, engagement_time_msec,
            coalesce(orders.instead, transaction_id) as transaction_id,
            {", ".join(AMOUNTS)},
            {", ".join(SIGNALS)}
        from guard_taken as taken
        inner join guard_coded as coded on coded.row_id = taken.row_id
        inner join {part.kept} as decided on decided.row_id = taken.row_id
        left join {part.people} as people on people.device = decided.device
        left join guard_logins as logins on logins.raw = user_id
        left join guard_orders as orders on orders.raw = transaction_id
        {" ".join(joins)}"""


def _joined_texts_sql(scanned: Sequence[str]) -> str:
    """All texts of a row as one, so that one scan finds out that there is nothing to find."""
    of_item = f"concat_ws({pii.BETWEEN}, {', '.join(f'item.{name}' for name in ITEM_TEXTS)})"
    items = (
        "case when len(items) > 0 then "
        f"array_to_string(list_transform(items, lambda item: {of_item}), {pii.BETWEEN}) end"
    )
    return f"concat_ws({', '.join((pii.BETWEEN, *scanned, items))})"


def _is_dirty_sql() -> str:
    """Whether a text has the form of personal data, or holds an identifier of the row's person."""
    own = " or ".join(
        f"(length({own_id}) >= {OWN_ID_LENGTH} and contains({text}, {own_id}))"
        for own_id in _OWN_IDS
        for text in ("joined_texts", *ADDRESSES)
    )
    return f"({pii.has_personal_sql('joined_texts')} or coalesce({own}, false))"


def _without_own(text: str, own_ids: Sequence[str] = _OWN_IDS) -> str:
    """Redact the person's own identifiers, which may have no form."""
    for own_id in own_ids:
        sought = f"case when length({own_id}) >= {OWN_ID_LENGTH} then {own_id} else {_NOTHING} end"
        text = f"replace({text}, {sought}, '{pii.REDACTED}')"
    return text


def _redacted_pieces(texts: Sequence[str]) -> str:
    """Texts redacted as one, so that the pattern is compiled once; SQL of a list of pieces."""
    own_ids = [f"replace({own_id}, {pii.BETWEEN}, {pii.INSTEAD})" for own_id in _OWN_IDS]
    joined = f" || {pii.BETWEEN} || ".join(map(_to_join, texts)) or _NOTHING
    return f"string_split({_redacted(joined, own_ids)}, {pii.BETWEEN})"


def _redacted(text: str, own_ids: Sequence[str] = _OWN_IDS, pattern: str = pii.PROSE) -> str:
    """As ``pii.redact`` does it, and without the person's identifiers as they are spelled."""
    once = _without_own(pii.marked_sql(text, pattern), own_ids)
    return pii.marked_sql(plain_sql(once), pattern)


def _to_join(text: str) -> str:
    return f"replace(coalesce({text}, ''), {pii.BETWEEN}, {pii.INSTEAD})"


def _text_of_piece(piece: str, text: str) -> str:
    """The redacted ``text``; one without a find stays as it came, NULL too."""
    redacted = f"replace({piece}, {pii.INSTEAD}, {pii.BETWEEN})"
    return f"case when contains({piece}, '{pii.REDACTED}') then {redacted} else {text} end"


def _items_sql() -> str:
    numbers = (
        f"price := case when {within_sql('item.price', AMOUNT_LIMIT)} "
        f"then try_cast(item.price as {MONEY}) end, "
        f"quantity := case when {within_sql('item.quantity', QUANTITY_LIMIT)} "
        "then item.quantity end, "
        f"item_revenue := case when {within_sql('item.item_revenue', AMOUNT_LIMIT)} "
        f"then try_cast(item.item_revenue as {MONEY}) end"
    )
    same = ", ".join(f"{name} := item.{name}" for name in ITEM_TEXTS)
    clean = ", ".join(
        f"{name} := {_text_of_piece(f'pair.prose[{number}]', f'item.{name}')}"
        for number, name in enumerate(ITEM_PROSE, start=1)
    )
    pairs = (
        "list_transform(items, lambda item: struct_pack(item := item, "
        f"code := {_redacted('item.item_id', pattern=pii.CODE)}, "
        f"prose := {_redacted_pieces([f'item.{name}' for name in ITEM_PROSE])}))"
    )
    code = f"case when contains(pair.code, '{pii.REDACTED}') then pair.code else item.item_id end"
    packed = f"struct_pack(item_id := {code}, {clean}, {numbers})".replace("item.", "pair.item.")
    return (
        "case when is_dirty and len(items) > 0 "
        f"then list_transform({pairs}, lambda pair: {packed}) "
        f"else list_transform(items, lambda item: struct_pack({same}, {numbers})) end"
    )


def _guarded_sql(scanned: Sequence[str]) -> str:
    clean = {
        name: _text_of_piece(f"redacted[{number}]", name)
        for number, name in enumerate(scanned, start=1)
    }
    # a person's own identifier in an address is seldom: those addresses go beside the others
    own = {name: f"nullif({_without_own(name)}, {name})" for name in ADDRESSES}
    addresses = ", ".join(
        f"{name.removeprefix('page_')}_coded as {name}, "
        f"case when is_dirty then {redacted} end as own_{name}"
        for name, redacted in own.items()
    )

    def texts(*names: str) -> str:
        return ", ".join(
            f"case when is_dirty then {clean[name]} else {name} end as {name}"
            if name in clean
            else name
            for name in names
        )

    return f"""
        event_timestamp, person, likeness, ordinal, bundle, source,
        {texts("event_name")},
        user_key, login_key,
        ga_session_id, ga_session_number, session_engaged, engagement_time_msec,
        {addresses},
        {texts("page_title")},
        {texts("param_source", "param_medium", "param_campaign")},
        {texts("collected_source", "collected_medium", "collected_campaign")},
        least(url_click_id, told_click_id) as click_id_type,
        {texts("session_source", "session_medium", "session_campaign")},
        {texts("first_user_source", "first_user_medium", "first_user_campaign")},
        {texts("device_category", "operating_system", "browser", "country", "region")},
        {texts("platform", "stream_id")},
        transaction_id,
        {texts("currency")},
        {", ".join(AMOUNTS)},
        {_items_sql()} as items,
        {", ".join(SIGNALS)}"""
