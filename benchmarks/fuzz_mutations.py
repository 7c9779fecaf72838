"""What is done to the files of the fuzz campaign, and the case that a seed and a number stand for.

Mutations come in three sorts, applied in this order: to the rows before they are written, to the text, to the bytes.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable
from typing import Any

from fuzz_files import (
    CANARY_LOGIN,
    CANARY_MAIL,
    CANARY_PHONE,
    ROTA,
    Case,
    as_cell,
    encode,
    some,
    write,
)

_MOST_COLUMNS = 10_000
_HUGE = 1_000_000


def make(seed: int, number: int) -> Case:
    """The case of that number: one to three mutations, nothing but the seed decides which."""
    rng = random.Random(f"{seed}/{number}")  # noqa: S311
    table, kind = ROTA[number % len(ROTA)]
    case = Case(number, table, kind, rng, *some(table, rng))
    chosen = [_draw(case) for _ in range(rng.choice((1, 1, 2, 3)))]
    for mutations, finish in ((ROWS, write), (TEXT, encode), (BYTES, None)):
        for name in chosen:
            if name in mutations and case.content is not None:
                mutations[name](case)
                case.done.append(name)
        if finish:
            finish(case)
    return case


def _draw(case: Case) -> str:
    sorts = [ROWS, BYTES] if case.kind == "parquet" else [ROWS, TEXT, BYTES]
    return case.rng.choice(sorted(case.rng.choice(sorts)))


def is_harmless(case: Case) -> bool:
    """Whether only such things were done as a good reader does not mind."""
    allowed = (
        HARMLESS
        - _NOT_HARMLESS.get(case.table, frozenset())
        - _NOT_HARMLESS.get(case.kind, frozenset())
    )
    return all(name in allowed for name in case.done)


# --- to the rows ---

#: what stands in a cell where something else is meant
ODD: tuple[Any, ...] = (
    "", " ", "NULL", "nan", "NaN", "inf", "-inf", "-0", "1e400", "1e-400", "9" * 30, "-9223372036854775809",
    "18446744073709551616", "0x10", "١٢٣", "1.234,56", "1,234.56", "12,50", "€5", "5 %", "true", 10**400, "0000-00-00", "9999-12-31",
    "10000-01-01", "2025-02-30", "31/02/2025", "20250310", "-20250310", "1741600000000000", "99999999999999999", "a\x00b",
    "\x00", "line\nbreak", "line\r\nbreak", 'quo"te', "';drop table x;--", "{}", "[]", "{", '{"a":', "\u202eevil\u202c",
    "\u200b", "\ufeff", "😀" * 9, "é" * 300, "\u2028", "\x85", "\x1c", "=1+1", CANARY_MAIL, CANARY_PHONE, CANARY_LOGIN,
    None, True, 0, -1, 2**63 - 1, 0.1, -1e308, [], [1], {}, {"a": 1}, [{"key": 1}], [{"key": "k", "value": 3}],
)  # fmt: skip


def _odd_cell(case: Case) -> None:
    if found := case.cell():
        row, name = found
        row[name] = case.rng.choice(ODD)


def _odd_column(case: Case) -> None:
    name, odd = case.rng.choice(case.names), case.rng.choice(ODD)
    for row in case.rows:
        row[name] = odd


def _many_odd_cells(case: Case) -> None:
    for _ in range(case.rng.randint(5, 60)):
        _odd_cell(case)


def _deeper(case: Case) -> None:
    """Something odd inside of a record, or of a list of them."""
    nested = [
        (row, n)
        for row in case.rows
        for n, value in row.items()
        if isinstance(value, dict | list) and value
    ]
    if nested:
        row, name = case.rng.choice(nested)
        inner = row[name] if isinstance(row[name], dict) else case.rng.choice(row[name])
        if isinstance(inner, dict) and inner:
            inner[case.rng.choice(list(inner))] = case.rng.choice(ODD)


def _huge_cell(case: Case) -> None:
    if found := case.cell():
        row, name = found
        row[name] = case.rng.choice(("x", "ü", "1", "a b ", '"', "\\")) * _HUGE


def _nul_cell(case: Case) -> None:
    if found := case.cell():
        row, name = found
        row[name] = f"{row.get(name)}\x00"


def _drop_column(case: Case) -> None:
    name = case.rng.choice(case.names)
    case.names = [other for other in case.names if other != name]


def _rename(change: Callable[[str], str]) -> Callable[[Case], None]:
    def rename(case: Case) -> None:
        old = case.rng.choice(case.names)
        new = change(old)
        case.names = [new if name == old else name for name in case.names]
        case.rows = [{new if k == old else k: v for k, v in row.items()} for row in case.rows]

    return rename


def _double_column(case: Case) -> None:
    case.names.insert(case.rng.randrange(len(case.names)), case.rng.choice(case.names))


def _many_columns(case: Case) -> None:
    case.rows = case.rows[:3]
    case.names += [f"extra_{number}" for number in range(_MOST_COLUMNS - len(case.names))]


def _cut_rows(case: Case) -> None:
    case.rows = [row for row in case.rows if case.rng.random() < 0.5]


def _no_rows(case: Case) -> None:
    case.rows = []


def _double_rows(case: Case) -> None:
    case.rows += [
        dict(case.rng.choice(case.rows)) for _ in range(case.rng.randint(1, 10)) if case.rows
    ]


def _shuffle_rows(case: Case) -> None:
    case.rng.shuffle(case.rows)


def _shuffle_columns(case: Case) -> None:
    case.rng.shuffle(case.names)


def _other_day(case: Case) -> None:
    name = next((n for n in ("date", "event_date", "day", "changed_at") if n in case.names), None)
    for row in case.rows if name else []:
        if case.rng.random() < 0.3 and name in row:
            row[name] = case.rng.choice(("2025-03-09", "20250311", "1999-01-01"))


def _as_text(case: Case) -> None:
    case.rows = [{k: v if v is None else as_cell(v) for k, v in row.items()} for row in case.rows]


def _as_floats(case: Case) -> None:
    for row in case.rows:
        for name, value in row.items():
            if isinstance(value, int):
                row[name] = float(value) + case.rng.choice((0.0, 0.5))


ROWS: dict[str, Callable[[Case], None]] = {
    "odd cell": _odd_cell,
    "odd column": _odd_column,
    "many odd cells": _many_odd_cells,
    "odd inside a record": _deeper,
    "huge field": _huge_cell,
    "NUL in a field": _nul_cell,
    "column dropped": _drop_column,
    "header in capitals": _rename(str.upper),
    "header with blanks": _rename(lambda name: f" {name} "),
    "header of a person": _rename(lambda _: CANARY_MAIL),
    "header odd": _rename(lambda _: "'\"; --"),
    "header empty": _rename(lambda _: ""),
    "duplicate header": _double_column,
    "10,000 columns": _many_columns,
    "rows cut": _cut_rows,
    "no rows": _no_rows,
    "rows doubled": _double_rows,
    "rows shuffled": _shuffle_rows,
    "columns shuffled": _shuffle_columns,
    "rows of other days": _other_day,
    "everything as text": _as_text,
    "numbers as floats": _as_floats,
}

# --- to the text ---


def _lines(change: Callable[[Case, list[str]], list[str]]) -> Callable[[Case], None]:
    def changed(case: Case) -> None:
        case.text = "\n".join(change(case, case.text.split("\n")))

    return changed


def _insert(*words: str) -> Callable[[Case], None]:
    def inserted(case: Case) -> None:
        place = case.rng.randrange(len(case.text) + 1)
        case.text = case.text[:place] + case.rng.choice(words) + case.text[place:]

    return inserted


def _line_ends(end: str) -> Callable[[Case], None]:
    def ended(case: Case) -> None:
        case.text = case.text.replace("\n", end)

    return ended


def _mixed_ends(case: Case) -> None:
    case.text = re.sub("\n", lambda _: case.rng.choice(("\n", "\r\n", "\r")), case.text)


def _blank_lines(case: Case, lines: list[str]) -> list[str]:
    for _ in range(case.rng.randint(1, 5)):
        lines.insert(case.rng.randrange(len(lines) + 1), "")
    return lines


def _lines_of_blanks(case: Case, lines: list[str]) -> list[str]:
    for _ in range(case.rng.randint(1, 5)):
        lines.insert(case.rng.randrange(len(lines) + 1), case.rng.choice(("  ", "\t")))
    return lines


def _ragged(case: Case, lines: list[str]) -> list[str]:
    place = case.rng.randrange(len(lines))
    lines[place] = case.rng.choice(
        (lines[place] + ",more,and more", lines[place].rpartition(",")[0], ",,,,")
    )
    return lines


def _reencode(encoding: str) -> Callable[[Case], None]:
    def reencoded(case: Case) -> None:
        case.encoding = encoding

    return reencoded


def _delimit(sign: str) -> Callable[[Case], None]:
    def delimited(case: Case) -> None:
        if case.kind == "csv":
            case.delimiter = sign
            write(case)

    return delimited


TEXT: dict[str, Callable[[Case], None]] = {
    "CRLF": _line_ends("\r\n"),
    "CR alone": _line_ends("\r"),
    "line ends mixed": _mixed_ends,
    "blank lines": _lines(_blank_lines),
    "lines of blanks": _lines(_lines_of_blanks),
    "ragged row": _lines(_ragged),
    "no header": _lines(lambda _, lines: lines[1:]),
    "header twice": _lines(lambda _, lines: [*lines[:2], lines[0], *lines[2:]]),
    "no last line end": lambda case: setattr(case, "text", case.text.rstrip("\n")),
    "text cut off": lambda case: setattr(
        case, "text", case.text[: case.rng.randrange(len(case.text) + 1)]
    ),
    "stray quote": _insert('"', "'", '""', '"x'),
    "odd sign": _insert(
        "\x00", "\x1a", "\x0c", "\x0b", "\u2028", "\x85", "\ufeff", "\\", "\ud800", "\t", ";"
    ),
    "odd JSON": _insert("\\u0000", "\\ud800", "[" * 2000, '{"a":' * 2000, "NaN", "}{", ",", "null"),
    "BOM": lambda case: setattr(case, "text", f"\ufeff{case.text}"),
    "BOM twice": lambda case: setattr(case, "text", f"\ufeff\ufeff{case.text}"),
    "UTF-16": _reencode("utf-16"),
    "UTF-16 without a mark": _reencode("utf-16-le"),
    "Latin-1": _reencode("latin-1"),
    "EBCDIC": _reencode("cp500"),
    "semicolons": _delimit(";"),
    "tabs": _delimit("\t"),
    "one JSON array": lambda case: setattr(case, "text", f"[{','.join(case.text.splitlines())}]"),
    "a page of HTML": lambda case: setattr(
        case, "text", f"<html><body>{CANARY_MAIL}</body></html>"
    ),
}

# --- to the bytes ---


def _bytes(change: Callable[[random.Random, bytes], bytes]) -> Callable[[Case], None]:
    def changed(case: Case) -> None:
        case.content = change(case.rng, case.content or b"")

    return changed


def _flip(rng: random.Random, content: bytes) -> bytes:
    flipped = bytearray(content)
    for _ in range(rng.choice((1, 1, 3, 20)) if content else 0):
        flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _patched(rng: random.Random, content: bytes) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.randbytes(rng.randint(1, 64)) + content[at + rng.randint(0, 64) :]


def _piece_gone(rng: random.Random, content: bytes) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + content[at + rng.randint(1, 200) :]


def _piece_twice(rng: random.Random, content: bytes) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[: at + rng.randint(1, 200)] + content[at:]


def _cut(rng: random.Random, content: bytes) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _latin(rng: random.Random, content: bytes) -> bytes:
    """One row in another encoding than the others."""
    lines = content.split(b"\n")
    place = rng.randrange(len(lines))
    lines[place] += "Größe".encode("latin-1")
    return b"\n".join(lines)


def _packed(spoil: Callable[[random.Random, bytes], bytes]) -> Callable[[Case], None]:
    return _bytes(lambda rng, content: spoil(rng, gzip.compress(content, mtime=0)))


def _in_place(what: str) -> Callable[[Case], None]:
    def placed(case: Case) -> None:
        case.instead, case.content = what, None

    return placed


BYTES: dict[str, Callable[[Case], None]] = {
    "bytes flipped": _bytes(_flip),
    "bytes replaced": _bytes(_patched),
    "a piece gone": _bytes(_piece_gone),
    "a piece twice": _bytes(_piece_twice),
    "cut off": _bytes(_cut),
    "a row in Latin-1": _bytes(_latin),
    "NULs at the end": _bytes(lambda rng, content: content + b"\x00" * rng.randint(1, 5000)),
    "rubbish at the end": _bytes(lambda rng, content: content + rng.randbytes(rng.randint(1, 500))),
    "file twice": _bytes(lambda _, content: content * 2),
    "gzip": _packed(lambda _, packed: packed),
    "gzip twice": _bytes(lambda _, content: gzip.compress(gzip.compress(content, mtime=0), mtime=0)),
    "gzip cut off": _packed(_cut),
    "gzip flipped": _packed(_flip),
    "gzip in two pieces": _bytes(lambda _, c: gzip.compress(c[: len(c) // 2], mtime=0) + gzip.compress(c[len(c) // 2 :], mtime=0)),
    "gzip and rubbish": _packed(lambda rng, packed: packed + rng.randbytes(50)),
    "empty": _bytes(lambda *_: b""),
    "blank": _bytes(lambda *_: b" \n\r\n\t\n"),
    "random bytes": _bytes(lambda rng, _: rng.randbytes(rng.randint(1, 5000))),
    "zip": _bytes(lambda _, content: b"PK\x03\x04" + content),
    "PAR1 and text": _bytes(lambda _, content: b"PAR1" + content),
    "a directory": _in_place("directory"),
    "no file": _in_place("nothing"),
    "a link to nothing": _in_place("link"),
    "a pipe": _in_place("pipe"),
}  # fmt: skip

#: done to a file that is otherwise good, these leave it good
HARMLESS = frozenset({
    "rows shuffled", "columns shuffled", "CRLF", "CR alone", "line ends mixed", "no last line end", "BOM", "UTF-16",
    "gzip", "gzip in two pieces", "semicolons", "tabs", "blank lines",
})  # fmt: skip
_PLAIN = frozenset({"gzip", "gzip in two pieces", "UTF-16", "semicolons", "tabs"})
#: where that is not so: these are plain CSV, and Parquet is not zipped
_NOT_HARMLESS = {
    "rates": _PLAIN,
    "ad_sources": _PLAIN,
    "parquet": frozenset({"gzip", "gzip in two pieces"}),
}
