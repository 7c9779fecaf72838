"""Which columns of an input are gone, new or of another type since the last run, and what breaks.

The columns that were last seen are kept as a file a table beside the ledger. Files are told apart
by name, digits aside, so that each of several ad platforms is compared with itself. What stays out:
reading inputs (``ingest``), and dbt's column lineage (``marts.column_lineage``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from mkt_assets.lake import Lake, replacing
from mkt_assets.marts.metrics import metrics
from mkt_assets.quality.outcomes import SAMPLE_KEYS, Outcome

FOLDER: Final = "input_columns"
#: columns without a figure that every row has
_NO_FIGURES: Final = frozenset({"lineage_id", "lineage_ids", "is_final", "currency"})
#: of what is no KPI, in a message
_SHOWN: Final = 8
_ACCEPT: Final = "MKT_ACCEPTED_CHANGES"
_DIGITS: Final = re.compile(r"\d+")
#: names that are different each day would be kept for ever
_MOST_KINDS: Final = 200
#: columns of a GA4 export -> the columns of the lake that are made of them
_GA4_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "event_name": ("event_name",),
    "event_params": ("ga_session_id", "session_engaged", "engagement_time_msec", "page_location"),
    "user_pseudo_id": ("user_key",),
    "user_id": ("login_key",),
    "privacy_info": ("analytics_storage", "ad_storage"),
    "device": ("device_category", "operating_system", "browser"),
    "geo": ("country", "region"),
    "traffic_source": ("first_user_source", "first_user_medium", "first_user_campaign"),
    "collected_traffic_source": ("collected_source", "collected_medium", "collected_campaign"),
    "session_traffic_source_last_click": (
        "session_source", "session_medium", "session_campaign",
    ),
    "stream_id": ("stream_id",),
    "platform": ("platform",),
    "ecommerce": ("transaction_id", "purchase_revenue", "refund_value"),
    "ecommerce.transaction_id": ("transaction_id",),
    "ecommerce.purchase_revenue": ("purchase_revenue",),
    "ecommerce.refund_value": ("refund_value",),
    "ecommerce.shipping_value": ("shipping_value",),
    "ecommerce.tax_value": ("tax_value",),
    "ecommerce.total_item_quantity": (),
    "items": ("items",),
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """The columns of one kind of file: name -> type, as last seen for the day ``newest``."""

    columns: Mapping[str, str]
    newest: date


@dataclass(frozen=True)
class Change:
    """One column of one kind of file that is not what it was."""

    source: str
    column: str
    before: str | None
    now: str | None

    def sentence(self) -> str:
        """What happened to it."""
        if self.now is None:
            return f"column {self.column} is gone from {self.source}"
        if self.before is None:
            return f"column {self.column} is new in {self.source}"
        return f"column {self.column} of {self.source} is {self.now}, it was {self.before}"


def kind_of(uri: str) -> str:
    """The file's folder and name without what changes from day to day."""
    return _DIGITS.sub("#", "/".join(uri.split("?", 1)[0].split("/")[-2:]))


def last_seen(lake: Lake, table: str) -> dict[str, Seen]:
    """What earlier runs saw, by kind of file; empty before the first."""
    path = _path(lake, table)
    if not path.is_file():
        return {}
    told = json.loads(path.read_text(encoding="utf-8"))
    return {
        kind: Seen(seen["columns"], date.fromisoformat(seen["newest"]))
        for kind, seen in told.items()
    }


def remember(lake: Lake, table: str, seen: Mapping[str, Seen]) -> None:
    """Replace what was last seen; kinds of files that this run did not read are kept."""
    told = {**last_seen(lake, table), **seen}
    latest = sorted(told, key=lambda kind: (told[kind].newest, kind))[-_MOST_KINDS:]
    with replacing(_path(lake, table)) as writing:
        writing.write_text(
            json.dumps(
                {
                    kind: {"newest": str(told[kind].newest), "columns": dict(told[kind].columns)}
                    for kind in sorted(latest)
                },
                indent=1,
                ensure_ascii=False,
            ),
            encoding="utf-8",
        )


def _path(lake: Lake, table: str) -> Path:
    return lake.guarded / FOLDER / f"{table}.json"


def newest(objects: Iterable[tuple[date, str, Mapping[str, str]]]) -> dict[str, Seen]:
    """The columns of each kind of file on its newest day, from (day, uri, columns) of each file."""
    found: dict[str, Seen] = {}
    for day, uri, columns in objects:
        kind = kind_of(uri)
        if columns and (kind not in found or day >= found[kind].newest):
            found[kind] = Seen(columns, day)
    return found


def changes(before: Mapping[str, Seen], now: Mapping[str, Seen]) -> list[Change]:
    """What changed; days older than what was last seen, and kinds never seen, are no change."""
    found = []
    for kind, seen in sorted(now.items()):
        known = before.get(kind)
        if known is None or seen.newest < known.newest:
            continue
        for column in dict.fromkeys((*known.columns, *seen.columns)):
            was, is_ = known.columns.get(column), seen.columns.get(column)
            if was != is_:
                found.append(Change(kind, column, was, is_))
    return found


