"""What consent is needed for what, written down and versioned; what stays out: applying it.

The four Consent Mode v2 signals stay four typed columns from event to payload, never one flag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mkt_assets.errors import MktError

#: the Consent Mode v2 signals, in the order of the lake's columns
SIGNALS = ("analytics_storage", "ad_storage", "ad_user_data", "ad_personalization")
GRANTED, DENIED, UNSET = "granted", "denied", "unset"

#: reasons for which the policy drops a row
CONSENT_DENIED, CONSENT_UNSET = "consent_denied", "consent_unset"

UPSTREAM = "upstream:"
_BASES = ("privacy_info", "consent_log", "privacy_info+consent_log")


@dataclass(frozen=True)
class Policy:
    """One version of the rules; a change of any field needs a new ``version``.

    Attributes:
        version: stamped into the ledger and part of every ``lineage_id``.
        analysis_needs: signals that must be granted at the time of the event for it to be kept.
        activation_needs: signals that must be granted at the time of use for advertising.
    """

    version: str
    analysis_needs: tuple[str, ...] = ("analytics_storage",)
    activation_needs: tuple[str, ...] = ("ad_user_data", "ad_personalization")

    def __post_init__(self) -> None:
        unknown = sorted({*self.analysis_needs, *self.activation_needs} - set(SIGNALS))
        if unknown or not self.version or not self.analysis_needs or not self.activation_needs:
            raise MktError(
                f"a policy needs a version and signals out of {', '.join(SIGNALS)}"
                + (f"; unknown: {', '.join(unknown)}" if unknown else "")
            )

    def refusal(self, signals: Mapping[str, str]) -> str | None:
        """Why an event with these signals may not be analysed; None where it may."""
        states = [signals.get(need, UNSET) for need in self.analysis_needs]
        if DENIED in states:
            return CONSENT_DENIED
        return None if all(state == GRANTED for state in states) else CONSENT_UNSET

    def allows_activation(self, signals: Mapping[str, str]) -> bool:
        """Whether a person with these signals, now, may be part of advertising."""
        return all(signals.get(need) == GRANTED for need in self.activation_needs)

    def refusal_sql(self) -> str:
        """``refusal`` over the columns named like the signals."""
        denied = " or ".join(f"{need} = '{DENIED}'" for need in self.analysis_needs)
        unset = " or ".join(f"{need} is distinct from '{GRANTED}'" for need in self.analysis_needs)
        return f"case when {denied} then '{CONSENT_DENIED}' when {unset} then '{CONSENT_UNSET}' end"

    def statement(self) -> str:
        """The policy in words, for documents and the ledger's reader."""
        return (
            f"Policy {self.version}. An event is kept for analysis only if "
            f"{' and '.join(self.analysis_needs)} was granted when it happened. A person is used "
            f"for advertising only if {' and '.join(self.activation_needs)} are granted at the "
            "time of use. A signal that was never set is not granted. Where the event's own "
            "privacy_info and the consent log's latest entry at that time disagree, a denial in "
            "either wins; a grant in one is enough where the other says nothing. Events without "
            "an identifier (cookieless) are only counted by day and event name."
        )


POLICY_V1 = Policy(version="1")


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
