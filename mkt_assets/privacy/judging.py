"""Whether what a pattern found is personal data: a well-kept library has the last word.

Patterns err on the side of redacting. A check that stops the night's run may not, so a find counts
here only if it can be what it looks like: a card has a card's prefix and check digit (Luhn), an
IBAN its own check digits, an address is one to ``ipaddress`` and stands alone, a phone number with
a country code has a length of that country. E-mail addresses, client ids, click ids, tokens and
hashes count by their form, and so does a phone number without country code: some country always
has it. What stays out: where the texts come from.

Limits: a mistyped card or IBAN is none. What begins right behind ``[redacted]`` is the rest of
what was redacted there, and does not count.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import unquote

from mkt_assets.privacy import pii
from mkt_assets.privacy.spelling import plain

#: a value that is not what its contract says
WRONG_FORM: Final = "not of its form"
#: the networks that issue cards begin so (ISO/IEC 7812): 3 to 6, and Mastercard's 22 to 27
_CARD: Final = re.compile("(?:[3-6][0-9]|2[2-7])[0-9]{12,17}")
#: the shortest and the longest IBAN there are
_IBAN_LENGTHS: Final = range(15, 35)
_FULL_IPV6_COLONS: Final = 7
_PART_OF_A_WORD: Final = re.compile("[0-9A-Za-z:]")


@dataclass(frozen=True, order=True)
class Finding:
    """Personal data in one place: where, of what kind, in how many values; never a value."""

    place: str
    column: str
    kind: str
    count: int

    def as_line(self) -> str:
        """For people."""
        return f"{self.place}, {self.column}: {self.kind} in {self.count:,} values"


def kinds(text: str, patterns: Mapping[str, str] = pii.PROSE_PATTERNS) -> list[str]:
    """The kinds of personal data in ``text``; never the finds themselves.

    Args:
        text: one value.
        patterns: ``pii.PROSE_PATTERNS``, or ``pii.CODE_PATTERNS`` for codes of goods and orders.
    """
    spellings = {text, plain(text)}
    return [
        kind
        for kind, pattern in patterns.items()
        if any(_is_there(spelled, kind, pattern) for spelled in spellings)
    ]


def _is_there(text: str, kind: str, pattern: str) -> bool:
    confirm = _CONFIRM.get(kind)
    for match in _compiled(pattern).finditer(text):
        if text.endswith(pii.REDACTED, 0, match.start()):
            continue
        if confirm is None or confirm(match):
            return True
    return False


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


def _is_card(match: re.Match[str]) -> bool:
    from stdnum import luhn

    digits = re.sub("[^0-9]", "", unquote(match[0]))
    return _CARD.fullmatch(digits) is not None and bool(luhn.is_valid(digits))


def _is_iban(match: re.Match[str]) -> bool:
    from stdnum import iban

    compact = re.sub("[^0-9A-Z]", "", unquote(match[0]).upper())
    # the pattern may have taken letters that follow
    return any(
        iban.is_valid(compact[:length], check_country=False)
        for length in _IBAN_LENGTHS
        if length <= len(compact)
    )


def _is_address(match: re.Match[str]) -> bool:
    address = unquote(match[0])
    around = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    if address.count(":") < _FULL_IPV6_COLONS and any(map(_PART_OF_A_WORD.match, around)):
        return False  # a number of a version, or a cast in SQL
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (known.is_loopback or known.is_unspecified)


def _is_phone(match: re.Match[str]) -> bool:
    import phonenumbers

    number = unquote(match[0]).lstrip("_")
    has_country = number.startswith(("+", "00"))
    if not has_country:
        return True
    try:
        parsed = phonenumbers.parse("+" + number.removeprefix("00").lstrip("+"))
    except phonenumbers.NumberParseException:
        return False
    # an order number may begin with zeros, hardly with a plus
    strict = number.isdigit()
    test = phonenumbers.is_valid_number if strict else phonenumbers.is_possible_number
    return bool(test(parsed))


_CONFIRM: Final[Mapping[str, Callable[[re.Match[str]], bool]]] = {
    "card": _is_card,
    "iban": _is_iban,
    "ip": _is_address,
    "phone": _is_phone,
}
