"""A file of contacts to the raw contacts table; what stays out: consent, spelling and hashing.

A row is a subject with an e-mail address, a phone number, or both, as they were given. What cannot
be used is set aside with its text in the closed landing area; no message quotes a cell.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from mkt_assets.errors import InputError
from mkt_assets.ingest import headers, staging
from mkt_assets.ingest.staging import FAULT, RAW, ROW, quoted
from mkt_assets.lake import replacing, sql_text

#: canonical column -> accepted spellings, compared without case, spaces and punctuation
SPELLINGS: dict[str, tuple[str, ...]] = {
    "subject_id": ("subject_id", "user_pseudo_id", "client_id"),
    "email": ("email", "e_mail", "email_address", "e_mail_address", "mail"),
    "phone": ("phone", "phone_number", "telephone", "mobile", "mobile_phone", "mobile_number"),
}
_CANONICAL = {headers.key(one): name for name, all_ in SPELLINGS.items() for one in all_}
_STAGING_PREFIX = ".writing-"


@dataclass(frozen=True)
class ContactsLanded:
    """What became of a file's rows: ``rows_in == rows_out + sum(quarantined)``."""

    rows_in: int
    rows_out: int
    quarantined: dict[str, int] = field(default_factory=dict)


def read_contacts(
    con: duckdb.DuckDBPyConnection, path: Path, out: Path, quarantine: Path, *, source: str
) -> ContactsLanded:
    """Land a file of contacts.

    Args:
        con: a DuckDB connection.
        path: CSV or NDJSON, plain or gzipped, or Parquet, with the columns of ``SPELLINGS``; one of
            e-mail and phone may be missing.
        out: where the raw Parquet goes: ``subject_id, email, phone, source_file, source_row``.
        quarantine: where rows set aside go with their text, if there are any.
        source: the file's address, kept on every row.

    Raises:
        InputError: the file cannot be read, lacks a column, or has two for one meaning.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_STAGING_PREFIX, dir=out.parent) as folder:
        rows = staging.open_rows(con, path, Path(folder))
        relation = _judged(_cells(con, rows, path), source)
        counted = staging.ask(con, f"select reason, count(*) from {relation} group by 1", path)
        reasons = {str(why): n for why, n in sorted(counted, key=str) if why is not None}
        kept = sum(n for why, n in counted if why is None)
        names = "subject_id, email, phone, source_file, source_row"
        _copy(con, f"select {names} from {relation} where reason is null", out, path)
        if reasons:
            names = "source_file, source_row, reason, raw"
            _copy(con, f"select {names} from {relation} where reason is not null", quarantine, path)
    return ContactsLanded(kept + sum(reasons.values()), kept, reasons)


def _cells(con: duckdb.DuckDBPyConnection, rows: staging.Rows, path: Path) -> str:
    """The needed cells as text, whatever the format."""
    if rows.kind == "ndjson":
        return _json_cells(con, rows, path)
    own = _mapped(rows.types, path)
    chosen = ", ".join(
        f"{f'{quoted(own[name])}::varchar' if name in own else 'null::varchar'} as {name}"
        for name in SPELLINGS
    )
    return f"(select {chosen}, {ROW}, {RAW}, {FAULT} from {rows.relation})"


def _json_cells(con: duckdb.DuckDBPyConnection, rows: staging.Rows, path: Path) -> str:
    parsed = f"case when {FAULT} is null and json_valid({RAW}) then {RAW} end"
    found = staging.ask(
        con, f"select distinct unnest(json_keys({parsed})) from {rows.relation}", path
    )
    own = _mapped(sorted(str(key) for (key,) in found), path)

    def cell(name: str) -> str:
        if name not in own:
            return f"null::varchar as {name}"
        # a JSON pointer: "/" and "~" in it are escaped
        pointer = own[name].replace("~", "~0").replace("/", "~1")
        return f"json_extract_string({parsed}, '/{sql_text(pointer)}') as {name}"

    chosen = ", ".join(cell(name) for name in SPELLINGS)
    fault = f"coalesce({FAULT}, case when not json_valid({RAW}) then 'malformed' end)"
    return f"(select {chosen}, {ROW}, {RAW}, {fault} as {FAULT} from {rows.relation})"


def _mapped(found: Iterable[str], path: Path) -> dict[str, str]:
    """Canonical column -> the file's own name for it; headers found are never quoted.

    A file without a header line shows its first contact where the headers are.
    """
    own: dict[str, str] = {}
    for header in found:
        name = _CANONICAL.get(headers.key(header))
        if name in own:
            raise InputError(
                f"two columns mean {name!r}",
                file=path,
                column=name,
                remedy=f"Keep one of them. These names mean it: {', '.join(SPELLINGS[name])}.",
            )
        if name is not None:
            own[name] = header
    missing = None if "subject_id" in own else "subject_id"
    if missing is None and not own.keys() & {"email", "phone"}:
        missing = "email"
    if missing:
        raise InputError(
            f"this is not a file of contacts: there is no {missing!r} column",
            file=path,
            column=missing,
            remedy="Give a header line with subject_id (the consent log's), and email or phone.",
        )
    return own


def _judged(cells: str, source: str) -> str:
    return f"""(
        select
            *,
            case
                when {FAULT} is not null then {FAULT}
                when subject_id is null then 'missing_subject'
                when email is null and phone is null then 'no_contact'
            end as reason
        from (
            select
                nullif(trim(subject_id), '') as subject_id, nullif(trim(email), '') as email,
                nullif(trim(phone), '') as phone, '{sql_text(source)}' as source_file,
                {ROW} as source_row, {RAW} as raw, {FAULT}
            from {cells}
        )
    )"""


def _copy(con: duckdb.DuckDBPyConnection, query: str, target: Path, path: Path) -> None:
    with replacing(target, mode=0o600) as writing:
        copy = f"copy ({query}) to '{sql_text(writing)}' (format parquet, compression zstd)"
        staging.ask(con, copy, path)
