"""Whom a request is about: the identifiers of a subject file; what stays out: where they are.

An identifier is whatever the data know a person by: GA4's ``user_pseudo_id``, a login
(``user_id``, the consent log's ``subject_id``), an e-mail address or a phone number with country
code as the contacts have it, or a pseudonym copied from a published table. No identifier is ever
part of a message, a log or a repr.
"""

from __future__ import annotations

import hashlib
import hmac
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mkt_assets.errors import InputError
from mkt_assets.privacy.match_keys import DESTINATIONS, EMAIL, PHONE, NoKeyError, match_key
from mkt_assets.privacy.pseudonyms import Key, KeyRing, canonical, is_pseudonym, pseudonym

#: a first line that names its column, as spreadsheets and consent platforms export it
_HEADERS: Final = frozenset(
    {"subject_id", "user_pseudo_id", "user_id", "user_key", "client_id", "email", "e-mail", "phone"}
)
#: GA4 keeps no longer identifier; a longer line is another kind of file
_LONGEST: Final = 256
_REQUEST_DIGITS: Final = 16
_REMEDY: Final = "Give one identifier a line, as plain text in UTF-8."


@dataclass(frozen=True)
class Subjects:
    """The canonical identifiers of a request, each once, in alphabetical order."""

    identifiers: tuple[str, ...] = field(repr=False)

    def __len__(self) -> int:
        """How many identifiers there are."""
        return len(self.identifiers)

    def pseudonyms(self, ring: KeyRing) -> dict[str, list[str]]:
        """Key id -> the pseudonyms of all identifiers under that key, for every live key."""
        return {key.id: [pseudonym(i, key) for i in self.identifiers] for key in ring.keys}

    @property
    def are_pseudonyms(self) -> bool:
        """Whether each was copied as it is stored, so that no key is needed to find it."""
        return all(map(is_pseudonym, self.identifiers))

    @property
    def contacts(self) -> tuple[str, ...]:
        """Those that look like an e-mail address or a number with a country code."""
        return tuple(i for i in self.identifiers if "@" in i or i.startswith("+"))

    def match_keys(self) -> set[str]:
        """The match keys of those identifiers that are e-mail addresses or numbers with a +."""
        keys = set()
        for kind, sign in ((EMAIL, "@"), (PHONE, "+")):
            for contact in (i for i in self.identifiers if sign in i):
                for rules in DESTINATIONS.values():
                    with suppress(NoKeyError):
                        keys.add(match_key(kind, contact, rules).value)
        return keys

    def request_id(self, key: Key) -> str:
        """The same subjects have the same id; keyed, since a plain hash could be guessed."""
        text = "".join(f"{len(i)}:{i}," for i in self.identifiers)
        digest = hmac.new(key.secret, f"erasure:{text}".encode(), hashlib.sha256).hexdigest()
        return f"er_{digest[:_REQUEST_DIGITS]}"


def read_subjects(path: Path) -> Subjects:
    """The identifiers of a file with one a line; blank lines and a header line are skipped.

    Raises:
        InputError: the file is missing, empty, no text, or has a line that is no identifier; the
            message names the row and never the value.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        fault = "no UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
    else:
        return Subjects(_identifiers(text, path))
    # outside of the handler: a decoding error quotes the bytes
    raise InputError(f"the subject file cannot be read: {fault}", file=path, remedy=_REMEDY)


def _identifiers(text: str, path: Path) -> tuple[str, ...]:
    lines = [line.strip().strip("\"'").strip() for line in text.splitlines()]
    found: set[str] = set()
    for row, line in enumerate(lines, start=1):
        if not line or (row == 1 and line.lower() in _HEADERS):
            continue
        if len(line) > _LONGEST or not line.isprintable() or "," in line or ";" in line:
            raise InputError("a line is not one identifier", file=path, row=row, remedy=_REMEDY)
        found.add(canonical(line))
    if not found:
        raise InputError("the subject file names nobody", file=path, remedy=_REMEDY)
    return tuple(sorted(found))
