"""Ad-platform match keys: plain SHA-256 of a contact as each destination spells it.

Not pseudonyms: nothing is keyed, so whoever has an address can make its key. What stays out: who
may have one (guard_contacts) and where they lie (vault).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mkt_assets.privacy.pseudonyms import canonical, is_pseudonym

EMAIL, PHONE = "email", "phone"
KINDS: Final = (EMAIL, PHONE)

#: why a contact gives no key
NO_AT, TWO_ATS, NO_LOCAL_PART = "email_without_at", "email_with_two_ats", "email_without_local_part"
BAD_DOMAIN, BAD_SIGN, TOO_LONG = "email_domain", "email_with_space_or_control", "email_too_long"
NO_PHONE, NO_COUNTRY = "not_a_phone_number", "phone_without_country_code"
IMPOSSIBLE_PHONE, EXTENSION = "impossible_phone_number", "phone_with_extension"

#: RFC 5321: 256 octets for a path, of which two are angle brackets
_LONGEST_EMAIL = 254
#: longer texts are no number, whatever digits they hold; libphonenumber's own limit
_LONGEST_PHONE = 250
_GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})
_DOMAIN = re.compile(r"[^\s.@]+(?:\.[^\s.@]+)+")


class NoKeyError(ValueError):
    """A contact that gives no key; ``reason`` says why and never quotes the contact."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Rules:
    """How one destination spells contacts before they are hashed.

    Attributes:
        version: stored beside every key; a change of any rule needs a new one.
        source: where the destination publishes its rules.
        drops_inner_space: white space inside an e-mail address is removed, else it is refused.
        folds_gmail: for Gmail's domains, dots and the +suffix of the local part are removed.
        phone_prefix: what stands before the country code.
    """

    destination: str
    version: str
    source: str
    drops_inner_space: bool
    folds_gmail: bool
    phone_prefix: str


#: Google's documents disagree (one drops dots and suffixes of every domain); this is the guide of
#: its newest API, which is the one with examples
GOOGLE_ADS: Final = Rules(
    destination="google_ads",
    version="google_ads-1",
    source="https://developers.google.com/data-manager/api/devguides/concepts/formatting",
    drops_inner_space=True,
    folds_gmail=True,
    phone_prefix="+",
)
META: Final = Rules(
    destination="meta",
    version="meta-1",
    source=(
        "https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/"
        "customer-information-parameters"
    ),
    drops_inner_space=False,
    folds_gmail=False,
    phone_prefix="",
)
DESTINATIONS: Final = {rules.destination: rules for rules in (GOOGLE_ADS, META)}


@dataclass(frozen=True)
class MatchKey:
    """A key, and whether it came as a hash already."""

    value: str
    was_hash: bool = False


def match_key(kind: str, contact: str, rules: Rules, region: str | None = None) -> MatchKey:
    """SHA-256 in hex of a contact as the destination spells it.

    What already is 64 hexadecimal digits is a hash and is only lower-cased; nobody can tell by
    which rules it was made.

    Args:
        kind: ``email`` or ``phone``.
        contact: as it was given.
        rules: the destination's.
        region: ISO 3166 code of the country of phone numbers that name none.

    Raises:
        NoKeyError: the contact is not usable.
    """
    given = contact.strip()
    if is_pseudonym(given):
        return MatchKey(given.lower(), was_hash=True)
    spelled = email(given, rules) if kind == EMAIL else phone(given, rules, region)
    return MatchKey(hashlib.sha256(spelled.encode()).hexdigest())


def email(contact: str, rules: Rules) -> str:
    """An e-mail address as the destination spells it; applying it twice changes nothing.

    Raises:
        NoKeyError: it is none.
    """
    # removing a sign may bring two others together that Unicode spells as one
    return _settled(lambda text: _email_once(text, rules), contact)


def _settled(step: Callable[[str], str], text: str) -> str:
    while (after := step(text)) != text:
        text = after
    return text


def _email_once(contact: str, rules: Rules) -> str:
    text = canonical(contact)
    if rules.drops_inner_space:
        text = "".join(text.split())
    if "@" not in text:
        raise NoKeyError(NO_AT)
    local, _, domain = text.partition("@")
    if "@" in domain:
        raise NoKeyError(TWO_ATS)
    if rules.folds_gmail and domain in _GMAIL:
        local = local.partition("+")[0].replace(".", "")
    _refuse_odd(local, domain)
    return f"{local}@{domain}"


def _refuse_odd(local: str, domain: str) -> None:
    if not local:
        raise NoKeyError(NO_LOCAL_PART)
    if not _DOMAIN.fullmatch(domain):
        raise NoKeyError(BAD_DOMAIN)
    if any(sign.isspace() or unicodedata.category(sign)[0] == "C" for sign in local + domain):
        raise NoKeyError(BAD_SIGN)
    if len(f"{local}@{domain}".encode()) > _LONGEST_EMAIL:
        raise NoKeyError(TOO_LONG)


def phone(contact: str, rules: Rules, region: str | None = None) -> str:
    """A phone number as the destination spells it: E.164, with or without its plus sign.

    Raises:
        NoKeyError: it is none, or names no country and there is no ``region``.
    """
    return rules.phone_prefix + e164(contact, region).removeprefix("+")


def e164(contact: str, region: str | None = None) -> str:
    """A phone number in E.164; whether it is connected is not asked, only whether it could be.

    Numbers that were handed out since the library's tables were made pass too: it is asked for
    possible, not for valid. An extension belongs to a switchboard, not to a person.

    Raises:
        NoKeyError: as ``phone``.
    """
    import phonenumbers
    from phonenumbers import NumberParseException, ValidationResult

    if len(contact) > _LONGEST_PHONE:
        raise NoKeyError(NO_PHONE)
    try:
        number = phonenumbers.parse(contact, region)
    except NumberParseException as error:
        # the error quotes the number, so it may be neither cause nor context of ours
        fault = error.error_type
    else:
        if number.extension:
            raise NoKeyError(EXTENSION)
        if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
            raise NoKeyError(IMPOSSIBLE_PHONE)
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if fault == NumberParseException.NOT_A_NUMBER:
        raise NoKeyError(NO_PHONE)
    is_national = region is None and not unicodedata.normalize("NFKC", contact).startswith("+")
    unknown_country = fault == NumberParseException.INVALID_COUNTRY_CODE
    raise NoKeyError(NO_COUNTRY if unknown_country and is_national else IMPOSSIBLE_PHONE)
