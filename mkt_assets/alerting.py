"""Tells a web hook that a run failed; what stays out: who noticed (`schedules`), and the UI.

The text leaves the house: it names the run, the steps and the checks, and of errors only the words
that this platform wrote itself, without what looks personal. Foreign errors may quote values.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from mkt_assets.errors import MktError
from mkt_assets.failures import (
    failed_check,
    is_blocking,
    is_of_a_check,
    is_refusal,
    root_of,
    step_name,
    words_of,
)
from mkt_assets.redaction import redact_words

#: a sensor's tick may last a minute: three times this and the pauses fit
TIMEOUT_SECONDS: Final = 10.0
#: the pauses between attempts; what is not back after these is for a person
PAUSES_SECONDS: Final = (2.0, 5.0)
#: of the client's errors only these may be gone a little later: too slow, too many
_PASSING_REFUSALS: Final = (408, 429)
#: the first of an avalanche tell the cause
_MOST_FAILURES: Final = 20
_MOST_LETTERS: Final = 500

Alert = dict[str, Any]


def alert(run: Mapping[str, str], events: Iterable[Any]) -> Alert:
    """What is posted about a failed run: ``run`` as it is, and what failed in it.

    ``text`` is one line for people.
    """
    failures = [_short(told) for event in events if (told := _failure(event))]
    shown = list(dict.fromkeys(failures))[:_MOST_FAILURES]
    why = shown[0] if shown else "no step of it failed: see the run in the UI"
    more = f" (and {len(shown) - 1} more)" if len(shown) > 1 else ""
    text = f"{run['job']} failed: {why}{more}"
    return {"event": "run_failed", **run, "text": text, "failures": shown}


def _failure(event: Any) -> str | None:
    kind = event.event_type_value
    if kind == "ASSET_CHECK_EVALUATION":
        evaluation = event.asset_check_evaluation_data
        blocks = not evaluation.passed and is_blocking(evaluation)
        return f"blocking check {failed_check(evaluation)}" if blocks else None
    if kind == "STEP_FAILURE":
        return _error(f"step {step_name(event.step_key)}", event.event_specific_data.error)
    return _of_the_run(event) if kind == "PIPELINE_FAILURE" else None


def _of_the_run(event: Any) -> str | None:
    data = event.event_specific_data
    if data is None:
        return str(event.message)  # it was ended from outside, with these words
    failed_step = data.first_step_failure_event
    return None if failed_step or data.error is None else _error("the run", data.error)


def _error(what: str, error: Any) -> str | None:
    error = root_of(error)
    if is_of_a_check(error):
        return None
    if is_refusal(error):
        return f"{what}: {words_of(error)}"
    return f"{what}: {error.cls_name or 'an error'}, its words are in the run's log"


def _short(told: str) -> str:
    clean = redact_words(" ".join(told.split()))
    return clean if len(clean) <= _MOST_LETTERS else f"{clean[: _MOST_LETTERS - 1]}…"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would be repeated as a GET, and the alert be lost without a word."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def post(url: str, told: Alert, *, pause: Callable[[float], object] = time.sleep) -> None:
    """Post an alert as JSON; try again a little later what may then work.

    Raises:
        MktError: the hook did not take it. Only its host is named: the path may be a secret.
    """
    problem = ""
    for rest in (*PAUSES_SECONDS, None):
        problem, passes = _attempt(url, told)
        if not problem:
            return
        if not passes or rest is None:
            break
        pause(rest)
    raise MktError(
        f"the alert about run {told.get('run_id', '')} did not reach {urlsplit(url).hostname}: "
        f"{problem}. Look at MKT_ALERT_URL and at that service; the run is in the UI."
    )


def _attempt(url: str, told: Alert) -> tuple[str, bool]:
    """What went wrong, if anything, and whether that may pass."""
    request = urllib.request.Request(  # noqa: S310  the settings allow http and https only
        url,
        data=json.dumps(told, ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
    )
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        opener.open(request, timeout=TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}", error.code >= 500 or error.code in _PASSING_REFUSALS  # noqa: PLR2004
    except (OSError, http.client.HTTPException, ValueError) as error:
        # what the library says may hold the address
        reason = getattr(error, "reason", error)
        return f"{type(reason).__name__}", True
    return "", False
