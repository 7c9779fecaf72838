"""A consent log to the raw consent table; what stays out: which consent holds when (privacy).

Accepted words for a signal: granted/denied, yes/no, true/false, in any case. A blank signal (or
``unset``) is one that the entry says nothing about: it lands as NULL, so what an earlier entry said
stays, and where none did it is not granted. Any other word is set aside
(``unknown_signal``). While such a row is set aside, an earlier grant of that person stays in force,
so a privacy check must block on rows that this module sets aside.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from mkt_assets.errors import InputError
from mkt_assets.ingest import headers, staging
from mkt_assets.ingest.ga4_rows import is_time
from mkt_assets.ingest.staging import FAULT, RAW, ROW, quoted
from mkt_assets.lake import replacing, sql_text

SIGNALS = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
_SUBJECT = ("subject_id", "user_pseudo_id")
_GRANTED, _DENIED = ("granted", "yes", "true"), ("denied", "no", "false")
#: neither granted nor denied nor blank; such a row is set aside
_UNKNOWN = "unknown"
_STAGING_PREFIX = ".writing-"


@dataclass(frozen=True)
class ConsentLanded:
    """What became of a log's rows: ``rows_in == rows_out + sum(quarantined)``."""

    rows_in: int
    rows_out: int
    quarantined: dict[str, int] = field(default_factory=dict)
    quarantine_path: Path | None = None
    notes: tuple[str, ...] = ()


