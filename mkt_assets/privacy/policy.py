"""What consent is needed for what, written down and versioned; what stays out: applying it.

The four Consent Mode v2 signals stay four typed columns from event to payload, never one flag.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from mkt_assets.errors import MktError

#: the Consent Mode v2 signals, in the order of the lake's columns
SIGNALS = ("analytics_storage", "ad_storage", "ad_user_data", "ad_personalization")
#: what Consent Mode v2 added for it: a person's data may be sent, and used to pick ads
ADVERTISING = ("ad_user_data", "ad_personalization")
GRANTED, DENIED, UNSET = "granted", "denied", "unset"

#: reasons for which the policy drops a row
CONSENT_DENIED, CONSENT_UNSET = "consent_denied", "consent_unset"

UnsetMeans = Literal["not_granted", "granted"]

UPSTREAM = "upstream:"
_BASES = ("privacy_info", "consent_log", "privacy_info+consent_log")

_FIRST = "1"
# no dot: four numbers with dots are an IP address to every scan
_VERSION = re.compile(r"[A-Za-z0-9_-]{1,32}")
#: hex digits of the rules' hash in a stamp: tells rules apart, proves no identity
_STAMP_DIGITS = 8


@dataclass(frozen=True)
class Policy:
    """One version of the rules; version "1" is fixed, other rules need a version of their own.

    Attributes:
        version: the name that people give these rules.
        analysis_needs: signals that must not be refused at the time of the event for it to be kept.
        activation_needs: signals that must be granted at the time of use for advertising.
        unset_means: what an unset signal counts as for analysis; advertising always needs a grant.
    """

    version: str
    analysis_needs: tuple[str, ...] = ("analytics_storage",)
    activation_needs: tuple[str, ...] = ("ad_user_data", "ad_personalization")
    unset_means: UnsetMeans = "not_granted"

    def __post_init__(self) -> None:
        unknown = sorted({*self.analysis_needs, *self.activation_needs} - set(SIGNALS))
        if unknown or not self.analysis_needs or not self.activation_needs:
            raise MktError(
                f"a policy needs signals out of {', '.join(SIGNALS)}"
                + (f"; unknown: {', '.join(unknown)}" if unknown else "")
            )
        missing = [need for need in ADVERTISING if need not in self.activation_needs]
        if missing:
            raise MktError(
                f"advertising always needs {' and '.join(ADVERTISING)}; a policy may ask for more, "
                f"not for less: add {', '.join(missing)} to MKT_ACTIVATION_NEEDS"
            )
        if not _VERSION.fullmatch(self.version):
            raise MktError("the version of a policy must be 1 to 32 of A-Z a-z 0-9 _ -")
        if self.unset_means not in get_args(UnsetMeans):
            raise MktError(f"unset means one of {', '.join(get_args(UnsetMeans))}")
        if self.version == _FIRST and self._rules != _FIRST_RULES:
            raise MktError(
                'these rules differ from policy version "1", which is fixed: give them a version '
                "of their own, such as MKT_POLICY_VERSION=2"
            )

    @property
    def _rules(self) -> tuple[tuple[str, ...], tuple[str, ...], str]:
        """What the policy asks for, however the signals were listed."""
        return (_ordered(self.analysis_needs), _ordered(self.activation_needs), self.unset_means)

    @property
    def stamp(self) -> str:
        """What the ledger, every ``lineage_id`` and the payload carry.

        It changes with the rules, not only with the name that people gave them.
        """
        if self.version == _FIRST:
            return _FIRST
        digest = hashlib.sha256(json.dumps(self._rules).encode()).hexdigest()
        return f"{self.version}-{digest[:_STAMP_DIGITS]}"

    def refusal(self, signals: Mapping[str, str]) -> str | None:
        """Why an event with these signals may not be analysed; None where it may."""
        states = [signals.get(need, UNSET) for need in self.analysis_needs]
        if DENIED in states:
            return CONSENT_DENIED
        if self.unset_means == GRANTED or all(state == GRANTED for state in states):
            return None
        return CONSENT_UNSET

    def allows_activation(self, signals: Mapping[str, str]) -> bool:
        """Whether a person with these signals, now, may be part of advertising."""
        return all(signals.get(need) == GRANTED for need in self.activation_needs)

    def refusal_sql(self) -> str:
        """``refusal`` over the columns named like the signals."""
        denied = " or ".join(f"{need} = '{DENIED}'" for need in self.analysis_needs)
        unset = " or ".join(f"{need} is distinct from '{GRANTED}'" for need in self.analysis_needs)
        if self.unset_means == GRANTED:
            unset = "false"
        return f"case when {denied} then '{CONSENT_DENIED}' when {unset} then '{CONSENT_UNSET}' end"

    def statement(self) -> str:
        """The policy in words, for documents and the ledger's reader."""
        needs = " and ".join(_ordered(self.analysis_needs))
        if self.unset_means == GRANTED:
            kept = (
                f"unless {' or '.join(_ordered(self.analysis_needs))} was denied when it happened; "
                "for analysis, a signal that was never set counts as granted"
            )
        else:
            kept = f"only if {needs} was granted when it happened"
        return (
            f"Policy {self.stamp}. An event is kept for analysis {kept}. A person is used "
            f"for advertising only if {' and '.join(_ordered(self.activation_needs))} are granted "
            "at the time of use; for advertising, a signal that was never set is never granted. "
            "Where the event's own privacy_info and the consent log's latest entry at that time "
            "disagree, a denial in either wins; a grant in one is enough where the other says "
            "nothing. Events without an identifier (cookieless) are only counted by day and event "
            "name."
        )


