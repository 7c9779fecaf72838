"""What went wrong in a run, in words for people; what stays out: who is told, and how.

Reads Dagster's events as they come and imports nothing of it.
"""

from __future__ import annotations

from typing import Any, Final

from mkt_assets.errors import InputError, MktError, PassingError

#: how Dagster begins the message of an error that is ours: those are written for people
_REFUSALS: Final = tuple(
    f"{kind.__module__}.{kind.__qualname__}: " for kind in (MktError, InputError, PassingError)
)


def is_refusal(error: Any) -> bool:
    """Whether an error, as Dagster keeps it, is one of ours."""
    return bool(error.message.startswith(_REFUSALS))


def root_of(error: Any) -> Any:
    """The refusal that an error came from, else what it first came from.

    What a refusal was raised from says less than the refusal.
    """
    while error.cause is not None and not is_refusal(error):
        error = error.cause
    return error


def words_of(error: Any) -> str:
    """The message; a refusal speaks for itself, the class of any other tells what bug it is."""
    words: str = error.message.strip()
    for known in _REFUSALS:
        words = words.removeprefix(known)
    return words


def step_name(step: str) -> str:
    """A step as its asset is called."""
    return step.replace("__", "/")


def failed_check(evaluation: Any) -> str:
    """The check that did not pass, with its own words."""
    name = f"{evaluation.asset_key.to_user_string()}: {evaluation.check_name}"
    return f"{name}: {evaluation.description or 'failed'}"


def is_blocking(evaluation: Any) -> bool:
    """Whether publishing waits for this check."""
    return bool(evaluation.severity.value == "ERROR")


def is_of_a_check(error: Any) -> bool:
    """Whether a step failed only since one of its checks did; the check itself says why."""
    return bool(error.cls_name == "DagsterAssetCheckFailedError")
