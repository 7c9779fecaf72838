"""Keyed pseudonyms: HMAC-SHA256 under a named key, the same in Python and in DuckDB.

The key reaches DuckDB as rows of a temporary table, never as SQL text; nothing here may be
EXPLAINed, profiled or logged, since DuckDB prints values. What stays out: ad-platform match keys,
which are plain hashes and another thing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from mkt_assets.errors import MktError
from mkt_assets.privacy.quiet import quietly

#: a shorter key than the hash's own output weakens HMAC (RFC 2104)
MIN_KEY_BYTES = 32
#: before a pseudonym that is hashed anew, since a hash by itself never is
UNLINKED = "unlinked:"
#: before a login that came as a hash: as it is, whoever has a list of addresses could undo it
HASHED = "hashed:"
_BLOCK_BYTES = 64
#: shorter than the hex of a least secret, so that id and secret cannot be swapped unnoticed
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_PSEUDONYM = re.compile(r"[0-9A-Fa-f]{64}")
#: what SQL canonicalises by itself: no Unicode forms, no white space but the space
_PLAIN = "[ -~]*"

_FORM = 'give a JSON object of key id to hex secret, {"k1": "<output of: openssl rand -hex 32>"}'


@dataclass(frozen=True)
class Key:
    """A secret with the public name under which it is recorded."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class KeyRing:
    """The live keys; the first is the active one."""

    keys: tuple[Key, ...]

    @property
    def active(self) -> Key:
        """The key that new pseudonyms are made with."""
        return self.keys[0]

    def key(self, key_id: str) -> Key:
        """The key that stored data was made with.

        Raises:
            MktError: it is not in the ring.
        """
        for key in self.keys:
            if key.id == key_id:
                return key
        raise MktError(
            f"stored data was made with the key id {key_id!r}, which is not among the keys "
            f"({', '.join(key.id for key in self.keys)}): "
            "add it to MKT_PII_KEYS after the active one"
        )

    @staticmethod
    def from_json(text: str) -> KeyRing:
        """Keys from a JSON object of key id to hex secret, the first one active.

        Raises:
            MktError: malformed, empty, repeated or too short; the message never shows the text.
        """
        pairs = _pairs(text)
        if not pairs:
            raise MktError(f"the pseudonym keys are not a JSON object of strings: {_FORM}")
        keys = tuple(_key(number, *pair) for number, pair in enumerate(pairs, start=1))
        if len({key.id for key in keys}) < len(keys):
            raise MktError("two pseudonym keys have the same id: give every key its own")
        if len({key.secret for key in keys}) < len(keys):
            raise MktError("two pseudonym keys have the same secret: a rotation needs a new one")
        return KeyRing(keys)


def _pairs(text: str) -> list[tuple[Any, Any]] | None:
    # json's own error holds the text, so it may be neither the cause nor the context of ours
    try:
        loaded = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    except ValueError:
        return None
    is_object = isinstance(loaded, list) and all(isinstance(pair, tuple) for pair in loaded)
    return loaded if is_object else None


def _key(number: int, key_id: Any, secret: Any) -> Key:
    # the id is not shown either: it may be the secret, swapped
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise MktError(f"the id of pseudonym key {number} must be 1 to 32 of A-Z a-z 0-9 . _ -")
    if not isinstance(secret, str) or not re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", secret):
        raise MktError(f"the secret of pseudonym key {number} is not hexadecimal: {_FORM}")
    if len(secret) < 2 * MIN_KEY_BYTES:
        raise MktError(
            f"the secret of pseudonym key {number} has {len(secret) // 2} bytes, needed are "
            f"{MIN_KEY_BYTES} or more: make one with 'openssl rand -hex 32'"
        )
    return Key(key_id, bytes.fromhex(secret))


def load_or_create(path: Path) -> KeyRing:
    """The keys of a key file that only its owner can read; made with one random key if missing.

    Raises:
        MktError: the file is open to others, or malformed.
    """
    if not path.exists():
        _create(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise MktError(
            f"the key file {path} has mode {mode:04o}, so others can read it: make new keys, "
            f"or if nobody else was on this machine run 'chmod 600 {path}'"
        )
    return KeyRing.from_json(path.read_text(encoding="utf-8"))


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    writing = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(writing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"k1": secrets.token_hex(MIN_KEY_BYTES)}, file)
            file.flush()
            os.fsync(file.fileno())
        # a link appears whole or not at all, and never replaces what another process made
        os.link(writing, path)
    except FileExistsError:
        return
    finally:
        writing.unlink()


def canonical(value: str) -> str:
    """One spelling of an identifier: NFKC, trimmed, lower case if it is like an e-mail address."""
    text = unicodedata.normalize("NFKC", value).strip()
    return unicodedata.normalize("NFKC", text.lower()).strip() if "@" in text else text


