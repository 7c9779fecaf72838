"""The DSP payload: what is asked of the ad platform, content-addressed and checked.

Money is a decimal string with two decimals ("1234.50"): JSON numbers pass through binary floats in
most readers, strings do not. No wall clock, no run id and no personal data: the same content is the
same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import cache
from importlib import resources
from typing import Any

import pandas as pd

from mkt_assets.activation.compliance import RULES_VERSION, check
from mkt_assets.activation.creative import EVERYONE, creative_id
from mkt_assets.errors import MktError
from mkt_assets.redaction import redact_words

SCHEMA_VERSION = "1.0.0"
#: what the key is not made from: itself
VOLATILE = frozenset({"idempotency_key"})

_CENT = Decimal("0.01")
#: floats are read to a ten-thousandth of a cent, where their binary dust is gone
_FINE = Decimal("0.000001")
_COPY = ("creative_id", "segment", "variant", "headline", "body", "cta", "compliance", "approval")
_WORDS = ("headline", "body", "cta")


def build(  # noqa: PLR0913  one argument for each part of the payload
    run_date: date | str,
    allocation: pd.DataFrame | None,
    creatives: pd.DataFrame | None,
    segment_sizes: pd.DataFrame | None,
    lineage_ids: Iterable[str],
    *,
    currency: str,
    policy_version: str,
    absent: Mapping[str, str],
) -> dict[str, Any]:
    """Put a valid payload together; the order of rows and of ids does not matter.

    Args:
        run_date: the day, ``YYYY-MM-DD`` where text.
        allocation: ``channel, current, proposed, lower, upper``; None where ads are absent.
        creatives: the creative library; only green rows for audiences that are listed are taken.
        segment_sizes: ``segment, eligible_users, suppressed``; None where there is no GA4.
            Suppressed
            audiences are left out.
        lineage_ids: the inputs that this came from.
        currency: ISO 4217.
        policy_version: the consent policy in force.
        absent: input to reason.

    Raises:
        MktError: the parts do not make a valid payload; the message lists why.
    """
    audiences = _audiences(segment_sizes)
    payload: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run_date": str(run_date),
        "currency": currency,
        "policy_version": policy_version,
        "rules_version": RULES_VERSION,
        "budget": _budget(allocation),
        "audiences": audiences,
        "creatives": _creatives(creatives, {a["segment"] for a in audiences} | {EVERYONE}),
        "lineage_ids": sorted({str(lineage) for lineage in lineage_ids}),
        "absent": [{"input": name, "why": why} for name, why in sorted(absent.items())],
    }
    payload["idempotency_key"] = idempotency_key(payload)
    validate(payload)
    return payload


def idempotency_key(payload: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of the content, in hex."""
    content = {name: value for name, value in payload.items() if name not in VOLATILE}
    return hashlib.sha256(_canonical(content)).hexdigest()


def write_bytes(payload: Mapping[str, Any]) -> bytes:
    """The canonical file: sorted keys, UTF-8, two spaces, one newline at the end."""
    text = json.dumps(payload, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=2)
    return (text + "\n").encode()


def validate(payload: Mapping[str, Any]) -> None:
    """Raise unless ``payload`` keeps the schema and every rule.

    Raises:
        MktError: one line per problem, each with the path of what is wrong.
    """
    found = problems(payload)
    if found:
        raise MktError("the DSP payload is not valid: " + "; ".join(found))


def problems(payload: Mapping[str, Any]) -> list[str]:
    """What is wrong with ``payload``, with paths; the rules are asked once the schema holds.

    What is personal in a value that is quoted is redacted.
    """
    broken = _schema_problems(payload) or [
        *_budget_problems(payload),
        *_audience_problems(payload),
        *_creative_problems(payload),
        *_identity_problems(payload),
    ]
    return [redact_words(problem) for problem in broken]


