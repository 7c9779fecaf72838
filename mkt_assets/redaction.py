"""What places, messages and errors may say where others read them: Dagster keeps every word.

The true names stay in the closed landing area. What stays out: the patterns (``privacy.pii``), and
values, which no message of ours holds in the first place.
"""

from __future__ import annotations

import errno
import os
import re
import traceback
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import quote, unquote

import duckdb
import pyarrow as pa

from mkt_assets.errors import MktError, PassingError
from mkt_assets.lake import Lake, replacing
from mkt_assets.privacy import pii

#: when an export was made, down to nanoseconds: a long number that names no card
_MOMENT: Final = re.compile(
    "(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    "(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9](?:[0-9]{3}){0,3})?"
)
#: where the last refusal stands in full
REFUSED: Final = "refused.txt"
#: these quote values, or names of files; what we raise ourselves names a file at most
_TALKATIVE: Final = (duckdb.Error, pa.ArrowException, OSError, ValueError)

#: what a network file system says while it is away; a full disk or a missing file stays so
_PASSING: Final = {
    errno.EAGAIN,
    errno.ECONNRESET,
    errno.EHOSTUNREACH,
    errno.EIO,
    errno.ENETUNREACH,
    errno.ESTALE,
    errno.ETIMEDOUT,
}

T = TypeVar("T")


def redact_words(text: str) -> str:
    """``text`` without what looks personal; a date and time of 12 digits or more stays."""
    return pii.redact(
        text, instead=lambda found: found[0] if _MOMENT.fullmatch(found[0]) else pii.REDACTED
    )


def redact_place(address: str) -> str:
    """An address or path without what looks personal, folder by folder.

    No identifier reaches across a ``/``, but dates such as ``/2025/01/01/`` would look like one.
    """
    plain = unquote(address)
    clean = _by_folder(plain)
    return _by_folder(address if clean == plain else quote(clean, safe="/:[]"))


def _by_folder(path: str) -> str:
    return "/".join(map(redact_words, path.split("/")))


def speakably(lake: Lake, work: Callable[[], T]) -> T:
    """Do ``work``; where it fails, say only what Dagster may keep.

    A refusal that names nobody passes unchanged. Of any other the whole text goes to the closed
    landing area, and the error says where. A function and no ``with``, since Python hangs the error
    of a body on whatever is raised at its end.

    Raises:
        MktError: the work was refused, or failed while it read a source.
        PassingError: it may succeed a little later.
    """
    try:
        return work()
    except (MktError, *_TALKATIVE) as error:
        said = str(error)
        told = redact_words(said)
        if isinstance(error, MktError) and told == said:
            raise
        passes = isinstance(error, OSError) and error.errno in _PASSING
        if not isinstance(error, MktError):
            told = f"the source could not be read ({_reason(error)}), details are withheld."
        where = _write_down(lake, traceback.format_exc())
    raise (PassingError if passes else MktError)(f"{told} {where}")


def _reason(error: Exception) -> str:
    """The kind of an error; of the system's the reason too, which names no file."""
    kind = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        return f"{kind}: {os.strerror(error.errno)}"
    return kind


def _write_down(lake: Lake, text: str) -> str:
    full = lake.landing / REFUSED
    try:
        with replacing(full, mode=0o600) as writing:
            writing.write_text(text, encoding="utf-8")
    except OSError as error:
        # a full disk: an error raised here would carry the one that it must not show
        return f"They could not be written down ({_reason(error)})."
    return f"Unredacted, for the owner of the folder: {full}"