def is_pseudonym(value: str) -> bool:
    """Whether ``value`` already is a hash: 64 hexadecimal digits."""
    return _PSEUDONYM.fullmatch(value) is not None


def pseudonym(value: str, key: Key) -> str:
    """HMAC-SHA256 of the canonical ``value``, as 64 lower-case hexadecimal digits.

    What already is 64 hexadecimal digits is a hash and is not hashed again, so the function may
    be applied twice. It cannot tell a pseudonym of ours from an unkeyed hash made by someone else.
    """
    text = canonical(value)
    if is_pseudonym(text):
        return text.lower()
    return hmac.new(key.secret, text.encode(), hashlib.sha256).hexdigest()


def stand_in(value: str, key: Key) -> str:
    """What is stored of a login: its pseudonym, and of one that came as a hash a keyed one too."""
    name = pseudonym(value, key)
    return pseudonym(HASHED + name, key) if is_pseudonym(canonical(value)) else name


def key_blocks(key: Key) -> tuple[bytes, bytes]:
    """The two key-derived blocks of HMAC-SHA256: inner and outer (RFC 2104)."""
    long = len(key.secret) > _BLOCK_BYTES
    secret = hashlib.sha256(key.secret).digest() if long else key.secret
    padded = secret.ljust(_BLOCK_BYTES, b"\0")
    return bytes(b ^ 0x36 for b in padded), bytes(b ^ 0x5C for b in padded)


def hmac_sql(expression: str, inner: str = "inner_block", outer: str = "outer_block") -> str:
    """HMAC-SHA256 in hex of a VARCHAR expression; ``inner`` and ``outer`` name BLOB columns."""
    return f"sha256({outer} || unhex(sha256({inner} || encode({expression}))))"


def make_pseudonyms(
    con: duckdb.DuckDBPyConnection,
    *,
    identifiers: str,
    key: Key,
    table: str,
    values: Mapping[str, Any] | None = None,
) -> None:
    """Make the temporary table of the distinct identifiers.

    It has the columns ``raw, id, pseudonym, was_hash, stand_in``. Each identifier is hashed once,
    however many rows it has; spellings that mean the same share pseudonym and ``id``, a small
    number that is good only within this table. ``stand_in`` is what may be stored of a login.
    Blank ones are left out.

    Args:
        con: the connection.
        identifiers: a SELECT of one VARCHAR column named ``raw``; must hold no secret.
        key: the key to use.
        table: name of the table to make; the caller drops it.
        values: parameters of ``identifiers``.
    """
    quietly(
        con,
        f"create or replace temp table {table}_raw as "
        f"select distinct raw from ({identifiers}) where trim(raw) <> ''",
        values,
    )
    _canonicalise(con, table)
    quietly(con, "create or replace temp table pseudonym_key (inner_block blob, outer_block blob)")
    quietly(con, "insert into pseudonym_key values (?, ?)", key_blocks(key))
    quietly(
        con,
        f"""
        create or replace temp table {table} as
        select
            raw, dense_rank() over (order by pseudonym) as id, pseudonym, was_hash,
            coalesce(hashed_again, pseudonym) as stand_in
        from (
            select
                raw,
                was_hash,
                case when was_hash then lower(text) else {hmac_sql("text")} end as pseudonym,
                case when was_hash then {hmac_sql(f"'{HASHED}' || lower(text)")} end as hashed_again
            from (select raw, text, regexp_full_match(text, '[0-9A-Fa-f]{{64}}') as was_hash
                  from {table}_canonical where text <> ''), pseudonym_key
        )
        """,
    )
    for used in ("pseudonym_key", f"{table}_raw", f"{table}_canonical"):
        quietly(con, f"drop table {used}")


def _canonicalise(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """SQL does what is plain ASCII; DuckDB has no NFKC, so the few others go through Python."""
    quietly(
        con,
        f"create or replace temp table {table}_canonical as "
        "select raw, case when contains(raw, '@') then lower(trim(raw)) else trim(raw) end as text "
        f"from {table}_raw where regexp_full_match(raw, '{_PLAIN}')",
    )
    others = quietly(
        con, f"select raw from {table}_raw where not regexp_full_match(raw, '{_PLAIN}')"
    )
    raws = [raw for (raw,) in others]
    if raws:
        spelled = pa.table({"raw": raws, "text": [canonical(raw) for raw in raws]})
        con.register("pseudonym_spelled", spelled)
        quietly(con, f"insert into {table}_canonical select raw, text from pseudonym_spelled")
        con.unregister("pseudonym_spelled")
