"""May this copy run as it is? A machine finds reasons by a table of rules, a person approves.

Green found nothing, amber needs a person who can show that the claim is true, red must be
rewritten. The rules read English and look at words, not at meaning: green is not legal advice, and
never an approval.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from mkt_assets.privacy.pii import redact

Status = Literal["green", "amber", "red"]

#: goes up with any change of the rules; it travels in the payload beside each verdict
RULES_VERSION = "1.0.0"
HEADLINE_LIMIT = 30
BODY_LIMIT = 90
CTA_LIMIT = 20

_SEVERITY: dict[Status, int] = {"green": 0, "amber": 1, "red": 2}


@dataclass(frozen=True)
class Copy:
    """One creative's words, with invisible characters gone and look-alike forms made one."""

    headline: str
    body: str
    cta: str

    @property
    def whole(self) -> str:
        """Everything that is read, in reading order."""
        return f"{self.headline} | {self.body} | {self.cta}"


@dataclass(frozen=True)
class Rule:
    """``found`` returns what broke the rule as quoted text, or None."""

    id: str
    severity: Literal["amber", "red"]
    reason: str
    found: Callable[[Copy], str | None]


@dataclass(frozen=True)
class Verdict:
    """The worst severity found, and every reason as ``id: reason (what was found)``."""

    status: Status
    reasons: tuple[str, ...]


def _says(*patterns: str, case: bool = False) -> Callable[[Copy], str | None]:
    """Finds the first of ``patterns`` in the copy; case counts only where ``case``."""
    compiled = re.compile("|".join(patterns), 0 if case else re.IGNORECASE)

    def found(copy: Copy) -> str | None:
        hit = compiled.search(copy.whole)
        return hit.group(0).strip() if hit else None

    return found


def _longer(part: str, limit: int) -> Callable[[Copy], str | None]:
    def found(copy: Copy) -> str | None:
        length = len(getattr(copy, part))
        return f"{length} characters" if length > limit else None

    return found


def _empty(copy: Copy) -> str | None:
    missing = [part for part in ("headline", "body", "cta") if not getattr(copy, part).strip()]
    return ", ".join(missing) or None


def _price_without_terms(copy: Copy) -> str | None:
    hit = _PRICE.search(copy.whole)
    return hit.group(0).strip() if hit and not _TERMS.search(copy.whole) else None


_SIGN, _CODE = "[$€£¥₹]", "(?:USD|EUR|GBP|CHF|JPY|SEK)"
_MONEY = rf"(?:{_SIGN}\s?\d|\d\s?{_SIGN}|\b{_CODE}\s?\d|\d\s?{_CODE}\b)"
_PRICE = re.compile(
    rf"{_MONEY}[\d.,]*|\d+\s?(?:%|percent)\s?(?:off|discount|saving)|\bhalf price\b",
    re.IGNORECASE,
)
_TERMS = re.compile(
    r"\b(?:terms|conditions) apply\b|\bT&Cs?\b|\b(?:incl|excl)\.? (?:VAT|tax)",
    re.IGNORECASE,
)

#: what Article 9 GDPR and ad platforms' personalization policies call sensitive
_TRAITS = (
    r"single|divorced|widowed|lonely|gay|lesbian|bisexual|transgender|pregnant|infertile|"
    r"overweight|obese|depressed|anxious|diabetic|disabled|ill|sick|addicted|bankrupt|in debt|"
    r"broke|unemployed|jobless|muslim|christian|jewish|hindu|buddhist|atheist|black|white|asian|"
    r"hispanic|an immigrant|conservative|liberal|over (?:40|50|60)"
)
_TROUBLES = (
    r"debts?|illness|disease|depression|anxiety|diabetes|disability|addiction|divorce|bankruptcy|"
    r"pregnancy|infertility|obesity|criminal record|religion|ethnicity|sexuality"
)