@cache
def schema() -> dict[str, Any]:
    """The committed JSON Schema, draft 2020-12."""
    text = resources.files(__package__).joinpath("payload.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(
        content, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def _budget(allocation: pd.DataFrame | None) -> dict[str, Any] | None:
    """The budget in whole cents that add up to the total, the sum of the proposals.

    Each line is its proposal rounded down or up (largest remainders up), and guardrails are stated
    rounded outward, less than a cent: so a line within its guardrails stays within them.
    """
    if allocation is None or allocation.empty:
        return None
    lines = allocation.sort_values("channel", kind="stable")
    exact = [_fine(value) for value in lines["proposed"]]
    total = sum(exact, Decimal(0)).quantize(_CENT, ROUND_HALF_UP)
    rounded = [value.quantize(_CENT, ROUND_FLOOR) for value in exact]
    missing = int((total - sum(rounded, Decimal(0))) / _CENT)
    by_remainder = sorted(range(len(exact)), key=lambda i: (rounded[i] - exact[i], i))
    for i in by_remainder[:missing]:
        rounded[i] += _CENT
    return {
        "period": "day",
        "total": str(total),
        "lines": [
            {
                "channel": str(channel),
                "current": str(_fine(current).quantize(_CENT, ROUND_HALF_UP)),
                "proposed": str(proposed),
                "lower": str(_fine(lower).quantize(_CENT, ROUND_FLOOR)),
                "upper": str(_fine(upper).quantize(_CENT, ROUND_CEILING)),
            }
            for channel, current, proposed, lower, upper in zip(
                lines["channel"],
                lines["current"],
                rounded,
                lines["lower"],
                lines["upper"],
                strict=True,
            )
        ],
    }


def _fine(value: object) -> Decimal:
    number = Decimal(str(value))
    if not number.is_finite():
        raise MktError(f"a budget line is {number}: allocate again, every amount must be a number")
    return number.quantize(_FINE, ROUND_HALF_UP)


def _audiences(sizes: pd.DataFrame | None) -> list[dict[str, Any]]:
    if sizes is None or sizes.empty:
        return []
    shown = sizes[~sizes["suppressed"].astype(bool)].sort_values("segment", kind="stable")
    return [
        {"segment": str(segment), "eligible_users": int(users)}
        for segment, users in zip(shown["segment"], shown["eligible_users"], strict=True)
    ]


def _creatives(creatives: pd.DataFrame | None, audiences: set[str]) -> list[dict[str, Any]]:
    if creatives is None or creatives.empty:
        return []
    green = creatives[(creatives["compliance"] == "green") & creatives["segment"].isin(audiences)]
    ordered = green.sort_values(["segment", "variant", "creative_id"], kind="stable")
    return [
        {name: str(value) for name, value in zip(_COPY, row, strict=True)}
        for row in ordered[list(_COPY)].itertuples(index=False)
    ]


def _schema_problems(payload: Mapping[str, Any]) -> list[str]:
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(schema()).iter_errors(dict(payload))
    return sorted(f"{error.json_path}: {error.message[:200]}" for error in errors)


def _budget_problems(payload: Mapping[str, Any]) -> list[str]:
    budget = payload["budget"]
    if budget is None:
        told = {entry["input"] for entry in payload["absent"]}
        return [] if "ads" in told else ["$.budget: there is none, and $.absent does not say why"]
    found = []
    amounts = [Decimal(line["proposed"]) for line in budget["lines"]]
    if sum(amounts, Decimal(0)) != Decimal(budget["total"]):
        found.append(f"$.budget.lines: they sum to {sum(amounts)}, the total is {budget['total']}")
    for i, line in enumerate(budget["lines"]):
        if not Decimal(line["lower"]) <= Decimal(line["proposed"]) <= Decimal(line["upper"]):
            found.append(
                f"$.budget.lines[{i}]: {line['proposed']} for {line['channel']} is outside "
                f"{line['lower']} to {line['upper']}"
            )
    return found + _order_problems("$.budget.lines", [line["channel"] for line in budget["lines"]])


def _audience_problems(payload: Mapping[str, Any]) -> list[str]:
    return _order_problems("$.audiences", [entry["segment"] for entry in payload["audiences"]])


def _creative_problems(payload: Mapping[str, Any]) -> list[str]:
    """Copy is held against the rules again: a label can lie, the words cannot."""
    known = {entry["segment"] for entry in payload["audiences"]} | {EVERYONE}
    found = []
    for i, creative in enumerate(payload["creatives"]):
        path, words = f"$.creatives[{i}]", [creative[name] for name in _WORDS]
        if creative["segment"] not in known:
            found.append(
                f"{path}.segment: {creative['segment']} is not an audience of this payload"
            )
        if creative_id(creative["segment"], creative["variant"], words) != creative["creative_id"]:
            found.append(f"{path}.creative_id: these are not the words that it stands for")
        verdict = check(*words)
        if verdict.status != "green":
            found.append(f"{path}: the copy is {verdict.status}: {', '.join(verdict.reasons)}")
    keys = [f"{c['segment']}\x1f{c['variant']}" for c in payload["creatives"]]
    return found + _order_problems("$.creatives", keys)


def _identity_problems(payload: Mapping[str, Any]) -> list[str]:
    found = _order_problems("$.lineage_ids", payload["lineage_ids"])
    try:
        date.fromisoformat(payload["run_date"])
    except ValueError:
        found.append(f"$.run_date: {payload['run_date']} is no day")
    if idempotency_key(payload) != payload["idempotency_key"]:
        found.append("$.idempotency_key: it is not the key of this content: something was changed")
    return found


def _order_problems(path: str, keys: list[str]) -> list[str]:
    return [] if keys == sorted(set(keys)) else [f"{path}: not sorted, or something occurs twice"]
