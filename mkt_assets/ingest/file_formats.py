"""What kind of file an input is, told from its content; what stays out: what the rows mean.

Names lie (an export without a suffix, a CSV called .txt), so the first bytes decide.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, cast

from mkt_assets.errors import InputError

Format = Literal["parquet", "ndjson", "csv"]

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
#: files that people give by mistake: first bytes -> what it is and what to do
_REFUSED = {
    b"PK\x03\x04": ("an Excel workbook or a zip archive", "Save the sheet as CSV, or unzip it."),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "Save the sheet as CSV."),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "Decompress it, or use gzip."),
    b"%PDF": ("a PDF", "Export the report as CSV."),
}
#: enough to see past blank lines to the first character that counts
_HEAD = 4096
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def recognise(path: Path) -> Format:
    """Parquet, NDJSON or CSV, whatever the file is called.

    Raises:
        InputError: the file is missing, empty, or of a kind that is not read.
    """
    if not path.is_file():
        raise InputError("there is no such file", file=path, remedy="Check the path.")
    with open_bytes(path) as stream:
        head = stream.read(_HEAD)
    zipped = is_gzip(path)
    if head.startswith(_PARQUET) and not zipped:
        return "parquet"
    _refuse(path, head, zipped)
    first = head.decode(encoding_of(head), errors="replace").lstrip()[:1]
    if not first:
        raise InputError(
            "the file is empty", file=path, remedy="Export it again; nothing was read."
        )
    if first == "[":
        raise InputError(
            "the file is one JSON array",
            file=path,
            remedy="Write one JSON object a line (newline-delimited JSON).",
        )
    return "ndjson" if first == "{" else "csv"


def _refuse(path: Path, head: bytes, zipped: bool) -> None:
    if head.startswith(_PARQUET) and zipped:
        raise InputError("a gzipped Parquet file is not read", file=path, remedy="Gunzip it first.")
    if path.suffix == ".parquet":
        problem = "this is not a Parquet file" if head else "the file is empty"
        raise InputError(problem, file=path, remedy="Export it again.")
    for magic, (what, remedy) in _REFUSED.items():
        if head.startswith(magic):
            raise InputError(f"the file is {what}", file=path, remedy=remedy)
    if b"\x00" in head and encoding_of(head) != "utf-16":
        raise InputError(
            "the file is binary, or UTF-16 without a byte order mark",
            file=path,
            remedy="Save it as UTF-8 text.",
        )


def is_gzip(path: Path) -> bool:
    """Whether the file is gzipped, told from its first bytes."""
    with path.open("rb") as stream:
        return stream.read(2) == _GZIP


def encoding_of(head: bytes) -> str:
    """The encoding that a byte order mark states; UTF-8 without one."""
    return next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The content, gunzipped where needed.

    Raises:
        InputError: the gzip is truncated or damaged, however far the reader has come.
    """
    try:
        with gzip.open(path) if is_gzip(path) else path.open("rb") as stream:
            yield cast("BinaryIO", stream)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            "the gzip file is truncated or damaged",
            file=path,
            remedy="Transfer it again; nothing of it was used.",
        ) from error


@contextmanager
def open_text(path: Path) -> Iterator[io.TextIOWrapper]:
    """The decoded content with its line ends as they are.

    A byte that is not UTF-8 becomes a lone surrogate, so that only its row is lost, not the file.

    Raises:
        InputError: as ``open_bytes``; or UTF-16 that breaks off.
    """
    with open_bytes(path) as stream:
        encoding = encoding_of(stream.read(4))
        stream.seek(0)
        errors = "strict" if encoding == "utf-16" else "surrogateescape"
        try:
            yield io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline="")
        except UnicodeError as error:
            raise InputError(
                "the UTF-16 text is damaged", file=path, remedy="Save it as UTF-8."
            ) from error
