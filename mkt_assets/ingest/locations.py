"""Where inputs lie: a path or file:// URI with {date} and globs, to files.

What stays out: reading them.
"""

from __future__ import annotations

import glob
import hashlib
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mkt_assets.errors import InputError

_DATE = "{date}"
#: what {date} stands for while no day is asked: eight digits
_ANY_DATE = "[0-9]" * 8
_GLOB = re.compile(r"[*?\[]")
#: two letters or more, so that a Windows drive is no scheme
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")


@dataclass(frozen=True)
class SourceObject:
    """One input file as it was read: its address, size and content hash."""

    uri: str
    bytes: int
    sha256: str


def is_dated(template: str) -> bool:
    """Whether each day has files of its own."""
    return _DATE in template


def resolve(template: str, day: date | None) -> list[Path]:
    """The files that ``template`` names, in the order of their names.

    Args:
        template: a path or ``file://`` URI; may contain ``{date}`` (YYYYMMDD) and ``*``, ``?``,
            ``[...]``, ``**``.
        day: the day that ``{date}`` stands for; ``None`` means every day.

    Raises:
        InputError: no such file; the message names the place and what to do.
    """
    place = _local(template)
    unknown = re.findall(r"\{[^}]*\}", place.replace(_DATE, ""))
    if unknown:
        raise InputError(
            f"the location has an unknown placeholder {unknown[0]}",
            file=template,
            remedy="Only {date} (YYYYMMDD) is known.",
        )
    pattern = place.replace(_DATE, _ANY_DATE if day is None else f"{day:%Y%m%d}")
    literal = Path(pattern)
    if literal.is_file():
        return [literal.absolute()]
    if literal.is_dir():
        raise InputError(
            "this is a folder, not a file", file=pattern, remedy="Add a pattern such as /*.parquet."
        )
    # Path.glob takes no absolute pattern
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207
    matches = sorted(Path(match).absolute() for match in found)
    files = [path for path in matches if path.is_file()]
    if not files:
        raise _missing(pattern, day if is_dated(template) else None)
    return files


def describe(path: Path) -> SourceObject:
    """The address, size and SHA-256 of a file; it is read in pieces, never whole."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        size = stream.tell()
    return SourceObject(path.absolute().as_uri(), size, digest)


def path_of(uri: str) -> Path | None:
    """The file that ``describe`` gave this address; None for what is no file of this machine."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" and not parts.netloc else None


def _local(template: str) -> str:
    scheme = _SCHEME.match(template)
    if scheme is None:
        return str(Path(template).expanduser())
    parts = urlsplit(template)
    if scheme.group(1).lower() != "file" or parts.netloc not in ("", "localhost"):
        raise InputError(
            f"{scheme.group(1)}:// locations are not read",
            file=f"{scheme.group(0)}{parts.hostname or ''}",
            remedy="Copy the files to this machine and give their path.",
        )
    # a '?' is a wildcard here, not the start of a query
    return unquote(template[len("file://") + len(parts.netloc) :])


def _missing(pattern: str, day: date | None) -> InputError:
    is_glob = _GLOB.search(pattern) is not None
    problem = "no file matches this pattern" if is_glob else "there is no such file"
    of_day = f" for {day}" if day else ""
    remedy = (
        "Check that the extract of that day has arrived, or ask for a day that has one."
        if day
        else "Check the spelling, and that this user may read the folder."
    )
    return InputError(problem + of_day, file=pattern, remedy=remedy)