def _ordered(needs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(signal for signal in SIGNALS if signal in needs)


_FIRST_RULES = (("analytics_storage",), ("ad_user_data", "ad_personalization"), "not_granted")
POLICY_V1 = Policy(version=_FIRST)


def combined(event: str, log: str) -> str:
    """One signal from the event's own word and the consent log's: a denial in either wins."""
    return DENIED if DENIED in (event, log) else GRANTED if GRANTED in (event, log) else UNSET


def combined_sql(event: str, log: str) -> str:
    """``combined`` over two SQL expressions; NULL counts as unset."""
    return (
        f"case when {event} = '{DENIED}' or {log} = '{DENIED}' then '{DENIED}' "
        f"when {event} = '{GRANTED}' or {log} = '{GRANTED}' then '{GRANTED}' else '{UNSET}' end"
    )


def privacy_info_sql(expression: str) -> str:
    """A ``privacy_info`` word (Yes, No, Unset) as a signal; NULL where the word is unknown."""
    word = f"lower(trim({expression}))"
    return (
        f"case when {expression} is null then '{UNSET}' "
        f"when {word} in ('yes', '{GRANTED}') then '{GRANTED}' "
        f"when {word} in ('no', '{DENIED}') then '{DENIED}' "
        f"when {word} in ('unset', '') then '{UNSET}' end"
    )


def is_upstream(consent_basis: str, *, has_log: bool) -> bool:
    """Whether consent is vouched for by a statement instead of by the data.

    Raises:
        MktError: the basis is unknown, or does not fit whether there is a consent log.
    """
    if consent_basis.startswith(UPSTREAM):
        if not consent_basis.removeprefix(UPSTREAM).strip():
            raise MktError("the consent basis 'upstream:' must state who collected consent and how")
        return True
    if consent_basis not in _BASES:
        raise MktError(
            f"unknown consent basis: use one of {', '.join(_BASES)} or '{UPSTREAM} <statement>'"
        )
    if ("consent_log" in consent_basis) != has_log:
        raise MktError(
            f"the consent basis {consent_basis!r} does not fit: "
            f"{'a consent log was' if has_log else 'no consent log was'} given"
        )
    return False
