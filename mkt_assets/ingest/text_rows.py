"""Delimited and newline-delimited JSON text to records, one faulty line at a time.

Every line of the file ends in exactly one record, good or with a fault: nothing is skipped but
blank lines. What stays out: what the fields mean.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from mkt_assets.errors import InputError
from mkt_assets.ingest.file_formats import open_text

_DELIMITERS = ",;\t|"
#: a quoted field that spans more lines than this is a stray quote, not a field
_MOST_LINES = 100


@dataclass(frozen=True, slots=True)
class Record:
    """One data row: ``fields`` where it could be read, else the reason in ``fault``.

    ``row`` counts from 1; ``raw`` is the text as it stands in the file.
    """

    row: int
    raw: str
    fields: list[str] | None
    fault: str | None = None


class _TooLongError(Exception):
    """A quoted field that seems never to end."""


class _Lines:
    """Lines of a text, remembering those that the record at hand has taken."""

    def __init__(self, stream: TextIOWrapper) -> None:
        self._stream = stream
        self._pending: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= _MOST_LINES:
            raise _TooLongError
        line = self._pending.popleft() if self._pending else next(self._stream)
        self.taken.append(line)
        return line

    def start(self) -> None:
        """A new record begins."""
        self.taken = []

    def give_back(self) -> str:
        """Return all lines of this record but the first, to be read again; gives the first."""
        self._pending.extendleft(reversed(self.taken[1:]))
        self.taken = self.taken[:1]
        return self.taken[0]


def csv_header(path: Path) -> list[str]:
    """The header fields of a delimited text, trimmed.

    Raises:
        InputError: there is no header line, or it is not UTF-8.
    """
    with open_text(path) as stream:
        return _start(path, stream)[1]


def csv_records(path: Path) -> Iterator[Record]:
    """The data rows of a delimited text; the delimiter is the header's.

    Faults: ``malformed`` (quotes), ``ragged_row`` (more or fewer fields than the header),
    ``encoding_error`` (not UTF-8). After a stray quote reading goes on at the next line.

    Raises:
        InputError: no header, or a damaged file.
    """
    with open_text(path) as stream:
        delimiter, header = _start(path, stream)
        lines, row = _Lines(stream), 0
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            lines.start()
            try:
                fields, fault = next(reader), None
            except StopIteration:
                return
            except (csv.Error, _TooLongError):
                fields, fault = None, "malformed"
            if fields is not None and not any(fields):
                continue
            if fields is not None and len(fields) != len(header):
                fields, fault = None, "ragged_row"
            raw = lines.give_back() if fields is None else "".join(lines.taken)
            row += 1
            yield _checked(row, raw.rstrip("\r\n"), fields, fault)


def json_lines(path: Path) -> Iterator[Record]:
    """The lines of newline-delimited JSON, not parsed; ``fields`` holds the line itself.

    Raises:
        InputError: a damaged file.
    """
    with open_text(path) as stream:
        row = 0
        for line in stream:
            text = line.strip()
            if text:
                row += 1
                yield _checked(row, text, [text], None)


def _checked(row: int, raw: str, fields: list[str] | None, fault: str | None) -> Record:
    if raw.isascii():
        return Record(row, raw, fields, fault)
    try:
        raw.encode("utf-8")
    except UnicodeEncodeError:
        kept = raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return Record(row, kept, None, "encoding_error")
    return Record(row, raw, fields, fault)


def _start(path: Path, stream: TextIOWrapper) -> tuple[str, list[str]]:
    line = _first_line(path, stream)
    delimiter = max(_DELIMITERS, key=line.count)
    if line.lower().startswith("sep=") and len(line) == len("sep=,"):
        # Excel writes its delimiter into a line above the header
        delimiter, line = line[-1], _first_line(path, stream)
    if not line.isprintable() and any("\udc80" <= sign <= "\udcff" for sign in line):
        raise InputError("the header is not UTF-8", file=path, remedy="Save the file as UTF-8.")
    return delimiter, [name.strip() for name in next(csv.reader([line], delimiter=delimiter))]


def _first_line(path: Path, stream: TextIOWrapper) -> str:
    for line in stream:
        if line.strip():
            return line.strip("\r\n ")
    raise InputError("the file is empty", file=path, remedy="Export it again; nothing was read.")