def read_consent_log(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    out: Path,
    quarantine: Path | None = None,
    *,
    source: str | None = None,
) -> ConsentLanded:
    """Land a consent log.

    Args:
        con: a DuckDB connection; times without an offset are UTC.
        path: CSV or NDJSON, plain or gzipped, or Parquet, with ``subject_id`` (or
            ``user_pseudo_id``), ``changed_at`` (ISO, or microseconds since 1970) and the four
            signals.
        out: where the raw consent Parquet goes.
        quarantine: where rows set aside go with their text; beside ``out`` by default.
        source: what the rows call their file; by default its path.

    Raises:
        InputError: the file cannot be read or lacks a column.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = quarantine or out.with_name(f"{out.stem}-quarantine.parquet")
    with tempfile.TemporaryDirectory(prefix=_STAGING_PREFIX, dir=out.parent) as folder:
        rows = staging.open_rows(con, path, Path(folder))
        relation = _typed(_cells(con, rows, path), source or str(path))
        counted = staging.ask(con, f"select reason, count(*) from {relation} group by 1", path)
        reasons = {str(why): n for why, n in sorted(counted, key=str) if why is not None}
        kept = sum(n for why, n in counted if why is None)
        [(blank,)] = staging.ask(
            con, f"select count(*) from {relation} where has_blank and reason is null", path
        )
        names = f"subject_id, changed_at, {', '.join(SIGNALS)}, source_file"
        _copy(con, f"select {names} from {relation} where reason is null", out, path)
        if reasons:
            fields = "source_file, source_row, reason, raw"
            _copy(con, f"select {fields} from {relation} where reason is not null", aside, path)
    return ConsentLanded(
        kept + sum(reasons.values()),
        kept,
        reasons,
        aside if reasons else None,
        _notes(blank, sum(reasons.values())),
    )


def _notes(blank: int, aside: int) -> tuple[str, ...]:
    notes = ["yes and true count as granted, no and false as denied"]
    if blank:
        notes.append(
            f"{blank} rows leave a signal blank: what was said before stays; unset is not granted"
        )
    if aside:
        notes.append(
            f"{aside} changes of consent could not be read: earlier grants of these people stay in "
            "force until the log is corrected"
        )
    return tuple(notes)


def _cells(con: duckdb.DuckDBPyConnection, rows: staging.Rows, path: Path) -> str:
    """The needed cells as text, whatever the format."""
    wanted = [*SIGNALS, "changed_at"]
    if rows.kind == "ndjson":
        return _json_cells(con, rows, path)
    subject = next((own for name in _SUBJECT if (own := rows.column(name))), None)
    missing = [name for name in wanted if rows.column(name) is None]
    _require(subject, missing, list(rows.types), path)
    columns = {"subject_id": subject, **{name: rows.column(name) for name in wanted}}
    chosen = ", ".join(f"{quoted(str(own))}::varchar as {name}" for name, own in columns.items())
    return f"(select {chosen}, {ROW}, {RAW}, {FAULT} from {rows.relation})"


def _json_cells(con: duckdb.DuckDBPyConnection, rows: staging.Rows, path: Path) -> str:
    parsed = f"case when {FAULT} is null and json_valid({RAW}) then {RAW} end"
    keys = staging.ask(
        con, f"select distinct unnest(json_keys({parsed})) from {rows.relation}", path
    )
    there = {str(key) for (key,) in keys}
    subject = next((name for name in _SUBJECT if name in there), None)
    missing = [name for name in (*SIGNALS, "changed_at") if name not in there]
    _require(subject, missing, sorted(there), path)
    chosen = ", ".join(
        f"json_extract_string({parsed}, '$.{own}') as {name}"
        for name, own in {
            "subject_id": subject,
            **{name: name for name in (*SIGNALS, "changed_at")},
        }.items()
    )
    fault = f"coalesce({FAULT}, case when not json_valid({RAW}) then 'malformed' end)"
    return f"(select {chosen}, {ROW}, {RAW}, {fault} as {FAULT} from {rows.relation})"


def _require(subject: str | None, missing: list[str], found: list[str], path: Path) -> None:
    missing = missing if subject else ["subject_id", *missing]
    if missing:
        raise InputError(
            f"this is not a consent log: there is no {', '.join(missing)}; columns found: "
            f"{headers.listed(found)}",
            file=path,
            column=missing[0],
            remedy="Give subject_id (or user_pseudo_id), changed_at and the four signals "
            f"{', '.join(SIGNALS)}; leave a signal that was not asked blank.",
        )


def _typed(cells: str, source: str) -> str:
    micros = "try_cast(changed_at as bigint)"
    time = (
        f"case when {micros} is not null then make_timestamptz({micros}) "
        "else try_cast(changed_at as timestamptz) end"
    )
    signals = ", ".join(f"{_signal(name)} as {name}" for name in SIGNALS)
    blank = " or ".join(_is_blank(name) for name in SIGNALS)
    unknown = " or ".join(f"coalesce({name} = '{_UNKNOWN}', false)" for name in SIGNALS)
    return f"""(
        select
            subject_id, changed_at, {", ".join(SIGNALS)}, has_blank,
            '{sql_text(source)}' as source_file, {ROW} as source_row, {RAW} as raw,
            case
                when {FAULT} is not null then {FAULT}
                when subject_id is null then 'missing_subject'
                when not coalesce({is_time("epoch_us(changed_at)")}, false) then 'bad_time'
                when {unknown} then 'unknown_signal'
            end as reason
        from (
            select
                nullif(trim(subject_id), '') as subject_id, {time} as changed_at, {signals},
                ({blank}) as has_blank, {ROW}, {RAW}, {FAULT}
            from {cells}
        )
    )"""


def _is_blank(name: str) -> str:
    return f"coalesce(lower(trim({name})), '') in ('', 'unset')"


def _signal(name: str) -> str:
    word = f"lower(trim({name}))"
    granted, denied = (", ".join(f"'{w}'" for w in words) for words in (_GRANTED, _DENIED))
    return (
        f"case when {word} in ({granted}) then 'granted' "
        f"when {word} in ({denied}) then 'denied' when {_is_blank(name)} then null "
        f"else '{_UNKNOWN}' end"
    )


def _copy(con: duckdb.DuckDBPyConnection, query: str, target: Path, path: Path) -> None:
    with replacing(target, mode=0o600) as writing:
        copy = f"copy ({query}) to '{sql_text(writing)}' (format parquet, compression zstd)"
        staging.ask(con, copy, path)
