r"""Personal data in text: the patterns, as SQL for many rows and as Python for few.

A text is searched as it came and in its plain spelling (``spelling``). The same patterns run under
RE2 (DuckDB) and under Python's ``re`` in ASCII mode: no look-around, and ``\s`` and ``\b`` mean
ASCII.

Limits, stated honestly: a pattern finds what has a form. It does not find the name of a person, a
street, an address spelled "jane at example dot com", or a random token shorter than 32 signs that
no known prefix announces; an identifier with no form of its own is found only in the rows of
the person it belongs to (see ``guard_events``). It errs on the side of redacting: a 13-digit
article number in a page title goes too, and the handle in "sneakers @shop.example".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from mkt_assets.privacy.spelling import RANDOM, RARE, plain, plain_sql

REDACTED: Final = "[redacted]"

#: between texts that are scanned as one, in SQL: no pattern reaches across it
BETWEEN: Final = "chr(31)"
#: stands for it inside a text; it too is a control sign that no pattern knows
INSTEAD: Final = "chr(30)"

_GAP = r"[ \t+.\-]"
_WIDE_GAP = r"[ \t().\-/]"
_WORD = "[^\\s\\x00-\\x1f@\uff20\ufe6b<>()\\[\\]{},;:\"'|/\\\\?&=#!*]"
_LETTER = "[A-Za-z\u00a1-\U0010ffff]"
_HEX = "[0-9A-Fa-f]"
# an underscore is part of a word, yet in names of campaigns it separates
# so does a percent-escape in an address: "%3B" has no word boundary behind it
_START = r"(?:\b|_|%[0-9A-Fa-f]{2})"

_EMAIL = (
    rf"{_WORD}+ ?@(?:{_WORD}+\.{_LETTER}{{2,}}|\[?(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}}\]?"
    rf"|\[IPv6:[0-9A-Fa-f:.]+\])|{_WORD}+@ {_WORD}+\.{_LETTER}{{2,}}"
    # in mail's own escapes; names of parameters have an underscore
    rf"|\b[A-Za-z0-9.+\-]+=40[A-Za-z0-9.\-]+\.{_LETTER}{{2,}}"
)
_ASSIGNED = (
    r"(?:gclid|gbraid|wbraid|dclid|gclsrc|srsltid|msclkid|fbclid|ttclid|_ga)=[^\s\x00-\x1f&#]+"
)
_JWT = _START + r"eyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]+)*"
#: how keys of well-known services begin: GitHub, Stripe, Slack, Google, AWS
_SECRET = (
    _START + r"(?:(?:gh[oprsu]_|github_pat_|[rs]k_(?:live|test)_|xox[abprs]-|ya29\.)"
    r"[A-Za-z0-9_\-]{16,}|AKIA[0-9A-Z]{16})"
)
#: how the ids of paid Google clicks begin
_CLICK_ID = _START + r"(?:CjwK|Cj0K|EAIaIQ)[A-Za-z0-9_\-]{12,}"
_UUID = rf"{_HEX}{{8}}[\-_]{_HEX}{{4}}[\-_]{_HEX}{{4}}[\-_]{_HEX}{{4}}[\-_]{_HEX}{{12}}"
_IBAN = (
    _START + r"[A-Za-z]{2}[0-9]{2}(?:[A-Za-z0-9]{0,6}[0-9]{8}[A-Za-z0-9]*"
    rf"|(?:{_GAP}[A-Z0-9]{{4}}){{2,7}}(?:{_GAP}[A-Z0-9]{{1,3}})?)"
)
_IPV6 = (
    rf"{_HEX}{{1,4}}(?::{_HEX}{{1,4}}){{7}}"
    # shortened: the first group has a digit in every range that is handed out, "Cafe::Bar" has none
    rf"|{_HEX}{{0,3}}[0-9]{_HEX}{{0,3}}:(?:{_HEX}{{1,4}}:){{0,5}}"
    rf":{_HEX}{{1,4}}(?::{_HEX}{{1,4}}){{0,5}}"
)
_IPV4 = r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}"
#: GA's own visitor id: random number, dot, first visit in seconds; other signs beside a likely time
_CLIENT_ID = r"[0-9]{5,} ?\. ?[0-9]{9,}|[0-9]{4,10} ?[._\-] ?1[4-9][0-9]{8}"
# + or 00, then 9 digits or more: fewer would take "+20210201" in campaign names
_PHONE_ABROAD = rf"(?:\+|{_START}00){_WIDE_GAP}?[1-9](?:{_WIDE_GAP}{{0,3}}[0-9]){{8,}}"
_PHONE_GROUPED = (
    rf"\([0-9]{{3}}\){_WIDE_GAP}?[0-9]{{3}}{_GAP}[0-9]{{4}}"
    rf"|[0-9]{{3}}{_GAP}[0-9]{{3}}{_GAP}[0-9]{{4}}"
    rf"|{_START}0[0-9]{{2,4}}{_WIDE_GAP}{{1,3}}[0-9]{{3,4}}{_GAP}?[0-9]{{3,5}}"
    # in pairs, as in France; with one hyphen, as in the Netherlands
    rf"|{_START}0[1-9](?:{_GAP}[0-9]{{2}}){{4}}|{_START}06-[0-9]{{8}}"
)
_PHONE_PLAIN = _START + r"0[1-9][0-9]{8,10}"
_CARD_GROUPED = (
    rf"[0-9]{{4}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{1,7}}"
    r"|[0-9]{4}_[0-9]{4}_[0-9]{4}_[0-9]{4}"
    # a path may have four numbers of four digits: years do not begin like cards
    r"|(?:[3-6][0-9]|2[2-7])[0-9]{2}/[0-9]{4}/[0-9]{4}/[0-9]{4}"
    # American Express, and Diners Club
    r"|3[47][0-9]{2}[ \t+.\-/_][0-9]{6}[ \t+.\-/_][0-9]{5}"
    r"|3[0689][0-9]{2}[ \t+.\-/_][0-9]{6}[ \t+.\-/_][0-9]{4}"
)
#: the prefixes of payment cards, so that order numbers that begin with a date stay
_CARD_PLAIN = r"(?:[3-6][0-9]|2[2-7])[0-9]{13,17}"
_LONG_NUMBER = r"[0-9]{13,}"
#: hashes; and random letters from 40 on, since camel-cased campaign names reach that
_LONG_RUN = rf"{_HEX}{{32,}}|[A-Za-z0-9]{{40,}}"

#: kind -> pattern for text that people read: addresses of pages, titles, names of campaigns
PROSE_PATTERNS: Final = {
    "email": _EMAIL,
    "click_id": f"{_ASSIGNED}|{_CLICK_ID}",
    "token": f"{_JWT}|{_SECRET}|{_UUID}|{_LONG_RUN}|{RANDOM}",
    "iban": _IBAN,
    "ip": f"{_IPV6}|{_IPV4}",
    "client_id": _CLIENT_ID,
    "phone": f"{_PHONE_ABROAD}|{_PHONE_GROUPED}|{_PHONE_PLAIN}",
    "card": f"{_CARD_GROUPED}|{_LONG_NUMBER}",
}

#: kind -> pattern for codes of goods and orders, where 13 digits are an article number (GTIN),
#: a leading 0 is no phone, and a UUID names a thing
CODE_PATTERNS: Final = {
    **PROSE_PATTERNS,
    "token": f"{_JWT}|{_SECRET}|{_LONG_RUN}|{RANDOM}",
    "phone": f"{_PHONE_ABROAD}|{_PHONE_GROUPED}",
    "card": f"{_CARD_GROUPED}|{_CARD_PLAIN}",
}


def _either(patterns: dict[str, str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns.values())


PROSE: Final = _either(PROSE_PATTERNS)
CODE: Final = _either(CODE_PATTERNS)

_COMPILED: Final = {pattern: re.compile(pattern, re.ASCII) for pattern in (PROSE, CODE)}
_KINDS: Final = {kind: re.compile(pattern, re.ASCII) for kind, pattern in PROSE_PATTERNS.items()}


def redact(
    text: str, pattern: str = PROSE, *, instead: Callable[[re.Match[str]], str] | None = None
) -> str:
    """``text`` with every find of ``PROSE`` (or ``CODE``) replaced by ``[redacted]``.

    A text with a find comes in its plain spelling; any other stays as it is.

    Args:
        text: one value.
        pattern: ``PROSE`` or ``CODE``.
        instead: what becomes of a find where that depends on it.
    """
    sought, mark = _COMPILED[pattern], instead or REDACTED
    if not (sought.search(text) or sought.search(plain(text))):
        return text
    return sought.sub(mark, plain(sought.sub(mark, text)))


def findings(text: str) -> list[str]:
    """The kinds of personal data found in ``text``; never the finds themselves."""
    spelled = plain(text)
    return [
        kind
        for kind, pattern in _KINDS.items()
        if pattern.search(text) or (spelled != text and pattern.search(spelled))
    ]


def has_personal_sql(expression: str, pattern: str = PROSE) -> str:
    """Whether a VARCHAR expression holds a find."""
    # most texts have neither a find nor an escape, and one pass tells
    return (
        f"case when not regexp_matches({expression}, {literal(f'{pattern}|{RARE}')}) then false "
        f"when regexp_matches({expression}, {literal(pattern)}) then true "
        f"else regexp_matches({plain_sql(expression)}, {literal(pattern)}) end"
    )


def redact_sql(expression: str, pattern: str = PROSE) -> str:
    """``redact`` over a VARCHAR expression."""
    clean = marked_sql(plain_sql(marked_sql(expression, pattern)), pattern)
    return f"case when {has_personal_sql(expression, pattern)} then {clean} else {expression} end"


def marked_sql(expression: str, pattern: str = PROSE) -> str:
    """A step of ``redact``: every find in this one spelling replaced by ``[redacted]``."""
    return f"regexp_replace({expression}, {literal(pattern)}, '{REDACTED}', 'g')"


def literal(pattern: str) -> str:
    """A pattern as an SQL string."""
    return "'" + pattern.replace("'", "''") + "'"