def lake_columns_of(table: str, column: str) -> tuple[str, ...]:
    """The columns of the lake that an input's column becomes; none where it is not read."""
    if table == "events":
        # a field of a struct stands for the whole: what is made of it is made of its fields
        top = column.split(".", maxsplit=1)[0].removesuffix("[]")
        return _GA4_FIELDS.get(column, _GA4_FIELDS.get(top, ()))
    from mkt_assets.ingest.headers import SPELLINGS, key

    spelled = {key(s): name for name, known in SPELLINGS.items() for s in known}
    name = spelled.get(key(column))
    return () if name is None else (name,)


#: relation.column -> the published columns that are made of it
Downstream = Mapping[str, Sequence[str]]


def outcomes(
    table: str,
    now: Mapping[str, Seen],
    found: Sequence[Change],
    downstream: Downstream,
    accepted: Collection[str] = (),
) -> list[Outcome]:
    """A gone column that a published metric is made of stops the run; any other change warns.

    Args:
        table: ``events`` or ``ad_performance``.
        now: the columns of this run, by kind of file.
        found: what changed in them.
        downstream: by ``lake.<table>.<column>`` the published columns that it feeds.
        accepted: ``<table>.<column>`` of each change that a person has found to be right.
    """
    told = [c for c in found if f"{table}.{c.column}" not in accepted]
    lost = [c for c in told if c.now is None and _metrics_of(_fed_by(table, c, downstream))]
    other = [c for c in told if c not in lost]
    columns = sum(len(seen.columns) for seen in now.values())
    return [
        Outcome(
            f"ingest/raw_{table}",
            "no column is gone that a published metric is made of",
            "schema",
            "history",
            tested=columns,
            broken=len(lost),
            samples=tuple(c.sentence() for c in lost[:SAMPLE_KEYS]),
            blocking=True,
            why="sums over days with the column and days without it are of neither",
            means=_of_lost(table, lost, downstream),
        ),
        Outcome(
            f"ingest/raw_{table}",
            "no other column came, went or changed its type",
            "schema",
            "history",
            tested=columns,
            broken=len(other),
            samples=tuple(c.sentence() for c in other[:SAMPLE_KEYS]),
            why="what nothing reads breaks nothing, and a type that cannot be read is refused",
            means="it is told once; read the sender's notes" if other else "",
        ),
    ]


def _of_lost(table: str, lost: Sequence[Change], downstream: Downstream) -> str:
    if not lost:
        return ""
    fed = sorted({of for c in lost for of in _fed_by(table, c, downstream)})
    accept = ",".join(f"{table}.{c.column}" for c in lost)
    return (
        f"made of it are {_named(fed)}; ask the sender for it, or set "
        f" {_ACCEPT}={accept} if it is gone for good"
    )


def _metrics_of(fed: Sequence[str]) -> list[str]:
    columns = {of.rsplit(".", 1)[-1] for of in fed}
    return [name for name in metrics() if name in columns]


def _named(fed: Sequence[str]) -> str:
    """KPIs first, each once, and where they are published."""
    columns = {of.rsplit(".", 1)[-1] for of in fed}
    known = _metrics_of(fed)
    rest = sorted(columns - {*known, *_NO_FIGURES})
    marts = sorted({of.split(".", 1)[0] for of in fed})
    more = f" and {len(rest) - _SHOWN} more" if len(rest) > _SHOWN else ""
    return f"{', '.join([*known, *rest[:_SHOWN]])}{more} in {', '.join(marts)}"


def _fed_by(table: str, change: Change, downstream: Downstream) -> list[str]:
    columns = lake_columns_of(table, change.column)
    return sorted({kpi for c in columns for kpi in downstream.get(f"lake.{table}.{c}", ())})


def downstream_of(
    parents: Mapping[str, Mapping[str, Any]], published: Collection[str]
) -> Downstream:
    """By ``relation.column`` the published ``mart.column`` that it feeds, however many models on.

    Args:
        parents: model -> column -> its (relation, column) parents, as dbt's column lineage tells.
        published: the marts that readers see.
    """
    children: dict[str, set[str]] = {}
    for model, columns in parents.items():
        for column, above in columns.items():
            for relation, parent in above:
                # models are known by name, whatever schema they are built in
                source = relation if relation.startswith("lake.") else relation.split(".")[-1]
                children.setdefault(f"{source}.{parent}", set()).add(f"{model}.{column}")
    return {
        start: sorted(c for c in _reached(children, start) if c.split(".")[0] in published)
        for start in children
        if start.startswith("lake.")
    }


def _reached(children: Mapping[str, Iterable[str]], start: str) -> set[str]:
    seen: set[str] = set()
    open_ = [start]
    while open_:
        for child in children.get(open_.pop(), ()):
            if child not in seen:
                seen.add(child)
                open_.append(child)
    return seen