RULES: tuple[Rule, ...] = (
    Rule("EMPTY", "red", "a part of the copy is missing", _empty),
    Rule(
        "LENGTH-HEADLINE",
        "red",
        f"the headline is longer than {HEADLINE_LIMIT}",
        _longer("headline", HEADLINE_LIMIT),
    ),
    Rule(
        "LENGTH-BODY", "red", f"the body is longer than {BODY_LIMIT}", _longer("body", BODY_LIMIT)
    ),
    Rule(
        "LENGTH-CTA",
        "red",
        f"the call to action is longer than {CTA_LIMIT}",
        _longer("cta", CTA_LIMIT),
    ),
    Rule(
        "PLACEHOLDER",
        "red",
        "a template was not filled in",
        _says(r"[{}<>]", r"\[\w+\]", r"\bTODO\b", r"lorem ipsum"),
    ),
    Rule(
        "ABSOLUTE",
        "red",
        "nothing can promise this without exception",
        _says(
            r"\bguarante\w*",
            r"\brisk[- ]?free\b",
            r"\b100\s?%",
            r"\balways works\b",
            r"\bnever fails\b",
            r"\bno risk\b",
            r"\bmiracle\b",
        ),
    ),
    Rule(
        "HEALTH",
        "red",
        "a health claim needs approval and evidence",
        _says(
            r"\bcur(?:e|es|ed|ing)\b",
            r"\bheals?\b",
            r"\btreats? (?:your|any|all)\b",
            r"\blose (?:weight|\d+)",
            r"\bclinically\b",
            r"\bdetox\b",
            r"\banti-?ag(?:e|ing)\b",
            r"\bimmun\w+",
        ),
    ),
    Rule(
        "FINANCE-PROMISE",
        "red",
        "a promise of money or credit",
        _says(
            r"\bget rich\b",
            r"\bdouble your money\b",
            r"\bno credit check",
            r"\b(?:instant|easy) (?:loan|credit|approval)s?\b",
            r"\bpassive income\b",
            r"\bearn \W?\d",
        ),
    ),
    Rule(
        "PERSONAL",
        "red",
        "it tells or asks the reader a sensitive thing about themselves",
        _says(
            rf"\b(?:you(?:'re| are)|are you)(?: \w+){{0,2}} (?:{_TRAITS})\b",
            rf"\b(?:your|you have|you suffer from)(?: \w+){{0,2}} (?:{_TROUBLES})\b",
        ),
    ),
    Rule(
        "SUPERLATIVE",
        "amber",
        "a superlative must be proven",
        _says(
            r"#\s?1\b",
            r"\b(?:no|number)\.? ?(?:1|one)\b",
            r"\b(?:best|cheapest|fastest|greatest|finest|lowest|safest)\b",
            r"\bunbeatable\b",
            r"\bperfect\b",
            r"\bleading\b",
            r"\bunrivall?ed\b",
            r"\bworld[- ]class\b",
        ),
    ),
    Rule(
        "FINANCE",
        "amber",
        "credit and investment need their legal notices",
        _says(
            r"\bloans?\b",
            r"\bmortgages?\b",
            r"\binvest(?:ing|ment|ments)?\b",
            r"\binterest rates?\b",
            r"\bAPR\b",
            r"\bcrypto\w*",
            r"\binsurance\b",
        ),
    ),
    Rule(
        "GREEN-CLAIM",
        "amber",
        "an environmental claim must be proven",
        _says(
            r"\beco[- ]?friendly\b",
            r"\b(?:climate|carbon)[- ]?(?:neutral|positive)\b",
            r"\bsustainabl[ey]\b",
            r"\bbiodegradable\b",
            r"\bgreen(?:er|est)\b",
            r"\bnet[- ]?zero\b",
        ),
    ),
    Rule("PRICE-TERMS", "amber", "a price or discount without its terms", _price_without_terms),
    Rule(
        "FREE",
        "amber",
        "what is free, and under which conditions, must be true and near",
        _says(r"(?<!-)\bfree\b"),
    ),
    Rule(
        "URGENCY",
        "amber",
        "urgency must be true",
        _says(
            r"\bhurry\b",
            r"\blast chance\b",
            r"\bonly today\b",
            r"\btoday only\b",
            r"\blimited (?:time|stock|offer)\b",
            r"\bends (?:soon|tonight|today)\b",
            r"\balmost gone\b",
            r"\bact now\b",
            r"\bdon'?t miss\b",
        ),
    ),
    Rule(
        "CAPITALS",
        "amber",
        "capitals shout",
        _says(
            r"\b[A-Z]{5,}\b", r"\b[A-Z]{2,}(?:\s+[A-Z]{2,})+\b", r"\bFREE\b", r"\bSALE\b", case=True
        ),
    ),
    Rule(
        "PUNCTUATION",
        "amber",
        "repeated punctuation",
        _says(r"[!?]{2,}", r"\.{4,}", r"!.*!", r"[$€£*]{2,}"),
    ),
    Rule(
        "CONTACT",
        "amber",
        "an address, link or number belongs in its own field",
        _says(r"\S+@\S+\.\w+", r"https?://", r"\bwww\.", r"\+?\d[\d ()/-]{7,}\d"),
    ),
)


def check(headline: str, body: str, cta: str, rules: Sequence[Rule] = RULES) -> Verdict:
    """Hold copy against ``rules``; reasons come in the order of the rules.

    Full-width letters, curly quotes and invisible characters are made plain first, so that they
    cannot hide a word; lengths are those of the plain text.
    """
    copy = Copy(*(_plain(text) for text in (headline, body, cta)))
    status: Status = "green"
    reasons = []
    for rule in rules:
        found = rule.found(copy)
        if found is None:
            continue
        reasons.append(f"{rule.id}: {rule.reason} ({redact(found)[:40]})")
        if _SEVERITY[rule.severity] > _SEVERITY[status]:
            status = rule.severity
    return Verdict(status, tuple(reasons))


def _plain(text: str) -> str:
    straight = unicodedata.normalize("NFKC", text).replace("\u2019", "'").replace("\u2018", "'")
    return "".join(c for c in straight if unicodedata.category(c) not in ("Cf", "Cc"))
